"""A transaction that cannot have a lock is done again, for that alone; who held it is named, and may be ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg2
import pytest
from sqlalchemy import URL, Connection

from hop_tasks.database.blockers import BlockerWatch, watch_blockers
from hop_tasks.database.engines import Database, driver_connection
from hop_tasks.errors import BlockedError, PatchError
from hop_tasks.workflows.insisting import insist
from tests.database.connecting import connect
from tests.database.test_locks import until
from tests.workflows.diary import Diary

Session = psycopg2.extensions.connection


@pytest.fixture
def admin(database: Database) -> Iterator[Connection]:
    with database.administer() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {database.name}")
        with closing(connect(database.url)) as session, session, session.cursor() as cursor:
            cursor.execute("CREATE TABLE product (id integer)")
        yield connection


@pytest.fixture
def till(database: Database, admin: Connection) -> Iterator[Session]:
    """A program that has read the table, and is idle in its transaction."""
    with closing(connect(till_url(database))) as session:
        session.cursor().execute("SELECT FROM product")
        yield session


def till_url(database: Database) -> URL:
    return database.url.update_query_dict({"application_name": "the till"})


@contextmanager
def altering(database: Database, admin: Connection) -> Iterator[tuple[BlockerWatch, Callable[[], str]]]:
    """Something small that does what a release does: it needs the table for itself, and rolls back if it fails."""
    with watch_blockers(admin, every=0.02) as watch, database.connect() as connection:
        raw = driver_connection(connection)

        def act() -> str:
            with watch.over(raw.info.backend_pid), raw, raw.cursor() as cursor:
                try:
                    cursor.execute("SET LOCAL lock_timeout = '300ms'; ALTER TABLE product ADD COLUMN colour text")
                except psycopg2.Error as error:
                    primary = str(error.diag.message_primary)
                    raise PatchError(f"01.sql:1:1: {primary}; rolled back", sqlstate=error.pgcode) from error
            return "altered"

        yield watch, act


def test_it_is_done_again_until_the_lock_is_free(database: Database, admin: Connection, till: Session) -> None:
    diary = Diary()
    diary.then["note"] = lambda: till.rollback() if diary.count("trying again") == 2 else None
    with altering(database, admin) as (watch, act):
        done = insist(act, retries=5, watch=watch, terminate=False, admin=admin, reporter=diary, first_pause=0.01)
    assert done == "altered"
    assert diary.count("a lock could not be had: 01.sql:1:1: canceling statement due to lock timeout") == 2
    blocked = [line for line in diary.lines if line.startswith("blocked by")]
    assert len(blocked) == 2
    for words in ("the till of postgres", f"pid {till.info.backend_pid}", "idle in transaction", "SELECT FROM product"):
        assert words in blocked[0]


def test_in_the_end_it_gives_up_and_names_them(database: Database, admin: Connection, till: Session) -> None:
    diary = Diary()
    with altering(database, admin) as (watch, act), pytest.raises(BlockedError) as caught:
        insist(act, retries=2, watch=watch, terminate=False, admin=admin, reporter=diary, first_pause=0.01)
    error = caught.value
    assert (error.exit_code, error.sqlstate) == (19, "55P03")
    for words in ("01.sql:1:1", "3 times, and rolled back each time", "blocked by the till of postgres (pid "):
        assert words in error.message
    assert "--terminate-blockers" in str(error.hint)
    assert diary.count("trying again") == 2
    till.cursor().execute("SELECT 1")


def test_one_that_works_is_named_and_left_alone(database: Database, admin: Connection, till: Session) -> None:
    """Only what is idle is ended."""
    diary = Diary()
    till.rollback()

    def work() -> None:
        with pytest.raises(psycopg2.errors.QueryCanceled):
            till.cursor().execute("LOCK TABLE product; SELECT pg_sleep(600)")

    worker = threading.Thread(target=work)
    worker.start()
    with altering(database, admin) as (watch, act):
        try:
            until(lambda: "pg_sleep" in running(admin, till))
            with pytest.raises(BlockedError) as caught:
                insist(act, retries=1, watch=watch, terminate=True, admin=admin, reporter=diary, first_pause=0.01)
            assert "pg_sleep" in running(admin, till)
        finally:
            till.cancel()
            worker.join()
    assert "active" in caught.value.message
    assert "lock_timeout and lock_retries" in str(caught.value.hint)
    assert diary.count("ended pid") == 0


def test_an_idle_one_is_ended_where_that_is_wanted(database: Database, admin: Connection, till: Session) -> None:
    diary = Diary()
    with altering(database, admin) as (watch, act):
        done = insist(act, retries=1, watch=watch, terminate=True, admin=admin, reporter=diary, first_pause=0.01)
    assert done == "altered"
    assert diary.count(f"ended pid {till.info.backend_pid}, which was idle in its transaction") == 1
    with pytest.raises(psycopg2.OperationalError):
        till.cursor().execute("SELECT 1")


def test_what_may_not_be_ended_is_said(database: Database, admin: Connection, till: Session) -> None:
    role = f"{database.name}_role"
    admin.exec_driver_sql(f"CREATE ROLE {role} LOGIN PASSWORD 'x' IN ROLE pg_read_all_stats")
    try:
        diary = Diary()
        with (
            Database(database.url.set(username=role, password="x")).administer() as weak,
            altering(database, weak) as (watch, act),
            pytest.raises(BlockedError),
        ):
            insist(act, retries=1, watch=watch, terminate=True, admin=weak, reporter=diary, first_pause=0.01)
        assert diary.count(f"pid {till.info.backend_pid} was not ended: this role may not") == 1
        till.cursor().execute("SELECT 1")
    finally:
        admin.exec_driver_sql(f"DROP ROLE {role}")


@pytest.mark.parametrize("sqlstate", [None, "40P01", "40001", "57014", "42P01"])
def test_nothing_else_is_done_again(database: Database, admin: Connection, sqlstate: str | None) -> None:
    """Not even a deadlock: what failed may have been the patch's own fault."""
    attempts = []

    def act() -> None:
        attempts.append(sqlstate)
        raise PatchError("01.sql:1:1: no", sqlstate=sqlstate)

    diary = Diary()
    with watch_blockers(admin) as watch, pytest.raises(PatchError, match="no") as caught:
        insist(act, retries=5, watch=watch, terminate=True, admin=admin, reporter=diary, first_pause=0.01)
    assert not isinstance(caught.value, BlockedError)
    assert (attempts, diary.lines) == ([sqlstate], [])


def test_without_retries_it_is_tried_once(database: Database, admin: Connection, till: Session) -> None:
    diary = Diary()
    with altering(database, admin) as (watch, act), pytest.raises(BlockedError, match="it was tried once"):
        insist(act, retries=0, watch=watch, terminate=True, admin=admin, reporter=diary, first_pause=0.01)
    assert diary.lines == []
    till.cursor().execute("SELECT 1")


def running(admin: Connection, session: Session) -> str:
    """The statement that a session is busy with."""
    found = admin.exec_driver_sql(
        "SELECT query FROM pg_stat_activity WHERE pid = %s AND state = 'active'", (session.info.backend_pid,)
    )
    return str(found.scalar())
