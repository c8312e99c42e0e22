"""Databases of a server as objects: create, clone, rename, swap, drop, mark.

Every function takes a connection in autocommit to the maintenance database (`Database.administer`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hop_tasks.database.properties import copy_properties
from hop_tasks.database.sessions import Session, alone_with
from hop_tasks.database.statements import execute, server_version

if TYPE_CHECKING:
    from sqlalchemy import Connection

MARK_PREFIX = "hop: "
"""A database made by hop carries a comment of this prefix and a JSON object, so that its name decides nothing."""

STRATEGY_SINCE = 150000
"""CREATE DATABASE … STRATEGY exists since PostgreSQL 15."""


@dataclass(frozen=True)
class Mark:
    """What hop noted about a database that it made."""

    database: str
    kind: str
    of: str
    release: str | None = None
    extra: Mapping[str, Any] | None = None


def database_exists(connection: Connection, name: str) -> bool:
    """Whether the server has a database of that name."""
    found = connection.exec_driver_sql("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
    return found.first() is not None


def create_database(connection: Connection, name: str, *, like: str | None = None) -> None:
    """An empty database, in UTF-8; or with encoding and locale of the database `like`."""
    options, values = "ENCODING {encoding}", {"encoding": "UTF8"}
    if like is not None:
        row = connection.exec_driver_sql(
            "SELECT pg_encoding_to_char(encoding), to_jsonb(d) FROM pg_database d WHERE datname = %s", (like,)
        ).one()
        options, values = _locale_options(row[0], row[1])
    execute(connection, f"CREATE DATABASE {{}} TEMPLATE template0 {options}", name, **values)


def _locale_options(encoding: str, row: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The options of CREATE DATABASE for a row of pg_database, whose columns differ between PostgreSQL's versions."""
    values = {"encoding": encoding, "collate": row["datcollate"], "ctype": row["datctype"]}
    options = "ENCODING {encoding} LC_COLLATE {collate} LC_CTYPE {ctype}"
    provider = row.get("datlocprovider", "c")
    locale = row.get("datlocale") or row.get("daticulocale")
    if provider in ("i", "b") and locale:
        word = "icu" if provider == "i" else "builtin"
        values |= {"provider": word, "locale": locale}
        options += f" LOCALE_PROVIDER {{provider}} {word.upper()}_LOCALE {{locale}}"
    return options, values


def clone_database(connection: Connection, source: str, name: str, *, mark: Mapping[str, Any]) -> tuple[Session, ...]:
    """Copy a database, whole. Sessions on the source are ended, as PostgreSQL demands; those are returned.

    The copy gets the source's settings and privileges, and `mark` as its comment.
    """
    options = " STRATEGY file_copy" if server_version(connection) >= STRATEGY_SINCE else ""
    ended = alone_with(
        connection, source, lambda: execute(connection, "CREATE DATABASE {} TEMPLATE {}" + options, name, source)
    )
    copy_properties(connection, source, name)
    mark_database(connection, name, mark)
    return ended


def drop_database(connection: Connection, name: str) -> None:
    """Drop a database with every session on it; nothing happens if it does not exist."""
    execute(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def swap_databases(
    connection: Connection, *, current: str, replacement: str, kept: str, mark: Mapping[str, Any]
) -> tuple[Session, ...]:
    """Put `replacement` in the place of `current`, which stays as `kept`: both renames or none.

    `replacement` takes over comment, settings and privileges of `current`, `kept` gets `mark` as its comment.
    Sessions on `current` are ended; those are returned.
    """
    comment = connection.exec_driver_sql(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", (current,)
    ).scalar_one()
    copy_properties(connection, current, replacement)

    def rename_both() -> None:
        connection.exec_driver_sql("BEGIN")
        try:
            execute(connection, "ALTER DATABASE {} RENAME TO {}", current, kept)
            execute(connection, "ALTER DATABASE {} RENAME TO {}", replacement, current)
            execute(connection, "COMMENT ON DATABASE {} IS {comment}", current, comment=comment)
            mark_database(connection, kept, mark)
            connection.exec_driver_sql("COMMIT")
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise

    ended = alone_with(connection, replacement, lambda: None)
    return ended + alone_with(connection, current, rename_both)


def mark_database(connection: Connection, name: str, mark: Mapping[str, Any]) -> None:
    """Note in a database's comment that hop made it, and what it is: `mark` has at least `kind` and `of`."""
    text = MARK_PREFIX + json.dumps(mark, sort_keys=True)
    execute(connection, "COMMENT ON DATABASE {} IS {text}", name, text=text)


def marked_databases(connection: Connection, of: str) -> tuple[Mark, ...]:
    """The databases that hop made beside the database `of`."""
    rows = connection.exec_driver_sql(
        "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database ORDER BY datname"
    )
    marks = []
    for name, comment in rows:
        if comment is None or not comment.startswith(MARK_PREFIX):
            continue
        try:
            data = json.loads(comment[len(MARK_PREFIX) :])
            if data["of"] == of:
                marks.append(Mark(name, data.pop("kind"), data.pop("of"), data.pop("release", None), data))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return tuple(marks)
