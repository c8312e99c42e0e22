"""Other sessions on a database: who they are, ending them, being alone for a moment, and what a killed hop left.

Every function takes a connection in autocommit to the maintenance database.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hop_tasks.database.applications import own_applications, work_application
from hop_tasks.errors import DatabaseError

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

OBJECT_IN_USE = "55006"
SESSION_END_SECONDS = 10.0
OWN_SESSION_SECONDS = 2.0
CLOSING_SECONDS = 0.5
"""Seconds in which the server sees that a program has closed its session."""

INSUFFICIENT_PRIVILEGE = "42501"

SESSIONS = """
    SELECT pid, coalesce(usename, ''), coalesce(application_name, ''), coalesce(state, 'unknown'),
           coalesce(extract(epoch FROM clock_timestamp() - coalesce(state_change, backend_start)), 0)::float8
    FROM pg_stat_activity
    WHERE pid <> pg_backend_pid()
      AND (backend_type = 'client backend' OR (backend_type IS NULL AND usesysid IS NOT NULL))
"""


@dataclass(frozen=True)
class Session:
    """Somebody else's session on a database."""

    pid: int
    user: str
    application: str
    state: str
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.application or 'session'} (pid {self.pid}, user {self.user}, {self.state} for {self.seconds:.0f} s)"
        )


def sessions_on(connection: Connection, name: str) -> tuple[Session, ...]:
    """The sessions of other programs on a database.

    Of another role's session an ordinary role sees little more than that it is there.
    """
    rows = connection.exec_driver_sql(SESSIONS + " AND datname = %s ORDER BY backend_start, pid", (name,))
    return tuple(Session(*row) for row in rows)


def end_sessions(connection: Connection, name: str) -> tuple[Session, ...]:
    """End the sessions of other programs on a database and say which they were."""
    ended = sessions_on(connection, name)
    for session in ended:
        connection.exec_driver_sql("SELECT pg_terminate_backend(%s)", (session.pid,))
    return ended


def await_end_of_sessions(connection: Connection, name: str, *, seconds: float = 2.0, but: int | None = None) -> bool:
    """Wait until no session is on a database, for a session that was closed or ended is there a little longer.

    The backend `but` does not count. Returns False if somebody is still there after that time.
    """
    return _await(lambda: all(session.pid == but for session in sessions_on(connection, name)), seconds)


def alone_with(
    connection: Connection, name: str, act: Callable[[], object], *, end: bool = True
) -> tuple[Session, ...]:
    """Do `act` once nobody else is on the database; programs that come back meanwhile are ended again.

    Without `end` nobody is ended: DatabaseError is raised instead, with `act` not done.
    """
    from psycopg2 import Error

    _await_own(connection, name)
    ended: dict[int, Session] = {}
    deadline = time.monotonic() + (SESSION_END_SECONDS if end else CLOSING_SECONDS)
    while True:
        for session in end_sessions(connection, name) if end else ():
            ended[session.pid] = session
        if not sessions_on(connection, name):
            try:
                act()
                return tuple(ended.values())
            except Error as error:
                if error.pgcode != OBJECT_IN_USE:
                    raise
        if time.monotonic() > deadline:
            listed = ", ".join(str(session) for session in sessions_on(connection, name)) or "they come back at once"
            ended_how = f"did not end within {SESSION_END_SECONDS:.0f} s" if end else "are open"
            raise DatabaseError(
                f"other sessions on database {name} {ended_how}: {listed}",
                hint="stop the programs that use it and try again",
            )
        time.sleep(0.02)


def end_orphans(connection: Connection, name: str) -> tuple[Session, ...]:
    """End what a hop that was killed left running for a database, also in databases beside it, and say what it was.

    The server goes on with a statement whose program is gone: old servers to its end, later ones for a second. So do
    pg_dump and psql that hop had started. The caller holds the lock of the database, and has no session of its own yet
    but this one. Raises DatabaseError for a session that may not be ended, or does not end.
    """
    # Those of a program that has just ended by itself are closed, and the server has yet to see it.
    if _await(lambda: not _orphans(connection, name), CLOSING_SECONDS):
        return ()
    orphans = _orphans(connection, name)
    for orphan in orphans:
        _end_orphan(connection, name, orphan)
    if _await(lambda: not _orphans(connection, name), SESSION_END_SECONDS):
        return orphans
    listed = ", ".join(str(session) for session in _orphans(connection, name))
    raise DatabaseError(
        f"a hop that was killed left something running for {name} that did not end within "
        f"{SESSION_END_SECONDS:.0f} s: {listed}; nothing was changed",
        hint="try again when the server has stopped it",
    )


def _end_orphan(connection: Connection, name: str, orphan: Session) -> None:
    from psycopg2 import Error

    try:
        connection.exec_driver_sql("SELECT pg_terminate_backend(%s)", (orphan.pid,))
    except Error as error:
        if error.pgcode != INSUFFICIENT_PRIVILEGE:
            raise
        raise DatabaseError(
            f"a hop that was killed left something running for {name} that this role may not end: {orphan}; "
            "nothing was changed",
            hint=f"wait for it, or have {orphan.user} or a superuser run SELECT pg_terminate_backend({orphan.pid})",
        ) from error


def _orphans(connection: Connection, name: str) -> tuple[Session, ...]:
    rows = connection.exec_driver_sql(SESSIONS + " AND application_name = %s ORDER BY pid", (work_application(name),))
    return tuple(Session(*row) for row in rows)


def _await_own(connection: Connection, name: str) -> None:
    """Wait a moment for sessions of hop: ours are closed, and the server has yet to see it; others only look."""
    own = own_applications()
    _await(
        lambda: all(session.application not in own for session in sessions_on(connection, name)), OWN_SESSION_SECONDS
    )


def _await(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until something is so; whether it is."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
