"""Statements outside of transactions that are really interrupted, and what is found out about them afterwards."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
import pytest
from sqlalchemy import Connection, make_url

from hop_tasks.database.engines import Database
from hop_tasks.scripts import asking
from hop_tasks.scripts.nontransactional import Name, Probe, Solo, Subject, recognise
from hop_tasks.scripts.probes import Outcome, clean_up_failure, look_after, look_before, verify
from tests.database.connecting import connect

pytestmark = pytest.mark.every_server

WRITING = "BEGIN; INSERT INTO t VALUES (0)"
"""Keeps indexes from being built to their end."""
READING = "BEGIN; LOCK TABLE t, p IN ACCESS SHARE MODE"
"""Keeps what was replaced from being dropped."""
TABLES = """
    DROP SCHEMA IF EXISTS s CASCADE; CREATE SCHEMA s;
    CREATE TABLE t (a int, b text); INSERT INTO t SELECT n, n FROM generate_series(1, 100) n; CREATE INDEX i ON t (a);
    CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE TABLE q PARTITION OF p FOR VALUES IN (1);
"""
BUILD = "CREATE INDEX CONCURRENTLY x ON t (b)"


class Told:
    """Keeps what was reported."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def step(self, text: str) -> None:
        raise AssertionError("a probe is no step")

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)


class Scene:
    """A database with the tables above, whose sessions have the schema `s` in front of their search path."""

    def __init__(self, database: Database, looker: Connection) -> None:
        self.database = database
        self.looker = looker
        self.told = Told()

    def connect(self) -> psycopg2.extensions.connection:
        connection = connect(self.database.url)
        connection.autocommit = True
        return connection

    def run(self, *statements: str) -> None:
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def ask(self, query: str) -> Any:
        return self.looker.exec_driver_sql(query).scalars()

    def invalid(self) -> Any:
        return self.ask(
            "SELECT regexp_replace(c.relname, '\\d+', 'N') FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
            " WHERE NOT i.indisvalid ORDER BY 1"
        )

    def before(self, statement: str) -> dict[str, Any]:
        """The notes, as they come back from the journal."""
        notes: dict[str, Any] = json.loads(json.dumps(look_before(self.looker, solo(statement))))
        return notes

    def after(self, statement: str, before: dict[str, Any]) -> Outcome:
        return look_after(self.looker, solo(statement), before, self.told)

    @contextmanager
    def blocked(self, by: str, statement: str) -> Iterator[Callable[[], None]]:
        """While the body runs, a session waits for another in that statement; calling what it gets ends it."""
        errors: list[psycopg2.Error] = []
        with closing(self.connect()) as blocker, closing(self.connect()) as worker:
            blocker.cursor().execute(by)
            pid = worker.get_backend_pid()

            def work() -> None:
                try:
                    worker.cursor().execute(statement)
                except psycopg2.Error as error:
                    errors.append(error)

            def end() -> None:
                self.ask(f"SELECT pg_terminate_backend({pid})")
                thread.join()
                assert errors
                self.until(f"SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = {pid})")

            thread = threading.Thread(target=work)
            thread.start()
            try:
                self.until(f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid} AND wait_event_type = 'Lock'")
                yield end
            finally:
                blocker.rollback()
                blocker.cursor().execute("ROLLBACK")
                thread.join()

    def interrupt(self, by: str, statement: str) -> None:
        with self.blocked(by, statement) as end:
            end()

    def until(self, query: str) -> None:
        until(lambda: self.ask(query))

    def until_told(self, note: str) -> None:
        until(lambda: note in self.told.notes)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def solo(statement: str) -> Solo:
    found = recognise(statement)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def place(server_url: str) -> Iterator[Database]:
    """A database of this module's whose sessions look into the schema `s` first."""
    name = f"t_{secrets.token_hex(4)}"
    server = Database(make_url(server_url))
    with server.administer() as admin:
        admin.exec_driver_sql(f"CREATE DATABASE {name}")
        admin.exec_driver_sql(f"ALTER DATABASE {name} SET search_path = s, public")
        yield server.beside(name)
        admin.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def scene(place: Database) -> Iterator[Scene]:
    with place.connect(autocommit=True) as looker:
        scene = Scene(place, looker)
        scene.run(TABLES)
        yield scene


def test_an_index_that_was_interrupted_is_dropped_and_can_be_built_again(scene: Scene) -> None:
    before = scene.before(BUILD)
    scene.interrupt(WRITING, BUILD)
    assert scene.invalid() == ["x"]
    assert scene.after(BUILD, before) is Outcome.NOT_DONE
    assert scene.ask("SELECT to_regclass('x')") == [None]
    assert scene.told.notes == ["invalid index s.x, left by the interrupted statement, is dropped"]
    scene.run(BUILD)
    assert verify(scene.looker, solo(BUILD)) is None
    assert scene.after(BUILD, before) is Outcome.DONE


def test_an_index_that_was_never_begun_is_not_done(scene: Scene) -> None:
    before = scene.before(BUILD)
    assert scene.after(BUILD, before) is Outcome.NOT_DONE
    assert scene.told.notes == []


def test_names_are_found_as_the_server_finds_them(scene: Scene) -> None:
    scene.run('CREATE TABLE "T x;" (a int)', 'CREATE TABLE public.t (a int); CREATE INDEX "I %s" ON public.t (a)')
    for statement in ('CREATE INDEX CONCURRENTLY "I %s" ON t (a)', 'CREATE INDEX CONCURRENTLY "J;" ON s."T x;" (a)'):
        before = scene.before(statement)
        assert scene.after(statement, before) is Outcome.NOT_DONE
        scene.run(statement)
        assert scene.after(statement, before) is Outcome.DONE
        assert verify(scene.looker, solo(statement)) is None
    scene.run("DROP TABLE public.t")


@pytest.mark.parametrize("tolerant", ["", "IF NOT EXISTS "])
def test_an_invalid_index_of_somebody_else_is_a_problem_and_stays(scene: Scene, tolerant: str) -> None:
    scene.interrupt(WRITING, BUILD)
    statement = f"CREATE INDEX CONCURRENTLY {tolerant}x ON t (b)"
    before = scene.before(statement)
    assert "s.x already that is not valid" in before["problem"]
    assert scene.after(statement, before) is Outcome.NOT_DONE
    assert clean_up_failure(scene.looker, solo(statement), before, scene.told)
    assert scene.invalid() == ["x"]
    assert "not valid" in (verify(scene.looker, solo(statement)) or "")


def test_an_index_of_another_table_is_not_taken_for_ours(scene: Scene) -> None:
    scene.run("CREATE INDEX x ON p (a)")
    statement = "CREATE INDEX CONCURRENTLY IF NOT EXISTS x ON t (b)"
    assert "not an index of t" in scene.before(statement)["problem"]
    assert "not an index of t" in (verify(scene.looker, solo(statement)) or "")


def test_an_index_that_failed_is_dropped_at_once(scene: Scene) -> None:
    scene.run("INSERT INTO t VALUES (1), (1)")
    statement = "CREATE UNIQUE INDEX CONCURRENTLY x ON t (a)"
    before = scene.before(statement)
    with pytest.raises(psycopg2.errors.UniqueViolation):
        scene.run(statement)
    assert scene.invalid() == ["x"]
    assert clean_up_failure(scene.looker, solo(statement), before, scene.told)
    assert scene.invalid() == []
    assert len(scene.told.notes) == 1


def test_cleaning_up_does_not_wait_for_others_for_long(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "CLEAN_UP_SECONDS", 0.1)
    before = scene.before(BUILD)
    with scene.blocked(WRITING, BUILD) as end:
        end()
        assert not clean_up_failure(scene.looker, solo(BUILD), before, scene.told)
    assert scene.told.warnings == [
        "invalid index s.x is left: canceling statement due to lock timeout; the next run drops it"
    ]
    assert scene.ask("SHOW lock_timeout") == ["0"]
    assert scene.after(BUILD, before) is Outcome.NOT_DONE
    assert scene.invalid() == []


@pytest.mark.parametrize(
    ("other", "outcome", "names"),
    [(BUILD, Outcome.DONE, ["i", "x"]), ("CREATE INDEX CONCURRENTLY y ON t (b)", Outcome.NOT_DONE, ["i", "y"])],
)
def test_what_another_session_is_making_is_waited_for(
    scene: Scene, other: str, outcome: Outcome, names: list[str]
) -> None:
    """And not dropped; a wait inside a statement would end in a deadlock of the two."""
    before = scene.before(BUILD)
    if other != BUILD:
        scene.interrupt(WRITING, BUILD)
    with ThreadPoolExecutor() as pool, scene.database.connect(autocommit=True) as second:
        with scene.blocked(WRITING, other):
            assert other == BUILD or not clean_up_failure(scene.looker, solo(BUILD), before, scene.told)
            found = pool.submit(look_after, second, solo(BUILD), before, scene.told)
            scene.until_told("another session is making an index of the same table: waiting for it")
        assert found.result(30) is outcome
    assert scene.invalid() == []
    assert scene.ask("SELECT relname FROM pg_class WHERE relkind = 'i' AND relname ~ '^[ixy]$' ORDER BY 1") == names


@pytest.mark.parametrize("kind", ["TABLE CONCURRENTLY t", "INDEX CONCURRENTLY i", "SCHEMA CONCURRENTLY s"])
def test_copies_of_an_interrupted_reindex_are_dropped(scene: Scene, kind: str) -> None:
    statement = f"REINDEX {kind}"
    scene.interrupt(WRITING, "REINDEX INDEX CONCURRENTLY i")
    before = scene.before(statement)
    scene.interrupt(WRITING, statement)
    toast = [] if kind.startswith("INDEX") else ["pg_toast_N_index_ccnew"]
    assert scene.invalid() == ["i_ccnew", "i_ccnewN", *toast]
    assert scene.after(statement, before) is Outcome.NOT_DONE
    assert scene.invalid() == ["i_ccnew"], "that one is not ours"
    assert scene.ask("SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass") == [True]
    scene.run(statement)
    assert scene.after(statement, before) is Outcome.DONE


def test_what_a_reindex_has_replaced_is_dropped_and_it_is_done(scene: Scene) -> None:
    statement = "REINDEX INDEX CONCURRENTLY i"
    before = scene.before(statement)
    scene.interrupt(READING, statement)
    assert scene.invalid() == ["i_ccold"]
    assert scene.after(statement, before) is Outcome.DONE
    assert scene.invalid() == []
    assert scene.ask("SELECT relname FROM pg_class WHERE relname LIKE 'i%%' AND relnamespace = 's'::regnamespace") == [
        "i"
    ]


def test_a_reindex_of_a_partitioned_table_is_found_in_its_partitions(scene: Scene, server_major: int) -> None:
    if server_major < 14:
        pytest.skip(f"REINDEX leaves partitioned tables alone before PostgreSQL 14; this is {server_major}")
    scene.run("CREATE INDEX pi ON p (a)")
    for statement in ("REINDEX TABLE CONCURRENTLY p", "REINDEX INDEX CONCURRENTLY pi"):
        before = scene.before(statement)
        assert len(before["targets"]) == 1
        assert scene.after(statement, before) is Outcome.NOT_DONE
        scene.run(statement)
        assert scene.after(statement, before) is Outcome.DONE


def test_a_failed_reindex_is_tidied_up(scene: Scene) -> None:
    statement = "REINDEX TABLE CONCURRENTLY t"
    before = scene.before(statement)
    scene.interrupt(WRITING, statement)
    assert clean_up_failure(scene.looker, solo(statement), before, scene.told)
    assert scene.invalid() == []


def test_an_interrupted_drop_of_an_index_is_repeated(scene: Scene) -> None:
    statement = "DROP INDEX CONCURRENTLY i"
    before = scene.before(statement)
    assert scene.after(statement, before) is Outcome.NOT_DONE
    scene.interrupt(READING, statement)
    assert scene.invalid() == ["i"]
    assert clean_up_failure(scene.looker, solo(statement), before, scene.told)
    assert "no longer valid" in scene.told.warnings[0]
    assert scene.after(statement, before) is Outcome.NOT_DONE
    scene.run(statement)
    assert scene.after(statement, before) is Outcome.DONE
    assert not clean_up_failure(scene.looker, solo(statement), before, scene.told), "it was done after all"


def test_an_interrupted_detach_is_finished(scene: Scene, server_major: int) -> None:
    if server_major < 14:
        pytest.skip(f"there is no DETACH PARTITION CONCURRENTLY before PostgreSQL 14; this is {server_major}")
    statement = "ALTER TABLE p DETACH PARTITION q CONCURRENTLY"
    before = scene.before(statement)
    assert scene.after(statement, before) is Outcome.NOT_DONE
    scene.interrupt(READING, statement)
    assert "somebody else began to detach q" in scene.before(statement)["problem"]
    assert not clean_up_failure(scene.looker, solo(statement), before, scene.told)
    assert scene.told.warnings == ["q is marked as being detached: the next run finishes that"]
    assert scene.after(statement, before) is Outcome.DONE
    assert scene.told.notes == ["detaching s.q, which the interrupted statement began, is finished"]
    assert scene.ask("SELECT 1 FROM pg_inherits WHERE inhrelid = 'q'::regclass") == []
    assert scene.after(statement, before) is Outcome.DONE


def test_what_is_outside_of_schemas_is_there_or_gone(scene: Scene) -> None:
    name = f"t_{secrets.token_hex(4)}"
    options = "CONNECTION '' PUBLICATION p WITH (connect = false, slot_name = NONE)"
    pairs = [
        (Probe.DATABASE_EXISTS, f"CREATE DATABASE {name}", Probe.DATABASE_GONE, f"DROP DATABASE {name}"),
        (
            Probe.TABLESPACE_EXISTS,
            f"CREATE TABLESPACE {name} LOCATION ''",
            Probe.TABLESPACE_GONE,
            f"DROP TABLESPACE {name}",
        ),
        (
            Probe.SUBSCRIPTION_EXISTS,
            f"CREATE SUBSCRIPTION {name} {options}",
            Probe.SUBSCRIPTION_GONE,
            f"DROP SUBSCRIPTION {name}",
        ),
    ]
    for *making, dropping, dropped in pairs:
        for probe, statement in (making, (dropping, dropped)):
            alone = Solo(statement, probe, Subject(Name(name)))
            before = look_before(scene.looker, alone)
            assert look_after(scene.looker, alone, before, scene.told) is Outcome.NOT_DONE
            assert clean_up_failure(scene.looker, alone, before, scene.told)
            scene.run("SET allow_in_place_tablespaces = on", statement)
            assert look_after(scene.looker, alone, before, scene.told) is Outcome.DONE
            assert not clean_up_failure(scene.looker, alone, before, scene.told)


def test_what_may_be_repeated_is_and_what_nobody_can_know_is_unknown(scene: Scene) -> None:
    for probe, outcome, clean in ((Probe.REPEATABLE, Outcome.NOT_DONE, True), (Probe.UNKNOWN, Outcome.UNKNOWN, False)):
        alone = Solo("CALL", probe)
        before = look_before(scene.looker, alone)
        assert look_after(scene.looker, alone, before, scene.told) is outcome
        assert clean_up_failure(scene.looker, alone, before, scene.told) is clean


def test_in_a_database_restored_meanwhile_names_decide(scene: Scene, server_url: str, server_major: int) -> None:
    """There the same things have other OIDs, and what was still to be dropped must not count as gone."""
    build, drop = BUILD, "DROP INDEX CONCURRENTLY i"
    reindex = "REINDEX TABLE CONCURRENTLY t"
    detach = ["ALTER TABLE p DETACH PARTITION q CONCURRENTLY"] if server_major >= 14 else []
    before = {statement: scene.before(statement) for statement in (build, drop, *detach, reindex)}
    name = f"t_{secrets.token_hex(4)}"
    with Database(make_url(server_url)).administer() as admin:
        admin.exec_driver_sql(f"CREATE DATABASE {name}")
        admin.exec_driver_sql(f"ALTER DATABASE {name} SET search_path = s, public")
        restored = scene.database.beside(name)
        with restored.connect(autocommit=True) as looker:
            other = Scene(restored, looker)
            other.run(TABLES)
            for statement, notes in before.items():
                assert other.after(statement, notes) is Outcome.NOT_DONE, statement
            for statement in (build, drop, "ALTER TABLE p DETACH PARTITION q"):
                other.run(statement)
            for statement in (build, drop, *detach):
                assert other.after(statement, before[statement]) is Outcome.DONE, statement
        admin.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
