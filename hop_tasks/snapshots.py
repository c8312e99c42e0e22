"""The service `snapshots`: databases that hop makes beside a development database, recognised by a mark.

A database is made under a name with a random part and gets its own name only when it is whole and marked, so that a
kill at any moment leaves nothing that could be taken for a good one. Every function takes a connection in autocommit
to the maintenance database; the caller holds the lock.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from hop_tasks.checkpoints import checkpoint
from hop_tasks.database.admin import (
    Mark,
    clone_database,
    create_database,
    database_exists,
    drop_database,
    mark_database,
    marked_databases,
    swap_databases,
)
from hop_tasks.database.sessions import Session, alone_with
from hop_tasks.database.statements import execute
from hop_tasks.errors import DatabaseError
from hop_tasks.names import database_beside
from hop_tasks.versions import Version

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hop_tasks.database.looking import Reading

SNAPSHOT = "snapshot"
WORK = "work"
REPLACED = "replaced"
BEFORE_APPLY = "before_apply"
BEGUN = "begun"
"""In the mark of a database that was replaced: the release some steps of which had run in it."""

UNDECIDED = "undecided"
"""In the mark of a database that was replaced: a command has yet to find out whether anybody wrote to it."""


def find_snapshots(connection: Reading, of: str) -> dict[Version, tuple[str, str]]:
    """Release -> database and the release's commit, of the snapshots of a database."""
    return {
        version: (mark.database, str((mark.extra or {}).get("commit")))
        for mark in marked_databases(connection, of)
        if mark.kind == SNAPSHOT and mark.release and (version := Version.find(mark.release))
    }


def find_kept(connection: Reading, of: str) -> tuple[Mark, ...]:
    """The databases that were replaced and kept."""
    return tuple(mark for mark in marked_databases(connection, of) if mark.kind in (REPLACED, BEFORE_APPLY))


def is_kept(connection: Connection, name: str, of: str) -> bool:
    """Whether a database was replaced and kept: others than hop may be at work in it."""
    return any(mark.database == name for mark in find_kept(connection, of))


def remove_leftovers(connection: Connection, of: str) -> tuple[str, ...]:
    """Drop what an interrupted command left half-made."""
    pattern = re.compile(re.escape(database_beside(of, f"{WORK}_")) + r"[0-9a-f]{8}")
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


def work_name(of: str) -> str:
    """A new name for a database that is being made."""
    return database_beside(of, f"{WORK}_{secrets.token_hex(4)}")


def clone_for_work(connection: Connection, source: str, of: str) -> tuple[str, tuple[Session, ...]]:
    """A copy of `source` to work in, and the sessions on the source that had to end for it."""
    name = work_name(of)
    ended = clone_database(connection, source, name, mark={"kind": WORK, "of": of})
    return name, ended


def create_for_work(connection: Connection, of: str, *, creation: Mapping[str, str] | None = None) -> str:
    """An empty database to work in, with encoding and locale as in `Properties.creation`."""
    name = work_name(of)
    create_database(connection, name, creation=creation)
    mark_database(connection, name, {"kind": WORK, "of": of})
    return name


def keep_as_snapshot(connection: Connection, work: str, of: str, version: Version, commit: str) -> str:
    """Make a database that was worked in the snapshot of a release, which has that commit; an older one is dropped."""
    name = database_beside(of, f"hop_{version}")
    for mark in marked_databases(connection, of):
        if mark.kind == SNAPSHOT and mark.release == str(version):
            drop_database(connection, mark.database)
    if database_exists(connection, name):
        raise DatabaseError(
            f"database {name} is in the way: hop did not make it", hint="rename it, or drop it if nobody needs it"
        )
    mark_database(connection, work, {"kind": SNAPSHOT, "of": of, "release": str(version), "commit": commit})
    execute(connection, "ALTER DATABASE {} RENAME TO {}", work, name)
    return name


def put_in_place(
    connection: Connection, work: str, of: str, *, comment: str | None = None, end: bool = True
) -> tuple[Session, ...]:
    """Give a database that was worked in, or was kept, the name of one that does not exist: at once, or not at all.

    Its comment is `comment`, or the one that it had before it was kept. Returns the sessions on it that had to end;
    without `end` one that is open on a database that was kept is a DatabaseError.
    """
    kept = [(mark.extra or {}).get("comment") for mark in marked_databases(connection, of) if mark.database == work]

    def rename() -> None:
        connection.exec_driver_sql("BEGIN")
        try:
            execute(connection, "COMMENT ON DATABASE {} IS {comment}", work, comment=comment or next(iter(kept), None))
            checkpoint("restore.between_renames")
            execute(connection, "ALTER DATABASE {} RENAME TO {}", work, of)
            connection.exec_driver_sql("COMMIT")
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise

    return alone_with(connection, work, rename, end=end or not is_kept(connection, work, of))


def replace_database(
    connection: Connection,
    work: str,
    of: str,
    *,
    release: Version | None,
    begun: Version | None = None,
    end: bool = True,
    undecided: bool = False,
) -> tuple[str, tuple[Session, ...]]:
    """Put a database that was worked in in the place of `of`.

    What was there stays as `…_replaced_<UTC time>`. Returns its name, and the sessions that had to end; without `end`
    one that is open on it, or on a `work` that was kept, is a DatabaseError. Its mark has the `release` that it is at,
    the one that was `begun` in it and is not whole, and whether it is `undecided` if it is to be kept.
    """
    moment = datetime.now(timezone.utc)
    kept = database_beside(of, f"{REPLACED}_{moment:%Y%m%d_%H%M%S}")
    if database_exists(connection, kept):
        kept = f"{kept}_{secrets.token_hex(2)}"
    note: dict[str, Any] = {
        "kind": REPLACED,
        "of": of,
        "release": None if release is None else str(release),
        "at": moment.isoformat(),
    }
    if begun is not None:
        note[BEGUN] = str(begun)
    if undecided:
        note[UNDECIDED] = True
    ended = swap_databases(
        connection,
        current=of,
        replacement=work,
        kept=kept,
        mark=note,
        end=end,
        end_on_replacement=end or not is_kept(connection, work, of),
    )
    return kept, ended


def find_undecided(connection: Connection, of: str) -> tuple[str, ...]:
    """The databases that were replaced by a command which ended before it had decided whether to keep them."""
    return tuple(mark.database for mark in find_kept(connection, of) if (mark.extra or {}).get(UNDECIDED))


def keep_before_apply(connection: Connection, kept: str, of: str) -> tuple[str, bool]:
    """Keep a database that was replaced as `…_before_apply`, of which there is one: its name, and whether there was
    one before, which is dropped."""
    marks = {mark.database: mark for mark in marked_databases(connection, of)}
    before = [name for name, mark in marks.items() if mark.kind == BEFORE_APPLY]
    name = database_beside(of, BEFORE_APPLY)
    if name not in before and database_exists(connection, name):
        return kept, False
    for older in before:
        drop_database(connection, older)
    mark_database(connection, kept, {"kind": BEFORE_APPLY, "of": of, "release": marks[kept].release})
    execute(connection, "ALTER DATABASE {} RENAME TO {}", kept, name)
    return name, bool(before)
