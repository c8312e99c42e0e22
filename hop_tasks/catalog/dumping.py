"""Dumping a database's schema, and the rows that belong to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hop_tasks.catalog.reference_data import read_reference_data
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


PRE_DATA = "pre-data"
POST_DATA = "post-data"


def dump_schema(
    database: Database, server_version: int, *, programs: Path | None = None, section: str | None = None
) -> str:
    """The schema of a database as SQL, less the registry; the same text for the same schema.

    Args:
        database: the database.
        server_version: libpq's number of its server's version.
        programs: the folder of pg_dump; searched for when None.
        section: PRE_DATA for what must be there before rows are loaded, POST_DATA for the rest; all when None.

    Raises DatabaseError if there is no pg_dump for that server, or it fails.
    """
    options = OPTIONS if section is None else (*OPTIONS, f"--section={section}")
    return normalise_dump(
        run_client(find_client("pg_dump", server_version, folder=programs), options, database.address)
    )


def dump_with_rows(
    database: Database, server_version: int, tables: Sequence[str], *, programs: Path | None = None
) -> str:
    """The schema of a database as `dump_schema` gives it, and the rows of some tables.

    Indexes, foreign keys and triggers come after the rows, so that these are loaded as they were written. The
    arguments are those of `dump_schema` and `read_reference_data`, as are the errors.
    """
    with database.connect() as connection:
        rows = read_reference_data(connection, tables)
    before, after = (
        dump_schema(database, server_version, programs=programs, section=section) for section in (PRE_DATA, POST_DATA)
    )
    return f"{before}{rows}\n{after}"
