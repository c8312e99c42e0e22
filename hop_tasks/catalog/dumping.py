"""Dumping a database's schema."""

from __future__ import annotations

from pathlib import Path

from hop_tasks.catalog.schema_dump import normalise_dump
from hop_tasks.database.clients import find_client, run_client
from hop_tasks.database.engines import Database

OPTIONS = (
    "--schema-only",
    "--no-owner",
    "--no-privileges",
    "--encoding=UTF8",
    "--no-subscriptions",
    '--exclude-schema="half_orm_meta"',
    '--exclude-schema="half_orm_meta.view"',
)
"""Owners and privileges name roles of one server, subscriptions another server; the registry is made by hop itself."""


def dump_schema(database: Database, server_version: int, *, programs: Path | None = None) -> str:
    """The schema of a database as SQL, less the registry; the same text for the same schema.

    Args:
        database: the database.
        server_version: libpq's number of its server's version.
        programs: the folder of pg_dump; searched for when None.

    Raises DatabaseError if there is no pg_dump for that server, or it fails.
    """
    return normalise_dump(run_client(find_client("pg_dump", server_version, folder=programs), OPTIONS, database.url))
