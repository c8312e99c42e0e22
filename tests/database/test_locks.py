"""The lock of a database: who holds it is named, waited for, and gone with its process; what was left is ended."""

from __future__ import annotations

import getpass
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import URL, make_url

from hop_tasks.database.applications import APPLICATION, holder_application, work_application
from hop_tasks.database.clients import find_client
from hop_tasks.database.engines import Database
from hop_tasks.database.locks import lock_condition, lock_key, locked, require_lock
from hop_tasks.database.sessions import alone_with, end_orphans, sessions_on
from hop_tasks.errors import DatabaseError, LockedError
from tests.database.connecting import connect

ROOT = Path(__file__).parents[2]
NAMES = ["shop", "s" * 63, "é" * 31, 'a "b" %s', "shop_" + "x" * 40 + "_1", "shop_" + "x" * 40 + "_2"]


def refusal(database: Database, verb: str = "apply", **options: float) -> LockedError:
    with pytest.raises(LockedError) as caught, locked(database, verb, **options):
        pass
    return caught.value


@contextmanager
def other_holder(database: Database, application: str) -> Iterator[psycopg2.extensions.connection]:
    """A session that holds the lock."""
    url = database.beside(database.maintenance).url.update_query_dict({"application_name": application})
    with closing(connect(url)) as session:
        session.autocommit = True
        session.cursor().execute("SELECT pg_advisory_lock(%s)", (lock_key(database.name),))
        yield session


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.every_server
def test_another_session_is_told_in_a_query_of_its_own_whether_the_lock_is_held(database: Database) -> None:
    """Also within one transaction, which keeps the picture of the sessions that it has once had."""
    assert lock_condition() == "true", "none was taken"
    with pytest.raises(LockedError, match="the session that holds the lock"), locked(database, "upgrade"):
        question = f"SELECT pg_stat_clear_snapshot(); SELECT {lock_condition()}"
        with database.beside(database.maintenance).connect() as other:
            assert other.exec_driver_sql(question).scalar()
            holder = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()"
            (pid,) = other.exec_driver_sql(f"{holder} AND objid::bigint = {lock_key(database.name) & 0xFFFFFFFF}").one()
            other.exec_driver_sql("SELECT pg_terminate_backend(%s)", (pid,))
            until(lambda: not other.exec_driver_sql(question).scalar())
        require_lock()


class TestHolder:
    def test_it_is_named(self, database: Database) -> None:
        """With verb, database, person and machine, the session's number and user, and since when."""
        with locked(database, "upgrade"):
            error = refusal(database)
        name = database.name
        who = f"hop upgrade {name} by {getpass.getuser()}@{socket.gethostname()}"
        assert f"another hop is at work on {name}: {who} (pid " in error.message
        for words in ("database user ", "since 20", "nothing was changed"):
            assert words in error.message
        assert "hop apply --lock-wait 60" in str(error.hint)
        assert "pg_terminate_backend(" in str(error.hint)

    def test_long_names_leave_room_for_each_other(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOGNAME", "ann-of-the-department-of-long-names-and-titles")
        monkeypatch.setattr(socket, "gethostname", lambda: "build7.internal.example-company-of-long-names.com")
        long = database.beside("customers_" + "x" * 43 + "_europe")
        with locked(long, "upgrade"):
            error = refusal(long)
        holder = error.message.partition(": ")[2].partition(" (pid")[0]
        assert holder.startswith("hop upgrade cust")
        assert len(holder) <= 63
        assert "pe by ann-of" in holder
        assert "@build7" in holder

    @pytest.mark.parametrize("name", NAMES)
    def test_every_name_fits_and_is_shown_as_it_was_given(self, database: Database, name: str) -> None:
        """Servers cut and change names that are longer, or not ASCII."""
        for application in (holder_application("upgrade", name), work_application(name)):
            with closing(psycopg2.connect(connect_text(database), application_name=application)) as session:
                assert session.info.parameter_status("application_name") == application

    def test_the_work_on_two_databases_never_has_one_name(self) -> None:
        assert len({work_application(name) for name in NAMES}) == len(NAMES)

    def test_each_database_has_a_lock_of_its_own(self, database: Database) -> None:
        with locked(database, "upgrade"), locked(database.beside(f"{database.name}_2"), "upgrade"):
            pass
        with locked(database, "upgrade"):
            pass


class TestWaiting:
    def test_one_whose_session_is_just_ending_is_in_nobodys_way(self, database: Database) -> None:
        """As that of a hop that was killed is."""
        told: list[str] = []
        with other_holder(database, "killed") as session:
            ending = threading.Timer(0.2, session.close)
            ending.start()
            with locked(database, "apply", tell=told.append):
                require_lock()
            ending.join()
        assert told == []

    def test_whom_it_waits_for_is_said_once_for_each(self, database: Database) -> None:
        told: list[str] = []
        entered = threading.Event()

        def wait() -> None:
            with locked(database, "upgrade", wait=60, tell=told.append):
                entered.set()

        thread = threading.Thread(target=wait)
        with ExitStack() as stack:
            first = stack.enter_context(other_holder(database, "ann"))
            thread.start()
            until(lambda: told)
            # The second stands in the queue as the first one ends, and so gets the lock before hop.
            second = stack.enter_context(closing(psycopg2.connect(connect_text(database), application_name="bob")))
            second.autocommit = True
            queued = threading.Thread(
                target=second.cursor().execute, args=(f"SELECT pg_advisory_lock({lock_key(database.name)})",)
            )
            queued.start()
            until(lambda: waits(first, second.info.backend_pid))
            first.close()
            queued.join()
            until(lambda: len(told) > 1)
            assert not entered.is_set()
        thread.join()
        assert entered.is_set()
        assert [line.partition(" (")[0] for line in told] == [
            f"waiting up to 60 s for another hop on {database.name}: {name}" for name in ("ann", "bob")
        ]

    def test_waiting_has_an_end(self, database: Database) -> None:
        with other_holder(database, "ann"):
            error = refusal(database, wait=0.3)
            assert "still is after 0.3 s: ann" in error.message
            assert "--lock-wait 60" in str(error.hint)


class TestWhatWasLeft:
    """A hop is killed, and the server goes on with what it was told."""

    @pytest.mark.parametrize("kind", ["driver", "psql"])
    @pytest.mark.every_server
    def test_it_is_ended_and_named(self, database: Database, kind: str) -> None:
        work = database.beside("template1")
        with killed_hop(database, work, kind) as pid, database.administer() as admin:
            own = work_application(database.name)
            reader, foreign = connect(named(work, APPLICATION)), connect(named(work, work_application("another")))
            with closing(reader), closing(foreign):
                assert [found.pid for found in sessions_on(admin, "template1") if found.application == own] == [pid]
                with locked(database, "upgrade"):
                    ended = end_orphans(admin, database.name)
                assert [(session.pid, session.application) for session in ended] == [(pid, own)]
                left = {session.pid for session in sessions_on(admin, "template1")}
                assert {reader.info.backend_pid, foreign.info.backend_pid} <= left
                assert pid not in left

    def test_what_may_not_be_ended_is_an_error(self, database: Database) -> None:
        role = f"{database.name}_role"
        with database.administer() as admin:
            admin.exec_driver_sql(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
            try:
                weak = Database(database.url.set(username=role, password="x"))
                with closing(connect(named(database.beside("postgres"), work_application(database.name)))) as session:
                    with weak.administer() as other, pytest.raises(DatabaseError, match="may not end") as caught:
                        end_orphans(other, database.name)
                    assert f"pg_terminate_backend({session.info.backend_pid})" in str(caught.value.hint)
            finally:
                admin.exec_driver_sql(f"DROP ROLE {role}")

    def test_somebody_who_only_looks_is_not_ended_in_a_hurry(self, database: Database) -> None:
        """A colleague's `hop` is waited for, when hop must be alone."""
        with database.administer() as admin:
            admin.exec_driver_sql(f"CREATE DATABASE {database.name}")
            reader = connect(named(database, APPLICATION))
            closing_soon = threading.Timer(0.2, reader.close)
            closing_soon.start()
            try:
                assert alone_with(admin, database.name, lambda: None) == ()
            finally:
                closing_soon.join()


KILLED = """
import sys
from pathlib import Path
from sqlalchemy import make_url
from hop_tasks.database.clients import run_client
from hop_tasks.database.engines import Database
from hop_tasks.database.locks import locked
database, work = Database(make_url(sys.argv[1])), Database(make_url(sys.argv[2]))
with locked(database, "upgrade"):
    if sys.argv[3] == "psql":
        run_client(Path(sys.argv[4]), ["-X", "-c", sys.argv[5]], work.url)
    with work.connect(autocommit=True) as connection:
        connection.exec_driver_sql(sys.argv[5])
"""


@contextmanager
def killed_hop(database: Database, work: Database, kind: str) -> Iterator[int]:
    """A hop that was killed while the server ran something for it; the number of the session that goes on."""
    statement = f"SELECT pg_sleep(600), '{database.name}'"
    with database.administer() as admin:
        psql = find_client("psql", admin.driver.server_version)
        texts = [each.url.render_as_string(hide_password=False) for each in (database, work)]
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, *texts, kind, str(psql), statement],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        sleeping = "SELECT pid FROM pg_stat_activity WHERE query = %s AND state = 'active'"
        try:
            until(lambda: admin.exec_driver_sql(sleeping, (statement,)).scalar() or process.poll() is not None)
            pid = admin.exec_driver_sql(sleeping, (statement,)).scalar_one()
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        yield pid


def waits(session: psycopg2.extensions.connection, pid: int) -> bool:
    with session.cursor() as cursor:
        cursor.execute("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s", (pid,))
        return cursor.fetchone() == (True,)


def named(database: Database, application: str) -> URL:
    return database.url.update_query_dict({"application_name": application})


def connect_text(database: Database) -> str:
    """libpq's own URL of the maintenance database."""
    url = make_url(database.url).set(drivername="postgresql", database=database.maintenance)
    return url.render_as_string(hide_password=False)
