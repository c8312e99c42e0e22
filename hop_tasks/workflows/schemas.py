"""The schema of a release, as it is kept in the repository."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from hop_tasks.catalog import dump_schema, dump_with_rows
from hop_tasks.database.engines import Database
from hop_tasks.scripts import without_statements

USER_MAPPING = re.compile(r"CREATE\s+USER\s+MAPPING\b", re.IGNORECASE)
"""A user mapping names a role of one server and holds its password."""


def released_schema(
    database: Database, server_version: int, *, programs: Path | None, reference_data: Sequence[str] = ()
) -> str:
    """The schema of a database as SQL, without secrets, and the rows of its reference tables.

    Args:
        database: the database.
        server_version: libpq's number of its server's version.
        programs: the folder of pg_dump; searched for when None.
        reference_data: the tables whose rows come along, as the setting names them.

    Raises DatabaseError if it cannot be dumped, ProjectError for reference data that is not there or that refers to
    rows which do not come along.
    """
    if reference_data:
        text = dump_with_rows(database, server_version, reference_data, programs=programs)
    else:
        text = dump_schema(database, server_version, programs=programs)
    return without_statements(text, USER_MAPPING)
