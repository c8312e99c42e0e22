"""Poolers such as PgBouncer: a session of one's own is needed to hold a lock, and some poolers do not give one.

In their transaction and statement modes each statement may run in another session of the server, and a lock would stay
behind in one that belongs to nobody.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from hop_tasks.database.applications import APPLICATION
from hop_tasks.database.engines import DIRECT_URL, Database, driver_connection, settle_session
from hop_tasks.errors import DatabaseError

if TYPE_CHECKING:
    from psycopg2.extensions import connection as DriverConnection

    from hop_tasks.database.connections import Connection

ROUNDS = 5
PATIENCE = 5.0
"""Seconds that a pooler has to give a second session."""

OWN_PID = "SELECT pg_backend_pid()"


def require_own_session(database: Database, connection: Connection) -> int:
    """The number of the server's process behind a connection in autocommit, which must be there for it alone.

    A server tells its number as the connection begins, a pooler makes one up: where the two are the same, nothing else
    is asked. Otherwise a second connection is made through the pooler. In session mode the two keep a process each; in
    the other modes they meet in one, or one of them wanders.

    Raises DatabaseError behind a pooler in transaction or statement mode. Nothing is locked or set then.
    """
    pid = _own_pid(connection)
    if driver_connection(connection).info.backend_pid == pid:
        return pid
    mine, theirs = {pid}, set()
    with _second_session(database, connection) as ask:
        for _ in range(ROUNDS):
            theirs.add(ask())
            mine.add(_own_pid(connection))
            if len(mine) > 1 or len(theirs) > 1 or mine & theirs:
                raise shared_session(database, connection)
    settle_session(connection, pooled=True)
    return pid


def shared_session(database: Database, connection: Connection) -> DatabaseError:
    """The error for a connection whose statements run in changing sessions of the server."""
    port = connection.exec_driver_sql("SELECT current_setting('port')").scalar_one()
    return DatabaseError(
        f"{database.shown} leads to a connection pooler (such as PgBouncer) in transaction or statement mode, which "
        "gives each statement another session, so that no lock can be held; nothing was changed",
        hint=f"{DIRECT_URL} (PostgreSQL itself listens on port {port}), or use a pool in session mode",
    )


def _own_pid(connection: Connection) -> int:
    return int(connection.exec_driver_sql(OWN_PID).scalar_one())


@contextmanager
def _second_session(database: Database, connection: Connection) -> Iterator[Callable[[], int]]:
    """A second connection like the first, and a function that asks for the process behind it.

    It never waits longer than PATIENCE for a pool that is exhausted; then it raises DatabaseError.
    """
    import psycopg2

    deadline = time.monotonic() + PATIENCE
    with closing(
        psycopg2.connect(**{**connection.address.arguments, "application_name": APPLICATION, "async_": 1})
    ) as second:
        _await(second, database, deadline)
        with closing(second.cursor()) as cursor:

            def ask() -> int:
                cursor.execute(OWN_PID)
                _await(second, database, deadline)
                row = cursor.fetchone()
                return int(row[0]) if row else 0

            yield ask


def _await(connection: DriverConnection, database: Database, deadline: float) -> None:
    from psycopg2.extensions import POLL_OK, POLL_READ

    while (state := connection.poll()) != POLL_OK:
        sockets = [connection.fileno()]
        reading, writing = (sockets, []) if state == POLL_READ else ([], sockets)
        ready = select.select(reading, writing, [], max(deadline - time.monotonic(), 0))
        if not any(ready):
            raise DatabaseError(
                f"{database.shown} leads to a connection pooler that gave hop no second session within "
                f"{PATIENCE:.0f} s; nothing was changed",
                hint=f"{DIRECT_URL}, or enlarge the pool",
            )
