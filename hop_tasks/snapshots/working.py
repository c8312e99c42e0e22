"""Databases to work in, and the snapshots that come of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from hop_tasks.database.admin import (
    Mark,
    clone_database,
    create_database,
    database_exists,
    drop_database,
    mark_database,
    marked_databases,
)
from hop_tasks.database.sessions import Session
from hop_tasks.database.statements import execute
from hop_tasks.errors import DatabaseError
from hop_tasks.names import database_beside
from hop_tasks.snapshots.kinds import AT, COMMIT, SNAPSHOT, WORK, provisional_name, provisional_names
from hop_tasks.snapshots.spares import end_maker
from hop_tasks.versions import Version

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


def find_snapshots(connection: Connection, of: str) -> dict[Version, tuple[str, str]]:
    """Release -> database and the release's commit, of the snapshots of a database."""
    return snapshots_among(marked_databases(connection, of))


def snapshots_among(marks: Iterable[Mark]) -> dict[Version, tuple[str, str]]:
    """The same of the databases beside one."""
    return {
        version: (mark.database, str((mark.extra or {}).get(COMMIT)))
        for mark in marks
        if mark.kind == SNAPSHOT and mark.release and (version := Version.find(mark.release))
    }


def remove_leftovers(connection: Connection, of: str) -> tuple[str, ...]:
    """Drop what an interrupted command left half-made."""
    pattern = provisional_names(of, WORK)
    marked = {mark.database: mark.kind for mark in marked_databases(connection, of)}
    names = connection.exec_driver_sql(
        "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database ORDER BY datname"
    ).all()
    leftovers = tuple(
        name for name, comment in names if marked.get(name) == WORK or (comment is None and pattern.fullmatch(name))
    )
    for name in leftovers:
        drop_database(connection, name)
    return leftovers


def clone_for_work(connection: Connection, source: str, of: str) -> tuple[str, tuple[Session, ...]]:
    """A copy of `source` to work in, and the sessions on the source that had to end for it."""
    name = provisional_name(of, WORK)
    ended = clone_database(connection, source, name, mark={"kind": WORK, "of": of})
    return name, ended


def create_for_work(connection: Connection, of: str, *, creation: Mapping[str, str] | None = None) -> str:
    """An empty database to work in, with encoding and locale as in `Properties.creation`."""
    name = provisional_name(of, WORK)
    create_database(connection, name, creation=creation)
    mark_database(connection, name, {"kind": WORK, "of": of})
    return name


def keep_as_snapshot(connection: Connection, work: str, of: str, version: Version, commit: str) -> str:
    """Make a database that was worked in the snapshot of a release, which has that commit; an older one is dropped."""
    name = database_beside(of, f"hop_{version}")
    for mark in marked_databases(connection, of):
        if mark.kind == SNAPSHOT and mark.release == str(version):
            # A spare that is being copied from it is given up.
            end_maker(connection, of)
            drop_database(connection, mark.database)
    if database_exists(connection, name):
        raise DatabaseError(
            f"database {name} is in the way: hop did not make it", hint="rename it, or drop it if nobody needs it"
        )
    made = datetime.now(timezone.utc).isoformat()
    note = {"kind": SNAPSHOT, "of": of, "release": str(version), COMMIT: commit, AT: made}
    mark_database(connection, work, note)
    execute(connection, "ALTER DATABASE {} RENAME TO {}", work, name)
    return name
