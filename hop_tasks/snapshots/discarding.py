"""Databases that nobody needs any more: marked at once, dropped in the background.

PostgreSQL writes everything that is not on the disk yet (a checkpoint) before it drops a database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hop_tasks.checkpoints import checkpoint
from hop_tasks.database.admin import Mark, drop_database, mark_database, marked_databases
from hop_tasks.database.sessions import alone_with
from hop_tasks.database.statements import execute, in_transaction
from hop_tasks.snapshots.kinds import DISCARDED, SPARE, provisional_name, provisional_names

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


def discard_database(connection: Connection, name: str, of: str, *, rename: bool = False) -> None:
    """Mark a database beside `of` as one that is to be dropped; with `rename` its name is free at once.

    Sessions on it have to end for a new name.
    """
    if not rename:
        mark_database(connection, name, {"kind": DISCARDED, "of": of})
        return
    free = provisional_name(of, DISCARDED)

    def change() -> None:
        with in_transaction(connection):
            mark_database(connection, name, {"kind": DISCARDED, "of": of})
            execute(connection, "ALTER DATABASE {} RENAME TO {}", name, free)

    alone_with(connection, name, change)


def marked_as(connection: Connection, of: str, kind: str) -> tuple[Mark, ...]:
    """The databases of one kind beside `of`, by name."""
    return tuple(mark for mark in marked_databases(connection, of) if mark.kind == kind)


def find_discarded(connection: Connection, of: str) -> tuple[str, ...]:
    """The databases that are to be dropped, and spares that a process which was killed left half-made.

    The caller holds the lock of who makes spares, or one that is being made would be among them.
    """
    kinds = {mark.database: mark.kind for mark in marked_databases(connection, of)}
    half_made = provisional_names(of, SPARE)
    rows = connection.exec_driver_sql(
        "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database ORDER BY datname"
    )
    return tuple(
        name
        for name, comment in rows
        if kinds.get(name) == DISCARDED or (comment is None and half_made.fullmatch(name))
    )


def drop_discarded(connection: Connection, of: str) -> tuple[str, ...]:
    """Drop what `find_discarded` finds, and say what that was."""
    found = find_discarded(connection, of)
    for name in found:
        drop_database(connection, name)
        checkpoint("spare.after_drop")
    return found
