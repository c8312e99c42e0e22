"""Spares: copies of the base snapshot that are made in the background and wait, so that nobody waits for a copy.

Who makes them holds an advisory lock of its own, in the very session that copies: as long as the server is at work for
one that was killed, nobody else begins. A spare is open to no session until a command takes it, so that nobody can
have changed it; and it counts only with its mark, which it gets last.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from hop_tasks.checkpoints import checkpoint
from hop_tasks.database.admin import Mark, copy_database, drop_database, mark_database, mark_of
from hop_tasks.database.applications import holder_application
from hop_tasks.database.properties import copy_properties
from hop_tasks.database.statements import execute, in_transaction
from hop_tasks.snapshots.discarding import discard_database, marked_as
from hop_tasks.snapshots.kinds import AT, COMMIT, SOURCE, SPARE, WORK, provisional_name

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

LOCK_MILLISECONDS = 200
"""How long a command waits for a spare that somebody else is at, before it makes a copy of its own."""

MARKING_SECONDS = 0.5
"""How long a spare that was copied may take until it is marked."""

DROPPING_SECONDS = 10.0
"""How long the server may take to end a session."""

POLL_SECONDS = 0.02

PURPOSE = "spare"
"""The verb in the application_name of who makes spares."""


def find_spares(connection: Connection, of: str) -> tuple[Mark, ...]:
    """The spares of a database that are whole."""
    return marked_as(connection, of, SPARE)


def fits(spare: Mark, snapshot: Mark) -> bool:
    """Whether a spare is a copy of this snapshot, and not of one that had its name or its release before."""
    made, wanted = spare.extra or {}, snapshot.extra or {}
    return (
        made.get(SOURCE) == snapshot.oid
        and spare.release == snapshot.release
        and made.get(COMMIT) == wanted.get(COMMIT)
    )


def take_spare(connection: Connection, snapshot: str, of: str) -> str | None:
    """A spare of a snapshot, to work in from now on: its name; None if there is none.

    One that is being copied is waited for: a copy of one's own would take longer. The caller holds the lock of `of`.
    """
    from psycopg2 import Error

    source = mark_of(connection, snapshot)
    if source is None:
        return None
    spare = _await_spare(connection, source, of)
    if spare is None:
        return None
    name = provisional_name(of, WORK)
    checkpoint("spare.before_take")
    try:
        with in_transaction(connection):
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS}")
            execute(connection, "ALTER DATABASE {} WITH ALLOW_CONNECTIONS true", spare)
            mark_database(connection, spare, {"kind": WORK, "of": of})
            execute(connection, "ALTER DATABASE {} RENAME TO {}", spare, name)
    except Error as error:
        # It is being dropped, or somebody has done something to it.
        if error.pgcode:
            return None
        raise
    checkpoint("spare.after_take")
    return name


def make_spare(connection: Connection, snapshot: str, oid: int, of: str) -> bool:
    """Copy a snapshot to a spare; False if that is not there any more. The caller holds the lock of `making_spares`.

    Args:
        connection: in autocommit to the maintenance database; the session that holds the lock.
        snapshot, oid: the snapshot's name, and the server's number of it.
        of: the development database.
    """
    if not _is_there(connection, snapshot, oid):
        return False
    name = provisional_name(of, SPARE)
    checkpoint("spare.before_create")
    copy_database(connection, snapshot, name, closed=True)
    checkpoint("spare.after_create")
    copy_properties(connection, snapshot, name)
    source = mark_of(connection, snapshot)
    if source is None or source.oid != oid:
        drop_database(connection, name)
        return False
    made = datetime.now(timezone.utc).isoformat()
    commit = (source.extra or {}).get(COMMIT)
    mark = {"kind": SPARE, "of": of, "release": source.release, COMMIT: commit, SOURCE: oid, AT: made}
    checkpoint("spare.before_mark")
    mark_database(connection, name, mark)
    checkpoint("spare.after_mark")
    return True


def drop_spares(connection: Connection, of: str, *, but: Mark | None = None) -> tuple[str, ...]:
    """Drop the spares of a database, less one that fits the snapshot `but`; their names.

    The caller holds the lock of `making_spares`.
    """
    kept = False
    dropped = []
    for spare in find_spares(connection, of):
        if but is not None and not kept and fits(spare, but):
            kept = True
            continue
        # So that nobody takes one that is half gone.
        discard_database(connection, spare.database, of)
        drop_database(connection, spare.database)
        dropped.append(spare.database)
    return tuple(dropped)


@contextmanager
def making_spares(connection: Connection, of: str) -> Iterator[bool]:
    """The lock of who makes and drops the spares of a database; False, at once, if somebody else has it."""
    from psycopg2 import Error

    key = making_key(of)
    held = bool(connection.exec_driver_sql("SELECT pg_try_advisory_lock(%s)", (key,)).scalar_one())
    try:
        yield held
    finally:
        if held:
            with suppress(Error):
                connection.exec_driver_sql("SELECT pg_advisory_unlock(%s)", (key,))


def making_key(of: str) -> int:
    """The advisory lock's 64-bit key for who makes the spares of a database."""
    return int.from_bytes(hashlib.sha256(f"hop spare:{of}".encode()).digest()[:8], "big", signed=True)


def making_application(of: str) -> str:
    """The application_name of who makes the spares of a database."""
    return holder_application(PURPOSE, of)


def end_maker(connection: Connection, of: str) -> bool:
    """End who makes spares of a database, and wait until it is gone; False if there was nobody.

    What it was making is dropped by the server, or by the next one. One that this role may not end is left alone.
    """
    from psycopg2 import Error

    pid = maker_of(connection, of)
    if pid is None:
        return False
    with suppress(Error):
        connection.exec_driver_sql("SELECT pg_terminate_backend(%s)", (pid,))
    deadline = time.monotonic() + DROPPING_SECONDS
    while maker_of(connection, of) == pid and time.monotonic() < deadline:
        time.sleep(0.01)
    return True


MAKER = """
    SELECT l.pid FROM pg_locks l
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.pid <> pg_backend_pid()
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (l.classid::bigint << 32 | l.objid::bigint) = %s
"""


def maker_of(connection: Connection, of: str) -> int | None:
    """The number of the server's process that makes spares of a database, None if there is none."""
    row = connection.exec_driver_sql(MAKER, (making_key(of),)).first()
    return None if row is None else int(row[0])


def _await_spare(connection: Connection, source: Mark, of: str) -> str | None:
    """A spare that fits a snapshot, also one that is nearly there."""
    last_seen: float | None = None
    while True:
        # Looked at first: one that is marked between the two questions is found.
        copying = _is_copying(connection, source.oid, of)
        found = [spare.database for spare in find_spares(connection, of) if fits(spare, source)]
        if found:
            return found[0]
        if copying:
            last_seen = time.monotonic()
        elif last_seen is None or time.monotonic() - last_seen > MARKING_SECONDS or maker_of(connection, of) is None:
            return None
        time.sleep(POLL_SECONDS)


def _is_copying(connection: Connection, oid: int, of: str) -> bool:
    """Whether a spare is being copied from the snapshot, which the server locks for that time."""
    maker = maker_of(connection, of)
    if maker is None:
        return False
    row = connection.exec_driver_sql(
        "SELECT FROM pg_locks WHERE pid = %s AND granted AND locktype = 'object' "
        "AND classid = 'pg_database'::regclass AND objid = %s",
        (maker, oid),
    ).first()
    return row is not None


def _is_there(connection: Connection, name: str, oid: int) -> bool:
    row = connection.exec_driver_sql("SELECT FROM pg_database WHERE datname = %s AND oid = %s", (name, oid)).first()
    return row is not None
