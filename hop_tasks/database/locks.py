"""One hop at a time on a database: a session-level advisory lock, polled, that dies with its holder."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from hop_tasks.checkpoints import checkpoint
from hop_tasks.database.applications import at_work_on, holder_application
from hop_tasks.database.engines import Database
from hop_tasks.database.poolers import require_own_session, shared_session
from hop_tasks.database.sessions import CLOSING_SECONDS
from hop_tasks.database.statements import server_version
from hop_tasks.errors import LockedError

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

POLL_SECONDS = 0.1

BACKEND_IDS_SINCE = 160000
"""A session keeps its number in pg_stat_get_backend_idset() since PostgreSQL 16; to look there is the fastest."""


@dataclass(frozen=True)
class Holder:
    """The session that holds a lock; what the server keeps from this role is None."""

    pid: int
    application: str
    user: str | None
    address: str | None
    since: datetime | None

    def __str__(self) -> str:
        parts = [f"pid {self.pid}", f"database user {self.user or 'unknown'}"]
        if self.since:
            parts += [
                f"from {self.address or 'the server itself'}",
                f"since {self.since.astimezone():%Y-%m-%d %H:%M:%S %z}",
            ]
        return f"{self.application or 'an unnamed session'} ({', '.join(parts)})"


@dataclass(frozen=True)
class Held:
    """The lock that this command holds: of which database, the session that it lives on, and how SQL asks for that."""

    name: str
    connection: Connection
    condition: str


_held: ContextVar[Held | None] = ContextVar("held", default=None)


def lock_key(database: str) -> int:
    """The advisory lock's 64-bit key for a database."""
    return int.from_bytes(hashlib.sha256(f"hop:{database}".encode()).digest()[:8], "big", signed=True)


@contextmanager
def locked(
    database: Database, purpose: str, *, wait: float = 0.0, tell: Callable[[str], None] = lambda _: None
) -> Iterator[None]:
    """Hold the lock of `database` while the body runs.

    The lock lives on a connection of its own to the maintenance database, so that the database itself can be renamed,
    and is polled, never waited for: a waiting pg_advisory_lock() holds a snapshot that stops CREATE INDEX CONCURRENTLY.

    Args:
        database: the database that is about to change.
        purpose: the verb of what is being done, shown to whoever meets the lock.
        wait: seconds to wait for another holder; half a second at least, for one that is just ending.
        tell: told who is waited for, once for each.

    Raises LockedError that names the holder, DatabaseError behind a pooler that gives each statement another session.
    """
    from psycopg2 import Error

    with database.administer(application=holder_application(purpose, database.name)) as connection:
        pid = require_own_session(database, connection)
        key = lock_key(database.name)
        _acquire(connection, database.name, key, purpose, wait, tell)
        holder = _holder(connection, key)
        if holder is None or holder.pid != pid:
            connection.exec_driver_sql("SELECT pg_advisory_unlock(%s)", (key,))
            raise shared_session(database, connection)
        checkpoint("lock.held")
        token = _held.set(Held(database.name, connection, _condition(connection, pid)))
        try:
            with at_work_on(database.name):
                yield
        finally:
            _held.reset(token)
            # A pooler gives the session back a little later than it is closed.
            with suppress(Error):
                connection.exec_driver_sql("SELECT pg_advisory_unlock(%s)", (key,))


def find_holder(database: Database) -> Holder | None:
    """Who holds the lock of `database`; None if nobody does. Looks only, and is in nobody's way."""
    with database.administer() as connection:
        return _holder(connection, lock_key(database.name))


def require_lock() -> None:
    """Raises LockedError if the lock that this command took is gone with its session: somebody else may be at work.

    Nothing happens in a command that took none. To be asked before each change that cannot be taken back.
    """
    from psycopg2 import Error

    held = _held.get()
    if held is None:
        return
    try:
        # A session keeps its lock for as long as it is there.
        held.connection.exec_driver_sql("SELECT 1")
    except Error as error:
        raise lost_lock() from error


def lock_condition() -> str:
    """The same as an expression of SQL, for another connection to the server: true as long as the lock is held.

    It costs no round trip of its own. True in a command that took no lock. PostgreSQL's picture of its sessions must be
    a fresh one: pg_stat_clear_snapshot() comes before it in a transaction.
    """
    held = _held.get()
    return "true" if held is None else held.condition


def lost_lock() -> LockedError:
    """The error for the lock of this command that is gone."""
    held = _held.get()
    name = held.name if held else "the database"
    return LockedError(
        f"the session that holds the lock of {name} has ended, so that another hop may be at work; "
        "what was not committed was rolled back",
        hint="hop shows the state; the same command again goes on from there",
    )


def _condition(connection: Connection, pid: int) -> str:
    """Whether the session `pid`, that of the connection, is there: a session keeps its lock for so long."""
    if server_version(connection) < BACKEND_IDS_SINCE:
        return f"EXISTS (SELECT FROM pg_catalog.pg_stat_get_activity({pid:d}))"
    number = connection.exec_driver_sql(
        "SELECT id FROM pg_stat_get_backend_idset() AS id WHERE pg_stat_get_backend_pid(id) = %s", (pid,)
    ).scalar_one()
    return f"pg_catalog.pg_stat_get_backend_pid({number:d}) = {pid:d}"


def _acquire(
    connection: Connection, name: str, key: int, purpose: str, wait: float, tell: Callable[[str], None]
) -> None:
    # The session of a hop that was killed goes a little later.
    deadline = time.monotonic() + max(wait, CLOSING_SECONDS)
    told: set[int] = set()
    missed = False
    while not connection.exec_driver_sql("SELECT pg_try_advisory_lock(%s)", (key,)).scalar_one():
        holder = _holder(connection, key)
        left = deadline - time.monotonic()
        if left <= 0 and holder is None and not missed:
            missed = True
            continue
        if left <= 0:
            waited = f" and still is after {wait:g} s" if wait else ""
            ending = f"; if that program is gone: SELECT pg_terminate_backend({holder.pid})" if holder else ""
            raise LockedError(
                f"another hop is at work on {name}{waited}: {holder or 'it has just ended'}; nothing was changed",
                hint=f"wait for it, or hop {purpose} --lock-wait {_longer(wait)}{ending}",
            )
        if wait and holder and holder.pid not in told:
            told.add(holder.pid)
            tell(f"waiting up to {math.ceil(left)} s for another hop on {name}: {holder}")
        time.sleep(min(POLL_SECONDS, max(left, 0.0)))


def _longer(wait: float) -> int:
    """The seconds to wait that are proposed after `wait` seconds were too few."""
    return 60 if wait < 30 else min(round(wait * 2), 86_400)


def _holder(connection: Connection, key: int) -> Holder | None:
    # Nothing has happened in the holder's session since it got the lock.
    row = connection.exec_driver_sql(
        """
        SELECT a.pid, coalesce(a.application_name, ''), a.usename, a.client_addr::text,
               coalesce(a.state_change, a.backend_start)
        FROM pg_locks l JOIN pg_stat_activity a USING (pid)
        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND (l.classid::bigint << 32 | l.objid::bigint) = %(key)s
        """,
        {"key": key},
    ).first()
    return None if row is None else Holder(*row)
