"""The four ways of use: Invoke tasks, a tasks.py of one's own, a noxfile, and CI."""

from __future__ import annotations

import dataclasses
import logging
import os
import pty
import re
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import make_url

import hop_tasks
from hop_tasks import (
    HopError,
    Level,
    Project,
    Settings,
    Version,
    apply_release,
    create_project,
    next_releases,
    plan_upgrade,
    prepare_release,
    read_status,
    release_prepared,
    restore_database,
    synchronise_package,
    undo_release,
    upgrade_database,
)
from hop_tasks.errors import (
    DatabaseError,
    LockedError,
    ModeError,
    PatchError,
    ProjectError,
    RepositoryError,
    StateError,
    UsageError,
)
from tests.playground import SCRIPTS, TIMEOUT_SECONDS, Finished, Playground

A_TABLE = "CREATE TABLE a (id integer PRIMARY KEY);\n"
ESCAPE = "\x1b"


def create_empty(url: str) -> str:
    """A database with nothing in it, as a production begins."""
    place = Playground(Path(), make_url(url).set(database="postgres").render_as_string(hide_password=False))
    place.sql(f'CREATE DATABASE "{make_url(url).database}"')
    return url


@pytest.fixture
def here(play: Playground, monkeypatch: pytest.MonkeyPatch) -> Playground:
    """A new project, whose folder and database are those of this process."""
    monkeypatch.setenv("HOP_DATABASE_URL", play.url)
    create_project("shop", folder=play.folder, devel=True)
    monkeypatch.chdir(play.folder / "shop")
    return play.inside("shop")


class Diary:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def step(self, text: str) -> None:
        self.lines.append(("step", text))

    def note(self, text: str) -> None:
        self.lines.append(("note", text))

    def warn(self, text: str) -> None:
        self.lines.append(("warn", text))


class TestInvoke:
    def test_prepare_is_one_thing_by_hop_and_by_invoke(self, project: Playground) -> None:
        by_hop = project.hop("prepare", "-l", "patch", "-m", "one thing").succeeds()
        trees = [project.git("show", "--no-patch", "--format=%T %s", "hop_0.0.1")]
        project.git("switch", "--quiet", "hop_main")
        project.git("branch", "--quiet", "-D", "hop_0.0.1")
        by_invoke = project.invoke("prepare", "--level=patch", "--message=one thing").succeeds()
        trees.append(project.git("show", "--no-patch", "--format=%T %s", "hop_0.0.1"))
        assert by_hop.out == by_invoke.out
        assert trees[0] == trees[1]
        for run in (project.hop, project.invoke):
            run("prepare", "-l", "patch").fails(7, "already in preparation")
            run("prepare", "-l", "huge").fails(2, "'huge'")

    def test_the_whole_cycle(self, play: Playground, other_database: Callable[[], str]) -> None:
        play.write("tasks.py", "from hop_tasks.tasks import *\n")
        play.invoke("new", "shop", "--devel").succeeds()
        shop = play.inside("shop")
        assert "next: hop prepare" in shop.invoke("status").succeeds().out
        shop.invoke("prepare", "--level=patch", "--message=a table").succeeds()
        shop.write("Patches/0/0/1/01.sql", A_TABLE)
        shop.invoke("apply").succeeds()
        shop.invoke("undo").succeeds()
        assert shop.releases() == ["0.0.0"]
        shop.write("Patches/0/0/1/02.sql", "INSERT INTO a VALUES (1);\n")
        shop.inside("Patches/0").invoke("apply").succeeds()
        assert shop.sql("SELECT id FROM a") == [(1,)]
        shop.commit()
        assert "in step" in shop.invoke("sync-package").succeeds().out
        shop.invoke("release").succeeds()
        assert shop.git("describe", "--exact-match") == "0.0.1"
        shop.invoke("restore", "0.0.0").succeeds()
        assert shop.releases() == ["0.0.0"]
        production = shop.production(create_empty(other_database()))
        production.invoke("upgrade").succeeds()
        assert production.releases() == ["0.0.0", "0.0.1"]
        production.invoke("apply").fails(6, "production")


OWN_TASKS = '''\
"""A project's own tasks, beside those of hop."""

from pathlib import Path

from invoke import Exit, task

from hop_tasks import HopError, Project, apply_release, prepare_release, read_status, release_prepared
from hop_tasks.tasks import *


class Diary:
    def __init__(self, path):
        self.path = path

    def step(self, text):
        with self.path.open("a") as file:
            print(text, file=file)

    note = warn = step


@task
def greet(c):
    """Say hello."""
    print(f"hello from {Project.find().name}")


@task(help={"file": "the statements"})
def hotfix(c, file):
    """From one file of SQL to a release."""
    project = Project.find()
    diary = Diary(project.root.parent / "diary.txt")
    try:
        prepared = prepare_release(project, "patch", f"hotfix {file}", reporter=diary)
        statements = Path(file).read_text()
        (project.root / prepared.folder / "01_hotfix.sql").write_text(statements)
        applied = apply_release(project, reporter=diary)
        c.run("git add --all && git commit --quiet --message hotfix")
        published = release_prepared(project, reporter=diary)
    except HopError as error:
        raise Exit(f"hop: hotfix: {error}", code=error.exit_code)
    print(f"{published.version} after {applied.base}: {[run.path for run in applied.files]}")
    print(read_status(project).repository.released)


@task
def begin(c, message):
    """Prepare a minor release and apply it at once, by hop's tasks."""
    prepare(c, level="minor", message=message)
    apply(c)
'''


class TestOwnTasks:
    def test_a_step_of_ones_own_stands_beside_those_of_hop(self, project: Playground) -> None:
        project.write("tasks.py", OWN_TASKS)
        project.commit()
        listed = re.findall(r"^  (\S+)", project.invoke("--list").succeeds().out, re.MULTILINE)
        assert {"greet", "hotfix", "begin", "prepare", "sync-package"} <= set(listed)
        assert "hop_main" in project.invoke("greet", "status").succeeds().out

        project.write("../fix.sql", A_TABLE)
        found = project.invoke("hotfix", "../fix.sql").succeeds()
        assert "0.0.1 after 0.0.0: ['Patches/0/0/1/01_hotfix.sql']" in found.out
        assert "Version(major=0, minor=0, patch=1)" in found.out
        assert project.sql("SELECT count(*) FROM a") == [(0,)]
        assert project.git("log", "-1", "--format=%s", "0.0.1") == "Release 0.0.1: hotfix ../fix.sql"
        assert "Patches/0/0/1/01_hotfix.sql" in project.read("../diary.txt")

        project.write("../fix.sql", "SELECT 1 FORM a;\n")
        project.invoke("hotfix", "../fix.sql").fails(1, "hop: hotfix: Patches/0/0/2/01_hotfix.sql:1:15", "syntax error")
        project.git("clean", "--quiet", "--force")

        project.invoke("begin", "soon").succeeds()
        assert project.releases() == ["0.0.0", "0.0.1", "0.1.0"]
        project.commit()
        project.invoke("begin", "again").fails(7, "already in preparation")


class TestOwnNamespace:
    """In a project without a server: the settings are read before one is looked for."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Playground:
        place = Playground(tmp_path, "postgresql://nobody@localhost:1/dead")
        place.write("pyproject.toml", '[tool.hop]\nname = "shop"\npackage = "shop"\ndevel = false\n')
        place.write(
            "tasks.py",
            "from invoke import Collection, task\n"
            "from hop_tasks.tasks.collection import namespace\n"
            "@task\n"
            "def greet(c):\n"
            "    print('hello')\n"
            "ns = Collection(greet)\n"
            "ns.add_collection(namespace('db'))\n",
        )
        return place

    def configure(self, place: Playground, text: str) -> None:
        place.write("tasks.py", place.read("tasks.py") + text + "\n")

    def test_has_hop_as_a_part(self, place: Playground) -> None:
        listed = set(re.findall(r"^  (\S+)", place.invoke("--list").succeeds().out, re.MULTILINE))
        assert {"greet", "db.prepare", "db.sync-package", "db.status"} <= listed
        assert place.invoke("greet").succeeds().out == "hello\n"
        place.invoke("db.prepare", "-l", "patch").fails(6, "--devel")
        assert "mode      development" in place.invoke("db").fails(5, "no connection").out, "status is its default"
        assert "one line" in place.invoke("db.prepare", "--help").succeeds().out

    def test_can_hold_settings(self, place: Playground) -> None:
        self.configure(place, "ns.configure({'hop': {'production': True}})")
        assert "mode      production" in place.invoke("db.status").fails(5).out
        assert "mode      development" in place.with_variables(HOP_PRODUCTION="0").invoke("db").fails(5).out

    def test_can_hold_settings_in_the_part(self, place: Playground) -> None:
        self.configure(place, "ns.collections['db'].configure({'hop': {'production': True}})")
        assert "mode      production" in place.invoke("db.status").fails(5).out

    def test_settings_of_all_places_are_put_together(self, place: Playground) -> None:
        """Wrong ones, since the error lists them."""
        self.configure(place, "ns.configure({'hop': {'lock_wait': 'ns', 'tests': 1}})")
        place.write("invoke.yaml", "hop: {lock_timeout: yaml, tests: 2}\n")
        place.write("pyproject.toml", place.read("pyproject.toml") + 'backups = ""\n')
        found = place.with_variables(HOP_DEVEL="perhaps").invoke("db.status").fails(3, "5 wrong settings")
        for words in ("backups = ''", "lock_wait = 'ns'", "tests = 2", "lock_timeout = 'yaml'", "'perhaps'"):
            assert words in found.err


class TestFunctions:
    def test_the_cycle_by_functions(
        self, play: Playground, other_database: Callable[[], str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Nothing is printed, every result is a frozen dataclass, and the reporter hears of the steps."""
        diary = Diary()
        url = make_url(play.url).update_query_dict({"application_name": "diary"}).render_as_string(False)
        founded = create_project("shop", folder=play.folder, devel=True, url=url, reporter=diary)
        shop, project = play.inside("shop"), Project.find(play.folder / "shop" / "Patches")
        assert project == founded.project
        assert (project.name, project.settings.url) == (
            "shop",
            make_url(url)._replace(password=None).render_as_string(),
        )

        assert [(str(found.version), found.taken) for found in next_releases(project)] == [
            ("0.0.1", None),
            ("0.1.0", None),
            ("1.0.0", None),
        ]
        prepared = prepare_release(project, Level.MINOR, "a table", reporter=diary)
        assert (prepared.version, str(prepared.base), prepared.branch) == (Version(0, 1, 0), "0.0.0", "hop_0.1.0")
        shop.write(f"{prepared.folder}/01.sql", A_TABLE)
        first = apply_release(project, reporter=diary)
        undone = undo_release(project, reporter=diary)
        assert (undone.version, undone.base) == (first.version, first.base) == (Version(0, 1, 0), Version(0, 0, 0))
        applied = apply_release(project, reporter=diary)
        assert [path.name for path in applied.package.written] == ["__init__.py", "_release.py", "public.py"]
        assert synchronise_package(project, reporter=diary).written == ()
        shop.commit()
        published = release_prepared(project, reporter=diary)
        assert published.commit == shop.git("rev-parse", "hop_main") == shop.git("rev-parse", "0.1.0^{commit}")
        assert shop.read(published.schema).count("CREATE TABLE public.a ") == 1
        restored = restore_database(project, "0.0.0", reporter=diary)
        assert restored.kept_as in shop.databases()

        production = Project.find(project.root, production=True, url=create_empty(other_database()))
        plan = plan_upgrade(production, reporter=diary)
        assert [str(release.version) for release in plan.releases] == ["0.1.0"]
        upgraded = upgrade_database(production, reporter=diary)
        assert (upgraded.before, upgraded.after) == (None, Version(0, 1, 0))
        status = read_status(production)
        assert status.missing == ()

        for result in (founded, prepared, applied, undone, published, restored, plan, upgraded, status):
            assert type(result).__name__ in hop_tasks.__all__
            assert is_frozen(result), type(result)
            assert is_frozen(getattr(result, "package", result))
        assert ("step", f"created the empty database {make_url(play.url).database}") in diary.lines
        assert any("0.1.0" in text for kind, text in diary.lines if kind == "step")
        assert all(text == text.strip(".\n") for _, text in diary.lines)
        assert capsys.readouterr() == ("", "")

    def test_progress_goes_to_the_log_by_default(self, here: Playground, caplog: pytest.LogCaptureFixture) -> None:
        project = Project.find()
        prepare_release(project, "patch")
        here.write("Patches/0/0/1/01.sql", A_TABLE)
        with caplog.at_level(logging.INFO, "hop_tasks"):
            apply_release(project)
        assert any("Patches/0/0/1/01.sql" in record.getMessage() for record in caplog.records)

    def test_errors_are_of_one_tree_and_say_what_to_do(self, here: Playground, tmp_path: Path) -> None:
        project = Project.find()
        production = Project.find(production=True)
        prepare_release(project, "patch")
        here.write("Patches/0/0/1/01.sql", "SELECT 1 / 0;\n")
        down = dataclasses.replace(here, url="postgresql://nobody@localhost:1/dead")
        cases: list[tuple[type[HopError], int, Callable[[], object]]] = [
            (UsageError, 2, lambda: prepare_release(project, "huge")),
            (UsageError, 2, lambda: create_project("--help", folder=tmp_path)),
            (ProjectError, 3, lambda: Project.find("/")),
            (ProjectError, 3, lambda: Project.find(lock_wait="soon")),
            (RepositoryError, 4, lambda: prepare_release(project, "minor")),
            (ModeError, 6, lambda: apply_release(production)),
            (ModeError, 6, lambda: upgrade_database(project)),
            (StateError, 7, lambda: undo_release(project)),
            (StateError, 7, lambda: restore_database(project, Version(7, 0, 0))),
            (PatchError, 1, lambda: apply_release(project)),
        ]
        for kind, code, call in cases:
            with pytest.raises(HopError) as caught:
                call()
            assert (type(caught.value), caught.value.exit_code) == (kind, code)
            assert caught.value.hint or kind is PatchError
            assert "\n" not in str(caught.value)
        with pytest.MonkeyPatch.context() as patch, pytest.raises(DatabaseError):
            patch.setenv("HOP_DATABASE_URL", down.url)
            apply_release(project)

    def test_another_hop_at_work_is_an_error_of_its_own(self, here: Playground) -> None:
        """Two in one process: the patch of the first calls the second."""
        project = Project.find()
        prepare_release(project, "patch")
        second = (
            "from hop_tasks import Project, undo_release\n\ndef apply(connection):\n    undo_release(Project.find())\n"
        )
        here.write("Patches/0/0/1/01.py", second)
        with pytest.raises(LockedError, match="apply") as caught:
            apply_release(project)
        assert caught.value.exit_code == 8
        assert here.releases() == ["0.0.0"]

    def test_functions_work_in_a_thread(self, here: Playground) -> None:
        """Where no signal handler can be set."""
        project = Project.find()
        prepare_release(project, "patch")
        here.write("Patches/0/0/1/01.sql", A_TABLE)
        with ThreadPoolExecutor(1) as thread:
            applied = thread.submit(apply_release, project).result()
        with ThreadPoolExecutor(4) as threads:
            found = {status.database.state for status in threads.map(read_status, [project] * 4)}
        assert len(found) == 1
        assert applied.version == Version(0, 0, 1)
        assert here.releases() == ["0.0.0", "0.0.1"]

    def test_settings_are_given_whole(self, here: Playground) -> None:
        settings = Project.find(lock_wait=2, configuration={"lock_wait": 1, "backups": "/b"}, environ={}).settings
        assert isinstance(settings, Settings)
        assert (settings.lock_wait, settings.backups, settings.name) == (2.0, "/b", "shop")
        assert Project.find(configuration={"lock_wait": 1}, environ={"HOP_LOCK_WAIT": "3"}).settings.lock_wait == 3.0


def is_frozen(result: object) -> bool:
    field = dataclasses.fields(result)[0].name  # type: ignore[arg-type]
    with suppress(dataclasses.FrozenInstanceError):
        setattr(result, field, None)
        return False
    return True


NOXFILE = """\
import nox

from hop_tasks import HopError, Project, apply_release

nox.options.default_venv_backend = "none"


@nox.session
def prepare(session):
    session.run("hop", "prepare", *session.posargs)


@nox.session
def apply(session):
    try:
        applied = apply_release(Project.find())
    except HopError as error:
        session.error(str(error))
    session.log(f"applied {applied.version} after {applied.base}")


@nox.session
def release(session):
    session.run("git", "add", "--all", external=True)
    session.run("git", "commit", "--quiet", "--message", "write it", external=True)
    session.run("hop", "release")
"""


def test_sessions_of_nox_run_commands_and_functions(project: Playground) -> None:
    """In the environment that Nox itself is in."""
    place = project.with_variables(PATH=f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}")
    place.write("noxfile.py", NOXFILE)
    place.commit()

    def nox(*arguments: str) -> Finished:
        return place.run(str(SCRIPTS / "python"), "-m", "nox", "-R", "-s", *arguments)

    nox("prepare", "--", "--level=patch", "-m", "by nox").succeeds()
    place.write("Patches/0/0/1/01.sql", "CREATE TABL a;\n")
    failed = nox("apply")
    assert failed.code == 1
    assert "Patches/0/0/1/01.sql:1:8: syntax error" in failed.err
    assert "Traceback" not in failed.err
    place.write("Patches/0/0/1/01.sql", A_TABLE)
    assert "applied 0.0.1 after 0.0.0" in nox("apply", "release").succeeds().err
    assert place.git("describe", "--exact-match", "hop_main") == "0.0.1"


class TestCI:
    def test_output_is_plain_and_exit_codes_tell(self, project: Playground) -> None:
        place = project.with_variables(CI="true", TERM="xterm-256color", COLUMNS="40", CLICOLOR_FORCE="1")
        place.write("tests/test_it.py", "def test_it():\n    assert False\n")
        place.commit()
        runs = [
            place.hop().succeeds(),
            place.hop("undo").fails(7),
            place.hop("prepare", "--level=patch").succeeds(),
        ]
        place.write("Patches/0/0/1/01.sql", "SELECT\n  1 FORM a;\n")
        runs.append(place.hop("apply").fails(1, "Patches/0/0/1/01.sql:2:"))
        place.write("Patches/0/0/1/01.sql", A_TABLE)
        runs += [place.hop("release").fails(4), place.hop("apply").succeeds()]
        place.commit()
        runs += [place.hop("release").fails(9), place.hop("--list").succeeds(), place.hop("nothing").fails(2)]
        for run in runs:
            assert ESCAPE not in run.out + run.err, run.command
            assert "\r" not in run.out + run.err
        assert all(line.startswith("hop: ") for line in runs[1].err.splitlines())

    def test_streams_can_be_closed(self, project: Playground) -> None:
        def hop(streams: str, *arguments: str) -> int:
            return project.run("sh", "-c", f'exec "$0" "$@" {streams}', str(SCRIPTS / "hop"), *arguments).code

        assert [hop("<&-", "prepare"), hop("<&-", "prepare", "-l", "patch"), hop("<&-", "apply")] == [2, 0, 0]
        assert project.releases() == ["0.0.0", "0.0.1"]
        assert [hop(">&- 2>&-", "prepare"), hop("<&- >&-", "undo"), hop("<&- >&- 2>&-", "undo")] == [2, 0, 7]
        assert project.releases() == ["0.0.0"]

    def test_no_question_waits_for_somebody_who_is_not_there(self, tmp_path: Path) -> None:
        """Standard input is a pipe into which nobody writes."""
        place = Playground(tmp_path, "postgresql://nobody@localhost:1/dead")
        place.write("pyproject.toml", '[tool.hop]\nname = "shop"\npackage = "shop"\n')
        for command, code in ((["prepare"], 2), (["new"], 2), (["restore"], 2), (["undo"], 4)):
            with subprocess.Popen(
                [str(SCRIPTS / "hop"), *command],
                cwd=place.folder,
                env=place.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            ) as process:
                assert process.wait(TIMEOUT_SECONDS) == code, command


class TestTerminal:
    """Somebody is there: he is asked, and sees colours."""

    def run(self, place: Playground, *command: str, typed: str = "") -> tuple[int, str]:
        """Exit code, and what is seen on the terminal."""
        ours, its = pty.openpty()
        with subprocess.Popen(
            command, cwd=place.folder, env=place.environment, stdin=its, stdout=its, stderr=its
        ) as process:
            os.close(its)
            os.write(ours, typed.encode())
            seen = b""
            with suppress(OSError):  # Linux's way to say that the other end is closed
                while part := os.read(ours, 4096):
                    seen += part
            os.close(ours)
        return process.returncode, seen.decode()

    def test_the_level_is_asked_for(self, project: Playground) -> None:
        hop, place = str(SCRIPTS / "hop"), project.with_variables(TERM="xterm-256color")
        project.hop("prepare", "-l", "patch").succeeds()
        code, seen = self.run(place, hop, "prepare", typed="minor\nby hand\n")
        assert code == 0, seen
        for line in ("patch: taken by 0.0.1", "minor: 0.1.0", "major: 1.0.0", "level: ", "message: "):
            assert line in seen
        assert ESCAPE in seen
        assert project.git("log", "-1", "--format=%s", "hop_0.1.0") == "Prepare release 0.1.0: by hand"

        before = project.refs()
        for typed in ("\x04", "huge\n\n", "major\n\x04", "\n\n"):
            code, seen = self.run(place.with_variables(NO_COLOR="1"), hop, "prepare", typed=typed)
            assert code == 2, seen
            assert ESCAPE not in seen
            assert "hop: " in seen.splitlines()[-1]
        assert project.refs() == before
