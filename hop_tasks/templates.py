"""The service `templates`: databases for tests, beside a development database, and the templates they are copied from.

Both bear a mark. A template gets its name and its mark at once, when it is whole, and lets nobody connect, so that it
can be copied at any time. A database for tests is leased by the program that uses it; one whose lease nobody holds was
left by a program that was killed. Every function takes a connection in autocommit to the maintenance database.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from hop_tasks.database.admin import (
    Mark,
    clone_database,
    create_database,
    database_exists,
    drop_database,
    mark_database,
    marked_databases,
)
from hop_tasks.database.engines import INSUFFICIENT_PRIVILEGE, Database
from hop_tasks.database.leases import Leases
from hop_tasks.database.sessions import alone_with, sessions_on
from hop_tasks.database.statements import execute, in_transaction
from hop_tasks.errors import DatabaseError
from hop_tasks.names import database_beside
from hop_tasks.versions import Version

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

TEST = "test"
TEMPLATE = "test_template"

KEPT_PREPARED = 3
KEPT_RELEASED = 5
"""How many templates stay, newest first: of releases in preparation, whose files change, and of others."""

LARGE = 64_000_000
"""Bytes of a database from which on its files are copied, with two checkpoints that wait for all that is written on the
server. Smaller ones go through the log: with the disk at work, 8 MB are made and dropped in 0.4 s instead of 1.3 s."""

RANDOM_BYTES = 6

OURS_OR_EMPTY = """
    SELECT to_regclass('half_orm_meta.hop_release') IS NOT NULL
        OR NOT EXISTS (SELECT FROM pg_class WHERE oid >= 16384)
"""
"""Whether a database has a registry, or nothing at all: objects of users have OIDs from 16384 on."""


def template_name(of: str, key: str) -> str:
    """The name of the template of a state."""
    return database_beside(of, f"template_{key[:12]}")


def find_template(connection: Connection, of: str, key: str) -> Mark | None:
    """The template of a state, if there is one."""
    marks = (mark for mark in marked_databases(connection, of) if mark.kind == TEMPLATE)
    return next((mark for mark in marks if _noted(mark, "key") == key), None)


def copy_for_tests(connection: Connection, leases: Leases, source: str, of: str, note: Mapping[str, Any]) -> str:
    """A copy of a database, leased; nobody may be on the source. `note` is what its mark says besides."""
    name = _new_name(leases, of)
    size = connection.exec_driver_sql("SELECT pg_database_size(%s)", (source,)).scalar_one()
    strategy = "wal_log" if size < LARGE else "file_copy"
    clone_database(connection, source, name, mark={"kind": TEST, "of": of, **note}, end=False, strategy=strategy)
    return name


def create_for_tests(connection: Connection, leases: Leases, of: str) -> str:
    """An empty database, leased."""
    name = _new_name(leases, of)
    create_database(connection, name)
    mark_database(connection, name, {"kind": TEST, "of": of})
    return name


def discard_test(connection: Connection, leases: Leases, name: str) -> None:
    """Drop a database for tests; if that fails, the next program does it."""
    from psycopg2 import Error

    with suppress(Error):
        drop_database(connection, name)
        leases.give_back(name)


def keep_as_template(
    connection: Connection, leases: Leases, made: str, of: str, *, key: str, release: Version, prepared: bool, run: str
) -> None:
    """Make a database for tests the template of a state, in the place of one that is there.

    Args:
        connection, leases: those that `made` was made with.
        made: the database.
        of: the development database.
        key: which state it is.
        release: the release it is at; `prepared` if that is in preparation.
        run: which run of the tests has made it.
    """
    name = template_name(of, key)
    older = next((mark for mark in marked_databases(connection, of) if mark.database == name), None)
    if older is not None and older.kind == TEMPLATE:
        drop_database(connection, name)
    if database_exists(connection, name):
        raise DatabaseError(
            f"database {name} is in the way: hop did not make it", hint="rename it, or drop it if nobody needs it"
        )
    mark = {
        "kind": TEMPLATE,
        "of": of,
        "release": str(release),
        "key": key,
        "prepared": prepared,
        "run": run,
        "at": datetime.now(timezone.utc).isoformat(),
    }

    def rename() -> None:
        with in_transaction(connection):
            execute(connection, "ALTER DATABASE {} ALLOW_CONNECTIONS false", made)
            mark_database(connection, made, mark)
            execute(connection, "ALTER DATABASE {} RENAME TO {}", made, name)

    alone_with(connection, made, rename)
    leases.give_back(made)


def prune_templates(connection: Connection, of: str) -> tuple[str, ...]:
    """Drop all templates but the newest ones."""
    templates = [mark for mark in marked_databases(connection, of) if mark.kind == TEMPLATE]
    templates.sort(key=lambda mark: str(_noted(mark, "at")), reverse=True)
    prepared = [mark for mark in templates if _noted(mark, "prepared")]
    released = [mark for mark in templates if not _noted(mark, "prepared")]
    surplus = (*prepared[KEPT_PREPARED:], *released[KEPT_RELEASED:])
    return tuple(mark.database for mark in surplus if _is_dropped(connection, mark.database))


def remove_test_leftovers(
    connection: Connection, leases: Leases, database: Database, of: str, *, run: str, kept: bool
) -> tuple[str, ...]:
    """Drop the databases for tests that were left by programs which are gone, and what these have half made.

    Args:
        connection, leases: on the server.
        database: any database of the server.
        of: the development database.
        run: this run of the tests, whose databases stay.
        kept: also those that an earlier run has kept to be looked at.
    """
    marks = {mark.database: mark for mark in marked_databases(connection, of) if mark.kind == TEST}
    random = 2 * RANDOM_BYTES
    pattern = re.compile(re.escape(database_beside(of, f"{TEST}_{'0' * random}")[:-random]) + f"[0-9a-f]{{{random}}}")
    rows = connection.exec_driver_sql(
        "SELECT datname FROM pg_database WHERE shobj_description(oid, 'pg_database') IS NULL ORDER BY datname"
    )
    unmarked = [name for (name,) in rows if pattern.fullmatch(name)]
    candidates = [
        name for name, mark in marks.items() if not (_noted(mark, "kept") and (not kept or _noted(mark, "run") == run))
    ]
    dropped = []
    for name in (*candidates, *unmarked):
        if not leases.take(name):
            continue
        try:
            ours = not sessions_on(connection, name) and (name in marks or _is_ours_or_empty(database.beside(name)))
            if ours and _is_dropped(connection, name):
                dropped.append(name)
        finally:
            leases.give_back(name)
    return tuple(dropped)


def is_unknown(database: Database) -> bool:
    """Whether a database has something in it, and none of hop's."""
    return not _is_ours_or_empty(database)


def _is_ours_or_empty(database: Database) -> bool:
    with database.connect() as connection:
        return bool(connection.exec_driver_sql(OURS_OR_EMPTY).scalar_one())


def _is_dropped(connection: Connection, name: str) -> bool:
    """Drop a database that nobody needs; False for one that belongs to another role."""
    from psycopg2 import Error

    try:
        drop_database(connection, name)
    except Error as error:
        if error.pgcode != INSUFFICIENT_PRIVILEGE:
            raise
        return False
    return True


def _noted(mark: Mark, key: str) -> Any:
    return (mark.extra or {}).get(key)


def _new_name(leases: Leases, of: str) -> str:
    """A new name, leased before there is a database of that name."""
    name = database_beside(of, f"{TEST}_{secrets.token_hex(RANDOM_BYTES)}")
    if not leases.take(name):
        raise DatabaseError(f"another program has the lease of {name}", hint="try again")
    return name
