"""Facts about PostgreSQL that the code is built around, where no other test would fail if it forgot one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hop_tasks.database.admin import create_database, drop_database
from hop_tasks.database.clients import find_client
from hop_tasks.database.engines import Database
from hop_tasks.database.locks import locked
from hop_tasks.database.transactions import commit
from hop_tasks.database.urls import parse_url
from hop_tasks.report import LoggingReporter
from hop_tasks.scripts import PatchFile, check_scripts, order_files, run_statement, run_transaction
from hop_tasks.scripts.psql_files import run_psql
from hop_tasks.scripts.steps import StatementStep, TransactionStep
from hop_tasks.versions import Version

LOCK_TIMEOUT = 2.5

LOOK = """
    INSERT INTO public.seen SELECT '{file}', current_user || ' ' || session_user, (
        SELECT string_agg(name || ' = ' || setting, ', ' ORDER BY name) FROM pg_settings
        WHERE name IN ('search_path', 'role', 'statement_timeout', 'lock_timeout', 'client_connection_check_interval',
                       'idle_in_transaction_session_timeout', 'standard_conforming_strings', 'default_tablespace')
    ), (SELECT count(*) FROM pg_prepared_statements) + (SELECT count(*) FROM pg_cursors WHERE name <> '')
     + (SELECT count(*) FROM pg_listening_channels());
"""
"""Notes what a session is like; it has to work in any."""

SPOIL = """
    SELECT pg_catalog.set_config('search_path', '', false);
    SET statement_timeout = '77s';
    SET lock_timeout = 0;
    SET idle_in_transaction_session_timeout = '77s';
    SET standard_conforming_strings = off;
    PREPARE p AS SELECT 1;
    DECLARE c CURSOR FOR SELECT 1;
    LISTEN x;
    GRANT INSERT ON public.seen TO pg_monitor;
    SET SESSION AUTHORIZATION pg_monitor;
    SET ROLE pg_monitor;
"""
"""What a dump or a careless script leaves behind."""


@pytest.fixture
def made(database: Database) -> Iterator[Database]:
    """A database that exists."""
    with database.administer() as admin:
        create_database(admin, database.name)
        yield database
        drop_database(admin, database.name)


def run_files(database: Database, folder: Path, **texts: str) -> int:
    """Run SQL files as a release does, each step by itself; the number of steps."""
    files = [PatchFile(f"Patches/0/0/1/{name}.sql", text.encode()) for name, text in texts.items()]
    steps = check_scripts(order_files(Version(0, 0, 1), files)).steps
    for step in steps:
        alone = isinstance(step, StatementStep)
        with database.connect(autocommit=alone) as connection:
            if isinstance(step, StatementStep):
                run_statement(connection, step, lock_timeout=LOCK_TIMEOUT, reporter=LoggingReporter())
            elif isinstance(step, TransactionStep):
                run_transaction(
                    connection, step, root=lambda: folder, lock_timeout=LOCK_TIMEOUT, reporter=LoggingReporter()
                )
                assert commit(connection)
    return len(steps)


@pytest.mark.every_server
class TestSessions:
    def test_every_file_starts_from_the_same_state(self, made: Database, tmp_path: Path) -> None:
        table = "CREATE TABLE public.seen (file text, who text, settings text, things bigint);"
        run_files(made, tmp_path, a=table + LOOK.format(file="a") + SPOIL, b=LOOK.format(file="b"))
        with made.connect() as connection:
            first, second = connection.exec_driver_sql("SELECT * FROM seen ORDER BY file").all()
            version = connection.exec_driver_sql("SELECT current_setting('server_version_num')::integer").scalar_one()
        assert first[1:] == second[1:]
        *_, settings, things = first
        assert things == 0
        assert "lock_timeout = 2500" in settings
        if version >= 140000:
            assert "client_connection_check_interval = 1000" in settings

    def test_who_waits_for_the_lock_does_not_stop_an_index_that_is_built_concurrently(self, made: Database) -> None:
        # CREATE INDEX CONCURRENTLY waits for snapshots in its own database only, so the lock is waited for there.
        there = Database(made.url, maintenance=made.name)
        told: list[str] = []

        def wait() -> None:
            with locked(there, "apply", wait=60, tell=told.append):
                pass

        with ThreadPoolExecutor() as threads, there.connect(autocommit=True) as connection:
            connection.exec_driver_sql("CREATE TABLE t (a integer)")
            with locked(there, "upgrade"):
                waiting = threads.submit(wait)
                while not told:
                    assert not waiting.done(), waiting.exception()
                connection.exec_driver_sql("SET statement_timeout = '20s'")
                connection.exec_driver_sql("CREATE INDEX CONCURRENTLY i ON t (a)")
                assert not waiting.done(), "it was waited for all the time"
            waiting.result(60)
            valid = connection.exec_driver_sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass")
            assert valid.scalar_one() is True


@pytest.mark.every_server
def test_a_value_that_is_added_to_an_enum_can_be_used_in_the_same_release(made: Database, tmp_path: Path) -> None:
    begin = "CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE person (mood mood);"
    run_files(made, tmp_path, a=begin)
    steps = run_files(made, tmp_path, b="ALTER TYPE mood ADD VALUE 'ok'; INSERT INTO person VALUES ('ok');")
    assert steps > 1, "in one transaction the server refuses it (55P04)"
    with made.connect() as connection:
        assert connection.exec_driver_sql("SELECT mood::text FROM person").scalars() == ["ok"]


@pytest.mark.every_server
def test_psql_reads_no_startup_file_of_whoever_runs_hop(
    made: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    startup = tmp_path / "psqlrc"
    startup.write_text("\\set ON_ERROR_STOP 0\n\\set mine yes\nCREATE TABLE from_psqlrc ();\n")
    monkeypatch.setenv("PSQLRC", str(startup))
    path = tmp_path / "Patches/0/0/1/a.psql"
    path.parent.mkdir(parents=True)
    path.write_text("SELECT :{?mine} AS found \\gset\nCREATE TABLE told AS SELECT :'found'::boolean AS found;\n")
    with made.connect() as connection:
        version = connection.exec_driver_sql("SELECT current_setting('server_version_num')::integer").scalar_one()
    run_psql(
        PatchFile("Patches/0/0/1/a.psql", path.read_bytes()),
        place=made.url,
        program=find_client("psql", version),
        lock_timeout=LOCK_TIMEOUT,
        root=tmp_path,
        single_transaction=True,
        reporter=LoggingReporter(),
        before="SELECT 1",
        after="SELECT 1",
    )
    with made.connect() as connection:
        assert connection.exec_driver_sql("SELECT found, to_regclass('from_psqlrc') FROM told").one() == (False, None)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+asyncpg"])
def test_psycopg2_is_the_driver_whatever_a_url_says(scheme: str) -> None:
    url = parse_url(f"{scheme}://ann@db.example/shop", "HOP_DATABASE_URL", default_database="x")
    assert url.drivername == "postgresql+psycopg2"
    assert url.get_dialect().driver == "psycopg2"
