"""Who blocks a session that waits for a lock, seen while it waits: afterwards nobody can tell."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from hop_tasks.database.engines import driver_connection

if TYPE_CHECKING:
    from psycopg2.extensions import connection as DriverConnection

    from hop_tasks.database.connections import Connection

FIRST_LOOK = 0.1
"""Seconds before the first look: what is done sooner costs no look at all."""

QUERY_LENGTH = 80
IDLE_IN_TRANSACTION = ("idle in transaction", "idle in transaction (aborted)")
INSUFFICIENT_PRIVILEGE = "42501"

BLOCKERS = """
    WITH blocking (pid) AS (
        SELECT unnest(pg_blocking_pids(%(pid)s))
        UNION
        SELECT unnest(pg_blocking_pids(s.pid))
        FROM pg_stat_activity own
        JOIN pg_stat_activity s ON s.datid = own.datid AND s.application_name = own.application_name
        WHERE own.pid = %(pid)s AND s.pid <> own.pid AND own.application_name <> '' AND s.wait_event_type = 'Lock'
    )
    SELECT a.pid, coalesce(a.usename, ''), coalesce(a.application_name, ''),
           coalesce(a.state, nullif(a.backend_type, 'client backend'), 'state unknown'),
           extract(epoch FROM clock_timestamp() - a.xact_start)::float8, coalesce(a.query, ''), a.xact_start
    FROM pg_stat_activity a WHERE a.pid IN (SELECT pid FROM blocking)
    UNION ALL
    SELECT 0, p.owner, p.gid, 'prepared transaction', extract(epoch FROM clock_timestamp() - p.prepared)::float8, '',
           p.prepared
    FROM pg_prepared_xacts p WHERE 0 IN (SELECT pid FROM blocking)
    ORDER BY 7 NULLS LAST, 1
"""
"""Who blocks a session, or another one of the same command, such as psql's.

A prepared transaction has no session: it blocks as number 0, and all of them are listed then."""


@dataclass(frozen=True)
class Blocker:
    """A session that holds a lock, or waits for it further ahead.

    Attributes:
        pid: its process on the server; 0 for a prepared transaction.
        user: the database user.
        application: its application_name; of a prepared transaction, its identifier.
        state: as in pg_stat_activity, such as `idle in transaction`; `state unknown` if this role may not see it.
        seconds: the age of its transaction, where this role may see it.
        query: what it runs, or ran last, in one short line.
        began: when its transaction began, where this role may see it.
    """

    pid: int
    user: str
    application: str
    state: str
    seconds: float | None
    query: str
    began: datetime | None

    def __str__(self) -> str:
        name = f"{self.application or 'an unnamed program'} of {self.user or 'the server'}"
        age = "" if self.seconds is None else f", its transaction began {self.seconds:.0f} s ago"
        query = f": {self.query}" if self.query else ""
        number = f"pid {self.pid}, " if self.pid else ""
        return f"{name} ({number}{self.state}{age}{query})"

    @property
    def is_idle(self) -> bool:
        """Whether it holds its locks while it does nothing."""
        return self.state in IDLE_IN_TRANSACTION


def end_idle(connection: Connection, blocker: Blocker) -> str | None:
    """End a session that still is idle in the same transaction; None if it was ended, else why not."""
    from psycopg2 import Error

    if blocker.began is None:
        return "this role may not see what it does: GRANT pg_read_all_stats"
    try:
        ended = connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid = %s AND xact_start = %s AND state = ANY (%s)",
            (blocker.pid, blocker.began, list(IDLE_IN_TRANSACTION)),
        ).scalar()
    except Error as error:
        if error.pgcode != INSUFFICIENT_PRIVILEGE:
            raise
        return f"this role may not end it: GRANT pg_signal_backend, or {blocker.user} ends it"
    return None if ended else "it has gone on meanwhile"


class BlockerWatch:
    """Looks now and then whether a session waits for a lock, and remembers for whom.

    One thread looks, over a connection that nobody else uses meanwhile; telling it what to look at costs next to
    nothing.
    """

    def __init__(self, connection: DriverConnection, every: float) -> None:
        self.seen: tuple[Blocker, ...] = ()
        """The blockers that were seen last, since what is watched began."""
        self._connection = connection
        self._every = every
        self._first = min(FIRST_LOOK, every)
        self._watched: tuple[int, float] | None = None
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def over(self, pid: int) -> Iterator[BlockerWatch]:
        """While the body runs, the backend `pid` is watched; what was seen before is forgotten."""
        self.begin(pid)
        try:
            yield self
        finally:
            self._watched = None

    def begin(self, pid: int) -> None:
        """Watch the backend `pid` from now on, until another one is."""
        self.seen = ()
        self._watched = (pid, time.monotonic() + self._first)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="hop-blockers", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        from psycopg2 import Error

        # It is not woken for each session to watch: a short one would cost as much as a long one.
        pause = self._first
        while not self._over.wait(pause):
            watched = self._watched
            if watched is None or time.monotonic() < watched[1]:
                pause = self._first
                continue
            with suppress(Error):
                found = _look(self._connection, watched[0])
                if found and self._watched is watched:
                    self.seen = found
            pause = self._every


@contextmanager
def watch_blockers(admin: Connection, pid: int | None = None, every: float = 0.5) -> Iterator[BlockerWatch]:
    """While the body runs, look whether a session waits for a lock.

    Args:
        admin: a connection in autocommit that nobody else uses while the session waits.
        pid: the session's process on the server; or later, by the methods of what is returned.
        every: seconds from one look to the next.
    """
    watch = BlockerWatch(driver_connection(admin), every)
    try:
        if pid is not None:
            watch.begin(pid)
        yield watch
    finally:
        watch.close()


def _look(connection: DriverConnection, pid: int) -> tuple[Blocker, ...]:
    with connection.cursor() as cursor:
        cursor.execute(BLOCKERS, {"pid": pid})
        return tuple(
            Blocker(number, user, application, state, seconds, _one_line(query), began)
            for number, user, application, state, seconds, query, began in cursor.fetchall()
        )


def _one_line(query: str) -> str:
    text = " ".join(query.split())
    return text if len(text) <= QUERY_LENGTH else f"{text[: QUERY_LENGTH - 1]}…"
