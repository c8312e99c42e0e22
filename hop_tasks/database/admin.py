"""Databases of a server as objects: create, clone, rename, swap, drop, mark.

Every function takes a connection in autocommit to the maintenance database (`Database.administer`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hop_tasks.checkpoints import checkpoint
from hop_tasks.database.properties import copy_properties
from hop_tasks.database.sessions import Session, alone_with
from hop_tasks.database.statements import execute, in_transaction, server_version

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

MARK_PREFIX = "hop: "
"""A database made by hop carries a comment of this prefix and a JSON object, so that its name decides nothing."""

CREATION = {
    "encoding": "ENCODING {encoding}",
    "collate": "LC_COLLATE {collate}",
    "ctype": "LC_CTYPE {ctype}",
    "provider": "LOCALE_PROVIDER {provider}",
    "locale": "<PROVIDER>_LOCALE {locale}",
    "rules": "ICU_RULES {rules}",
}
"""The options of CREATE DATABASE for what `Properties.creation` has."""

FILE_COPY = "file_copy"

STRATEGY_SINCE = 150000
"""CREATE DATABASE … STRATEGY exists since PostgreSQL 15."""

CLONING_SINCE = 180000
"""file_copy_method exists since PostgreSQL 18: a file system that can share blocks (XFS, Btrfs) copies nothing then."""

CANNOT_CLONE = frozenset({"0A000", "22023", "XX000", "58030"})
"""What the server says (feature_not_supported, invalid_parameter_value, internal_error, io_error) where it cannot."""

_uncloneable: set[str] = set()
"""The servers, by their URLs, whose file system could not clone; remembered as long as the process lives."""


@dataclass(frozen=True)
class Mark:
    """What hop noted about a database that it made; `oid` is the server's own number of it, which no other ever has."""

    database: str
    kind: str
    of: str
    release: str | None = None
    extra: Mapping[str, Any] | None = None
    oid: int = 0


def database_exists(connection: Connection, name: str) -> bool:
    """Whether the server has a database of that name."""
    found = connection.exec_driver_sql("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
    return found.first() is not None


def create_database(connection: Connection, name: str, *, creation: Mapping[str, str] | None = None) -> None:
    """An empty database, in UTF-8; or with encoding, locale and tablespace as in `Properties.creation`."""
    values = dict(creation or {"encoding": "UTF8"})
    tablespace = [values.pop("tablespace")] if "tablespace" in values else []
    options = [CREATION[key].replace("<PROVIDER>", values.get("provider", "").upper()) for key in values]
    if tablespace:
        options.append("TABLESPACE {}")
    execute(connection, f"CREATE DATABASE {{}} TEMPLATE template0 {' '.join(options)}", name, *tablespace, **values)


def clone_database(
    connection: Connection,
    source: str,
    name: str,
    *,
    mark: Mapping[str, Any],
    end: bool = True,
    strategy: str = FILE_COPY,
) -> tuple[Session, ...]:
    """Copy a database, whole. Sessions on the source are ended, as PostgreSQL demands; those are returned.

    The copy gets the source's settings and privileges, and `mark` as its comment. Without `end` a session that is open
    on the source is a DatabaseError. The `strategy` is PostgreSQL's, where it has one: `file_copy` or `wal_log`.
    """
    ended = alone_with(connection, source, lambda: copy_database(connection, source, name, strategy=strategy), end=end)
    copy_properties(connection, source, name)
    mark_database(connection, name, mark)
    return ended


def copy_database(
    connection: Connection, source: str, name: str, *, closed: bool = False, strategy: str = FILE_COPY
) -> None:
    """Copy a database, in the fastest way that the server has; nobody may be on the source.

    `closed` lets nobody connect to the copy, not even a superuser. It lacks the source's settings and privileges. The
    `strategy` is PostgreSQL's, where it has one: `file_copy` or `wal_log`.
    """
    from psycopg2 import Error

    statement = "CREATE DATABASE {} TEMPLATE {}"
    statement += " ALLOW_CONNECTIONS false" if closed else ""
    version = server_version(connection)
    statement += f" STRATEGY {strategy}" if version >= STRATEGY_SINCE else ""
    server = connection.address.shown
    if version >= CLONING_SINCE and strategy == FILE_COPY and server not in _uncloneable:
        try:
            connection.exec_driver_sql("SET file_copy_method = clone")
            execute(connection, statement, name, source)
            return
        except Error as error:
            # EXDEV, ENOTSUP and the like have no SQLSTATE of their own; nor has every platform the setting.
            if error.pgcode not in CANNOT_CLONE:
                raise
            _uncloneable.add(server)
        finally:
            with suppress(Error):
                connection.exec_driver_sql("RESET file_copy_method")
    execute(connection, statement, name, source)


def drop_database(connection: Connection, name: str) -> None:
    """Drop a database with every session on it; nothing happens if it does not exist."""
    execute(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def swap_databases(
    connection: Connection,
    *,
    current: str,
    replacement: str,
    kept: str,
    mark: Mapping[str, Any],
    end: bool = True,
    end_on_replacement: bool = True,
) -> tuple[Session, ...]:
    """Put `replacement` in the place of `current`, which stays as `kept`: both renames or none.

    `replacement` takes over comment, settings and privileges of `current`, `kept` gets `mark` as its comment.
    Sessions on both are ended; those are returned. Without `end` one that is open on `current` is a DatabaseError,
    without `end_on_replacement` one on `replacement`.
    """
    comment = connection.exec_driver_sql(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", (current,)
    ).scalar_one()
    ended = alone_with(connection, replacement, lambda: None, end=end_on_replacement)
    copy_properties(connection, current, replacement)

    def rename_both() -> None:
        with in_transaction(connection):
            execute(connection, "ALTER DATABASE {} RENAME TO {}", current, kept)
            checkpoint("swap.between_renames")
            execute(connection, "ALTER DATABASE {} RENAME TO {}", replacement, current)
            execute(connection, "COMMENT ON DATABASE {} IS {comment}", current, comment=comment)
            mark_database(connection, kept, {**mark, "comment": comment})
            checkpoint("swap.before_commit")

    checkpoint("swap.before_begin")
    ended += alone_with(connection, current, rename_both, end=end)
    checkpoint("swap.after_commit")
    return ended


def mark_database(connection: Connection, name: str, mark: Mapping[str, Any]) -> None:
    """Note in a database's comment that hop made it, and what it is: `mark` has at least `kind` and `of`."""
    text = MARK_PREFIX + json.dumps(mark, sort_keys=True)
    execute(connection, "COMMENT ON DATABASE {} IS {text}", name, text=text)


def take_off_mark(connection: Connection, name: str) -> None:
    """Give a database the comment that it had before hop marked it; one that has no mark stays as it is.

    Somebody who renames a database that hop kept, so that it serves again, leaves the mark on it.
    """
    comment = connection.exec_driver_sql(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", (name,)
    ).scalar()
    data = _mark_in(comment)
    if data is not None:
        execute(connection, "COMMENT ON DATABASE {} IS {comment}", name, comment=data.get("comment"))


def marked_databases(connection: Connection, of: str) -> tuple[Mark, ...]:
    """The databases that hop made beside the database `of`; never that one itself, whatever mark it bears."""
    return tuple(mark for mark in all_marks(connection) if mark.of == of)


def all_marks(connection: Connection) -> tuple[Mark, ...]:
    """The databases of the server that hop made beside others, by name."""
    rows = connection.exec_driver_sql(
        "SELECT datname, oid, shobj_description(oid, 'pg_database') FROM pg_database ORDER BY datname"
    )
    marks = (_mark(name, oid, comment) for name, oid, comment in rows)
    # A kept one that somebody gave its old name again is what serves now.
    return tuple(mark for mark in marks if mark is not None and mark.of != mark.database)


def mark_of(connection: Connection, name: str) -> Mark | None:
    """What hop noted about a database; None for one that it did not make, or that has its old name again."""
    row = connection.exec_driver_sql(
        "SELECT oid, shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", (name,)
    ).first()
    mark = None if row is None else _mark(name, row[0], row[1])
    return mark if mark is not None and mark.of != name else None


def _mark(name: str, oid: int, comment: str | None) -> Mark | None:
    data = _mark_in(comment)
    if data is None:
        return None
    return Mark(name, data.pop("kind"), data.pop("of"), data.pop("release", None), data, oid)


def _mark_in(comment: str | None) -> dict[str, Any] | None:
    """What a comment says if it is a mark."""
    if comment is None or not comment.startswith(MARK_PREFIX):
        return None
    try:
        data = json.loads(comment[len(MARK_PREFIX) :])
    except ValueError:
        return None
    return data if isinstance(data, dict) and {"kind", "of"} <= data.keys() else None
