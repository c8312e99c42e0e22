"""Who blocks a session that waits for a lock: seen while it waits, and ended only if it still is idle."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
import pytest
from psycopg2.errors import LockNotAvailable
from sqlalchemy import Connection

from hop_tasks.database.blockers import Blocker, end_idle, watch_blockers
from hop_tasks.database.engines import Database
from tests.database.connecting import connect
from tests.database.test_locks import named, until

ALTER = "ALTER TABLE product ADD COLUMN colour text"

Session = psycopg2.extensions.connection


@pytest.fixture
def admin(database: Database) -> Iterator[Connection]:
    """The maintenance connection; the database has a table."""
    with database.administer() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {database.name}")
        with closing(connect(database.url)) as session, session, session.cursor() as cursor:
            cursor.execute("CREATE TABLE product (id integer)")
        yield connection


@contextmanager
def reader(
    database: Database, application: str = "the till", statement: str = "SELECT FROM product"
) -> Iterator[Session]:
    """A session that has read the table, and is idle in its transaction."""
    with closing(connect(named(database, application))) as session:
        session.cursor().execute(statement)
        yield session


@contextmanager
def waiting(database: Database) -> Iterator[int]:
    """A session that waits for the table; its number."""
    with closing(connect(database.url)) as session:
        pid = session.info.backend_pid

        def alter() -> None:
            with session, session.cursor() as cursor:
                cursor.execute(ALTER)

        thread = threading.Thread(target=alter)
        thread.start()
        try:
            yield pid
        finally:
            thread.join()


@pytest.mark.every_server
def test_who_blocks_is_seen_while_somebody_waits(database: Database, admin: Connection) -> None:
    """With everything that tells a person whom to ask."""
    query = f"SELECT\n  id,\n  '{'a text that nobody wants to read to its end ' * 3}'\nFROM product"
    with reader(database, statement=query) as session:
        with waiting(database) as pid, watch_blockers(admin, pid, 0.05) as watch:
            try:
                until(lambda: watch.seen)
            finally:
                session.rollback()
        (blocker,) = watch.seen
        assert (blocker.pid, blocker.user, blocker.application) == (session.info.backend_pid, "postgres", "the till")
        assert blocker.state == "idle in transaction"
        assert blocker.is_idle
        assert blocker.seconds is not None and 0 <= blocker.seconds < 600
        assert blocker.began is not None
        assert blocker.query.startswith("SELECT id, 'a text that")
        assert len(blocker.query) == 80
        shown = str(blocker)
        for words in (
            "the till of postgres",
            f"pid {blocker.pid}",
            "idle in transaction",
            "began 0 s ago",
            "SELECT id",
        ):
            assert words in shown


class TestWatching:
    def test_the_blockers_seen_last_are_remembered(self, database: Database, admin: Connection) -> None:
        """After the lock timed out nobody could tell any more."""
        with reader(database, "ann"), reader(database, "bob") as second, closing(connect(database.url)) as session:
            with watch_blockers(admin, every=0.05) as watch:
                with watch.over(session.info.backend_pid), pytest.raises(LockNotAvailable):
                    session.cursor().execute(f"SET lock_timeout = '1s'; {ALTER}")
                assert sorted(blocker.application for blocker in watch.seen) == ["ann", "bob"]
                session.rollback()
                second.rollback()
                with watch.over(session.info.backend_pid):
                    assert watch.seen == (), "what was seen before is forgotten"
                    with pytest.raises(LockNotAvailable):
                        session.cursor().execute(f"SET lock_timeout = '1s'; {ALTER}")
                assert [blocker.application for blocker in watch.seen] == ["ann"]
            assert admin.exec_driver_sql("SELECT 1").scalar_one() == 1

    def test_it_may_be_told_at_once_whom_to_watch(self, database: Database, admin: Connection) -> None:
        with reader(database), closing(connect(database.url)) as session:
            with watch_blockers(admin, session.info.backend_pid, 0.05) as watch, pytest.raises(LockNotAvailable):
                session.cursor().execute(f"SET lock_timeout = '1s'; {ALTER}")
            assert [blocker.application for blocker in watch.seen] == ["the till"]

    def test_short_work_is_not_looked_at(self, database: Database, admin: Connection) -> None:
        """Thousands of releases without a wait start one thread, and ask nothing."""
        asked = "SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()"
        with watch_blockers(admin, every=0.5) as watch:
            threads = threading.active_count()
            for pid in range(3000):
                with watch.over(pid):
                    pass
            assert threading.active_count() == threads + 1
            assert watch.seen == ()
        assert threading.active_count() == threads
        assert "pg_blocking_pids" not in admin.exec_driver_sql(asked).scalar_one()

    def test_a_connection_that_is_lost_does_no_harm(self, database: Database) -> None:
        """Who blocks is then not known, and the work goes on."""
        with database.administer() as doomed, database.administer() as admin:
            pid = doomed.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            admin.exec_driver_sql("SELECT pg_terminate_backend(%s)", (pid,))
            with watch_blockers(doomed, 1, 0.01) as watch:
                until(lambda: doomed.is_lost)
                assert watch.seen == ()


class TestEnding:
    def blocker(self, admin: Connection, database: Database, session: Session) -> Blocker:
        with closing(connect(database.url)) as other, other.cursor() as cursor:
            with watch_blockers(admin, other.info.backend_pid, 0.05) as watch, pytest.raises(LockNotAvailable):
                cursor.execute(f"SET lock_timeout = '1s'; {ALTER}")
            (found,) = watch.seen
            assert found.pid == session.info.backend_pid
            return found

    def test_an_idle_one_is_ended(self, database: Database, admin: Connection) -> None:
        with reader(database) as session:
            assert end_idle(admin, self.blocker(admin, database, session)) is None
            with pytest.raises(psycopg2.OperationalError):
                session.cursor().execute("SELECT 1")

    def test_one_that_went_on_is_left_alone(self, database: Database, admin: Connection) -> None:
        """It is in another transaction, or it has none: what it did there is not lost."""
        with reader(database) as session:
            found = self.blocker(admin, database, session)
            session.rollback()
            assert "has gone on" in str(end_idle(admin, found))
            session.cursor().execute("SELECT FROM product")
            assert "has gone on" in str(end_idle(admin, found))
            session.cursor().execute("SELECT 1")

    def test_a_privilege_that_lacks_is_named(self, database: Database, admin: Connection) -> None:
        """Without it an ordinary role does not even see what the other one does."""
        role = f"{database.name}_role"
        admin.exec_driver_sql(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
        try:
            weak = Database(database.url.set(username=role, password="x"))
            with reader(database) as session, weak.administer() as other:
                seen = self.blocker(other, database, session)
                assert (seen.state, seen.is_idle) == ("state unknown", False)
                assert "pg_read_all_stats" in str(end_idle(other, seen))
                admin.exec_driver_sql(f"GRANT pg_read_all_stats TO {role}")
                seen = self.blocker(other, database, session)
                assert seen.is_idle
                assert "pg_signal_backend" in str(end_idle(other, seen))
                session.cursor().execute("SELECT 1")
        finally:
            admin.exec_driver_sql(f"DROP ROLE {role}")
