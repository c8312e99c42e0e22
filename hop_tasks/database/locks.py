"""One hop at a time on a database: a session-level advisory lock, polled, that dies with its holder."""

from __future__ import annotations

import getpass
import hashlib
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hop_tasks.database.engines import Database
from hop_tasks.errors import DatabaseError, LockedError

if TYPE_CHECKING:
    from sqlalchemy import Connection

POLL_SECONDS = 0.1


def lock_key(database: str) -> int:
    """The advisory lock's 64-bit key for a database."""
    return int.from_bytes(hashlib.sha256(f"hop:{database}".encode()).digest()[:8], "big", signed=True)


@contextmanager
def locked(database: Database, purpose: str, *, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock of `database` while the body runs.

    The lock lives on a connection of its own to the maintenance database, so that the database itself can be renamed,
    and is polled, never waited for: a waiting pg_advisory_lock() holds a snapshot that stops CREATE INDEX CONCURRENTLY.

    Args:
        database: the database that is about to change.
        purpose: what is being done, shown to whoever meets the lock.
        wait: seconds to wait for another holder.

    Raises LockedError that names the holder, DatabaseError behind a pooler that gives each statement another session.
    """
    key = lock_key(database.name)
    with database.administer() as connection:
        application = f"hop {purpose} {database.name} by {whoami()}"
        connection.exec_driver_sql("SELECT set_config('application_name', %s, false)", (application[:63],))
        deadline = time.monotonic() + wait
        while not connection.exec_driver_sql("SELECT pg_try_advisory_lock(%s)", (key,)).scalar_one():
            if time.monotonic() >= deadline:
                raise LockedError(
                    f"another hop is at work on {database.name}: {_holder(connection, key)}; nothing was changed",
                    hint="wait for it, or try again with HOP_LOCK_WAIT=60",
                )
            time.sleep(POLL_SECONDS)
        _check_session(connection, key)
        yield


def whoami() -> str:
    """The operating system's user and host, such as `ann@laptop`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


_HELD = """
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (l.classid::bigint << 32 | l.objid::bigint) = %(key)s
"""


def _check_session(connection: Connection, key: int) -> None:
    """A transaction pooler would leave the lock on a session that is not ours."""
    pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    holders = connection.exec_driver_sql("SELECT a.pid " + _HELD, {"key": key}).scalars().all()
    if pid not in holders:
        raise DatabaseError(
            "the connection goes through a transaction pooler, which cannot hold a lock; nothing was changed",
            hint="give hop a direct URL of the server",
        )


def _holder(connection: Connection, key: int) -> str:
    row = connection.exec_driver_sql(
        "SELECT a.application_name, a.pid, coalesce(a.client_addr::text, 'local'), a.backend_start::timestamptz(0) "
        + _HELD,
        {"key": key},
    ).first()
    if row is None:
        return "it has just ended"
    return f"{row[0]} (backend {row[1]}, from {row[2]}, since {row[3]})"
