"""Noting a release in the registry, in the transaction of its patches: there exactly when they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hop_tasks.database.engines import driver_connection
from hop_tasks.registry.identity import read_database_id
from hop_tasks.registry.rows import ReleaseRow

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

INSERT = """
    INSERT INTO half_orm_meta.hop_release (
        major, minor, patch, changelog, commit, author, checksum, duration, applied_from, hop_release, tag, tree,
        started_at, dbid
    ) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
"""Nothing but literals: PostgreSQL takes a third of the time that it takes for a query in it."""

KEY = "hop_release_pkey"


def insert_release(connection: Connection, row: ReleaseRow) -> None:
    """Note a release in the caller's transaction."""
    connection.exec_driver_sql(INSERT, _values(row, read_database_id(connection)))


def noting_statement(connection: Connection, row: ReleaseRow, database_id: str | None) -> str:
    """SQL that notes a release, to be run on `connection` together with something else.

    `database_id` is the id of the connection's database, by its registry.
    """
    with driver_connection(connection).cursor() as cursor:
        quoted: bytes = cursor.mogrify(INSERT, _values(row, database_id))
    return quoted.decode()


def is_noted_already(error: BaseException | None) -> bool:
    """Whether a release could not be noted since the registry has it."""
    from psycopg2.errors import UniqueViolation

    return isinstance(error, UniqueViolation) and error.diag.constraint_name == KEY


def _values(row: ReleaseRow, database_id: str | None) -> tuple[Any, ...]:
    version = row.version
    return (
        version.major,
        version.minor,
        version.patch,
        row.message,
        row.commit,
        row.author,
        row.checksum,
        row.duration,
        row.applied_from,
        row.hop_version,
        row.tag,
        row.tree,
        row.started_at,
        database_id,
    )
