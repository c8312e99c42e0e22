"""Putting a database in the place of another one, and what becomes of that."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from hop_tasks.checkpoints import checkpoint
from hop_tasks.database.admin import Mark, database_exists, mark_database, marked_databases, swap_databases
from hop_tasks.database.sessions import Session, alone_with
from hop_tasks.database.statements import execute, in_transaction
from hop_tasks.names import database_beside
from hop_tasks.snapshots.discarding import discard_database
from hop_tasks.snapshots.kinds import AT, BEFORE_APPLY, BEGUN, REPLACED, UNDECIDED
from hop_tasks.versions import Version

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


def find_kept(connection: Connection, of: str) -> tuple[Mark, ...]:
    """The databases that were replaced and kept."""
    return kept_among(marked_databases(connection, of))


def kept_among(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    """Those of the databases beside one that were replaced and kept."""
    return tuple(mark for mark in marks if mark.kind in (REPLACED, BEFORE_APPLY))


def is_kept(connection: Connection, name: str, of: str) -> bool:
    """Whether a database was replaced and kept: others than hop may be at work in it."""
    return any(mark.database == name for mark in find_kept(connection, of))


def put_in_place(
    connection: Connection, work: str, of: str, *, comment: str | None = None, end: bool = True
) -> tuple[Session, ...]:
    """Give a database that was worked in, or was kept, the name of one that does not exist: at once, or not at all.

    Its comment is `comment`, or the one that it had before it was kept. Returns the sessions on it that had to end;
    without `end` one that is open on a database that was kept is a DatabaseError.
    """
    kept = [(mark.extra or {}).get("comment") for mark in marked_databases(connection, of) if mark.database == work]

    def rename() -> None:
        with in_transaction(connection):
            execute(connection, "COMMENT ON DATABASE {} IS {comment}", work, comment=comment or next(iter(kept), None))
            checkpoint("restore.between_renames")
            execute(connection, "ALTER DATABASE {} RENAME TO {}", work, of)

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
        AT: moment.isoformat(),
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
    one before, which is discarded."""
    marks = {mark.database: mark for mark in marked_databases(connection, of)}
    before = [name for name, mark in marks.items() if mark.kind == BEFORE_APPLY]
    name = database_beside(of, BEFORE_APPLY)
    if name not in before and database_exists(connection, name):
        return kept, False
    for older in before:
        discard_database(connection, older, of, rename=True)
    extra = marks[kept].extra or {}
    mark = {"kind": BEFORE_APPLY, "of": of, "release": marks[kept].release, AT: extra.get(AT)}
    mark_database(connection, kept, mark)
    execute(connection, "ALTER DATABASE {} RENAME TO {}", kept, name)
    return name, bool(before)
