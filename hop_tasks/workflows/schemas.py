"""The schema of a release, as it is kept in the repository."""

from __future__ import annotations

import re
from pathlib import Path

from hop_tasks.catalog import dump_schema
from hop_tasks.database.engines import Database
from hop_tasks.scripts import without_statements

USER_MAPPING = re.compile(r"CREATE\s+USER\s+MAPPING\b", re.IGNORECASE)
"""A user mapping names a role of one server and holds its password."""


def released_schema(database: Database, server_version: int, *, programs: Path | None) -> str:
    """The schema of a database as SQL, without secrets.

    Args:
        database: the database.
        server_version: libpq's number of its server's version.
        programs: the folder of pg_dump; searched for when None.

    Raises DatabaseError if it cannot be dumped.
    """
    return without_statements(dump_schema(database, server_version, programs=programs), USER_MAPPING)
