"""Steps of a release that are interrupted, blocked, or run by two hops at once, with hop as a library."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from hop_tasks.database.engines import Database
from hop_tasks.errors import LockedError, PatchError, UncertainError, UsageError
from hop_tasks.registry import TAKEN_OVER, create_registry
from hop_tasks.scripts import PatchFile, check_scripts, order_files, run_psql
from hop_tasks.versions import Version
from hop_tasks.workflows import stepping
from hop_tasks.workflows.deploying import Deployed, deploy
from hop_tasks.workflows.manner import InterruptedStep, Manner
from hop_tasks.workflows.reading import Deployable
from tests.database.connecting import connect
from tests.workflows.diary import Diary

VERSION = Version(0, 0, 1)
RAISE = "\\set one 1\nUPDATE product SET price = price + :one;\n"
UNDECLARED = "-- hop: no-transaction\n"
COMMITS = "DO $$ BEGIN INSERT INTO log VALUES (1); COMMIT; LOCK TABLE product; END $$;\n"
SCHEMA = """
    CREATE TABLE product (price int); INSERT INTO product VALUES (10); CREATE TABLE log (n int);
    CREATE SCHEMA workshop; CREATE TABLE workshop.job (n int); CREATE INDEX old ON workshop.job (n);
"""


class Killed(BaseException):
    """Stands for SIGKILL: nothing of hop runs after it."""


@dataclass
class Scene:
    """A database at 0.0.0, and a release 0.0.1 of some files to come."""

    database: Database
    admin: Connection
    folder: Path
    files: dict[str, str] = field(default_factory=dict)
    diary: Diary = field(default_factory=Diary)

    def deploy(self, answer: str | None = None) -> Deployed:
        files = []
        for name, text in self.files.items():
            path = self.folder / "Patches/0/0/1" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            files.append(PatchFile(path.relative_to(self.folder).as_posix(), path.read_bytes()))
        scripts = check_scripts(order_files(VERSION, files))
        given = InterruptedStep.parse(answer) if answer else None
        manner = Manner(lock_timeout=0.1, lock_retries=1, programs=None, interrupted_step=given, kept=True)
        release = Deployable(VERSION, "steps", scripts, None, None, lambda: self.folder)
        return deploy(self.database, release, manner, self.admin, self.diary)

    def ask(self, query: str) -> Any:
        with closing(connect(self.database.url)) as session, session, session.cursor() as cursor:
            cursor.execute(query)
            return [row[0] for row in cursor.fetchall()] if cursor.description else None

    @property
    def states(self) -> Any:
        return self.ask("SELECT state FROM half_orm_meta.hop_step ORDER BY step")


@pytest.fixture
def scene(database: Database, tmp_path: Path) -> Iterator[Scene]:
    with database.administer() as admin:
        admin.exec_driver_sql(f"CREATE DATABASE {database.name}")
        with database.connect() as connection:
            connection.exec_driver_sql(SCHEMA)
            create_registry(connection, production=True)
            connection.commit()
        yield Scene(database, admin, tmp_path)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], object]], None]:
    """Does something, once, where a step is at a checkpoint."""

    def act_at(name: str, act: Callable[[], object]) -> None:
        def checkpoint(reached: str) -> None:
            if reached == name:
                monkeypatch.undo()
                act()

        monkeypatch.setattr(stepping, "checkpoint", checkpoint)

    return act_at


def die() -> None:
    raise Killed


@pytest.mark.parametrize("declared", [False, True])
def test_a_psql_that_gets_its_connection_after_its_hop_has_died_does_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, *, declared: bool
) -> None:
    scene.files = {"01.psql": (UNDECLARED if declared else "") + RAISE}
    late: dict[str, Any] = {}

    def spawned(file: PatchFile, **arguments: Any) -> None:
        late.update(arguments, file=file)
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(stepping, "run_psql", spawned)
        scene.deploy()
    if declared:
        with pytest.raises(UncertainError, match="was interrupted"):
            scene.deploy()
    else:
        scene.deploy()
    with pytest.raises(PatchError) as raised:
        run_psql(late.pop("file"), **late)
    assert raised.value.sqlstate == TAKEN_OVER
    assert scene.ask("SELECT price FROM product") == [10 if declared else 11]


def test_of_two_hops_that_run_psql_without_the_lock_one_does(scene: Scene, at: Any) -> None:
    scene.files = {"01.psql": RAISE, "02.sql": "INSERT INTO log VALUES (1);\n"}
    at("psql.before", scene.deploy)
    with pytest.raises(LockedError, match="begun or done by another hop"):
        scene.deploy()
    assert scene.ask("SELECT price FROM product") == [11]
    assert scene.ask("SELECT n FROM log") == [1]
    assert scene.states == ["done", "done"]


@pytest.mark.parametrize(("declaration", "times"), [("no-transaction", 1), ("no-transaction, repeatable", 2)])
def test_what_has_committed_before_it_could_not_have_a_lock_is_repeated_only_if_its_author_says_so(
    scene: Scene, declaration: str, times: int
) -> None:
    scene.files = {"01.sql": f"-- hop: {declaration}\n{COMMITS}"}
    with closing(connect(scene.database.url)) as till:
        till.cursor().execute("LOCK TABLE product")
        with pytest.raises(PatchError, match="what it had committed before stays") as raised:
            scene.deploy()
    assert raised.value.sqlstate == "55P03"
    assert ("it was tried 2 times" in str(raised.value)) == (times == 2)
    assert scene.ask("SELECT count(*) FROM log") == [times]
    assert not any("as it was" in line for line in [*scene.diary.lines, str(raised.value)])


def test_an_answer_is_for_the_step_that_it_names_alone(scene: Scene, at: Any) -> None:
    ended = "COMMIT; END $$;\n"
    two = [f"DO $$ BEGIN INSERT INTO log VALUES ({number}); {ended}" for number in (1, 2)]
    scene.files = {"01.sql": UNDECLARED + "".join(two)}
    at("step.after", die)
    with pytest.raises(Killed):
        scene.deploy()
    with pytest.raises(UncertainError) as raised:
        scene.deploy("0.0.1/2=done")
    assert "--interrupted-step=0.0.1/1=done" in (raised.value.hint or "")
    at("step.before", die)
    with pytest.raises(Killed):
        scene.deploy("0.0.1/1=done")
    with pytest.raises(UncertainError, match=r"step 2 of 0\.0\.1"):
        scene.deploy("0.0.1/1=done")
    scene.deploy("0.0.1/2=repeat")
    assert scene.ask("SELECT n FROM log ORDER BY n") == [1, 2]


@pytest.mark.parametrize("text", ["done", "repeat", "0.0.1=done", "0.0.1/0=done", "0.0.1/1=redo", "x/1=done", ""])
def test_an_answer_that_names_no_step_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        InterruptedStep.parse(text)


@pytest.mark.parametrize(
    "setting", ["SET search_path = workshop", "SELECT pg_catalog.set_config('search_path', 'workshop', false)"]
)
def test_names_mean_what_they_mean_in_the_file(scene: Scene, at: Any, setting: str) -> None:
    scene.files = {
        "01.sql": f"{setting};\nCREATE INDEX CONCURRENTLY made ON job (n);\n",
        "02.sql": f"SET statement_timeout = '1min';\n{setting};\nDROP INDEX CONCURRENTLY old;\n",
    }
    for _ in range(2):
        at("step.after", die)
        with pytest.raises(Killed):
            scene.deploy()
    scene.deploy()
    assert sum("is found done" in line for line in scene.diary.lines) == 2
    assert scene.ask("SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'workshop.job'::regclass") == [
        "workshop.made"
    ]


def test_an_index_whose_building_could_not_have_a_lock_is_built_again(scene: Scene) -> None:
    scene.files = {"01.sql": "SET lock_timeout = '100ms';\nCREATE INDEX CONCURRENTLY made ON product (price);\n"}
    with closing(connect(scene.database.url)) as till:
        till.cursor().execute("INSERT INTO product VALUES (20)")
        scene.diary.then["warn"] = till.rollback
        scene.deploy()
    assert any("invalid index public.made" in line for line in scene.diary.lines)
    assert scene.ask("SELECT indisvalid FROM pg_index WHERE indexrelid = 'made'::regclass") == [True]


def test_sessions_that_wait_for_other_steps_are_not_ended_for_being_idle(scene: Scene, server_major: int) -> None:
    if server_major < 14:
        pytest.skip(f"no session is ended for being idle before PostgreSQL 14; this is {server_major}")
    scene.admin.exec_driver_sql(f"ALTER DATABASE {scene.database.name} SET idle_session_timeout = '300ms'")
    wait = "SELECT pg_sleep(0.7);\n"
    scene.files = {
        "01.sql": wait,
        "02.sql": "VACUUM;\nSELECT 1;\n",
        "03.sql": wait,
        "04.sql": "VACUUM;\n",
        "05.sql": f"{UNDECLARED}DO $$ BEGIN PERFORM pg_sleep(0.7); END $$;\n",
        "06.sql": wait,
    }
    deployed = scene.deploy()
    assert set(scene.states) == {"done"}
    assert [Path(run.path).name for run in deployed.files] == sorted(scene.files), "each once, however it was cut"


def test_a_file_with_a_nul_byte_is_refused_with_its_place() -> None:
    for kind in ("sql", "psql"):
        file = PatchFile(f"Patches/0/0/1/01.{kind}", b"SELECT 1;\nSELECT 'a\0b';\n")
        with pytest.raises(PatchError, match=rf"01\.{kind}:2:10: there is a NUL byte; nothing was run"):
            check_scripts(order_files(VERSION, [file]))
