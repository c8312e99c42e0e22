"""Other programs' sessions on a database: who they are, ending them, and being alone for a moment.

Every function takes a connection in autocommit to the maintenance database.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hop_tasks.database.engines import APPLICATION
from hop_tasks.errors import DatabaseError

if TYPE_CHECKING:
    from sqlalchemy import Connection

OBJECT_IN_USE = "55006"
SESSION_END_SECONDS = 10.0
OWN_SESSION_SECONDS = 2.0


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
    rows = connection.exec_driver_sql(
        """
        SELECT pid, coalesce(usename, ''), coalesce(application_name, ''), coalesce(state, 'unknown'),
               coalesce(extract(epoch FROM clock_timestamp() - coalesce(state_change, backend_start)), 0)::float8
        FROM pg_stat_activity
        WHERE datname = %s AND pid <> pg_backend_pid()
          AND (backend_type = 'client backend' OR (backend_type IS NULL AND usesysid IS NOT NULL))
        ORDER BY backend_start, pid
        """,
        (name,),
    )
    return tuple(Session(*row) for row in rows)


def end_sessions(connection: Connection, name: str) -> tuple[Session, ...]:
    """End the sessions of other programs on a database and say which they were."""
    ended = sessions_on(connection, name)
    for session in ended:
        connection.exec_driver_sql("SELECT pg_terminate_backend(%s)", (session.pid,))
    return ended


def await_end_of_sessions(connection: Connection, name: str, *, seconds: float = 2.0) -> bool:
    """Wait until no session is on a database, for a session that was closed or ended is there a little longer.

    Returns False if somebody is still there after that time.
    """
    deadline = time.monotonic() + seconds
    while sessions_on(connection, name):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def alone_with(connection: Connection, name: str, act: Callable[[], object]) -> tuple[Session, ...]:
    """Do `act` once nobody else is on the database; programs that come back meanwhile are ended again."""
    from sqlalchemy.exc import DBAPIError

    _await_own(connection, name)
    ended: dict[int, Session] = {}
    deadline = time.monotonic() + SESSION_END_SECONDS
    while True:
        for session in end_sessions(connection, name):
            ended[session.pid] = session
        if not sessions_on(connection, name):
            try:
                act()
                return tuple(ended.values())
            except DBAPIError as error:
                if getattr(error.orig, "pgcode", None) != OBJECT_IN_USE:
                    raise
        if time.monotonic() > deadline:
            listed = ", ".join(str(session) for session in sessions_on(connection, name)) or "they come back at once"
            raise DatabaseError(
                f"other sessions on database {name} did not end within {SESSION_END_SECONDS:.0f} s: {listed}",
                hint="stop the programs that use it and try again",
            )
        time.sleep(0.02)


def _await_own(connection: Connection, name: str) -> None:
    """Wait a moment for sessions of hop, which holds the lock: they are closed, and the server has yet to see it."""
    deadline = time.monotonic() + OWN_SESSION_SECONDS
    while any(session.application == APPLICATION for session in sessions_on(connection, name)):
        if time.monotonic() > deadline:
            return
        time.sleep(0.005)
