"""Whether a backup is what was written: its size, its checksum, and its table of contents."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hop_tasks.backups.files import digest
from hop_tasks.backups.notes import Backup, Kind
from hop_tasks.database.clients import find_client, run_client
from hop_tasks.database.engines import Database
from hop_tasks.disk import size_of
from hop_tasks.errors import DatabaseError

HEADER = re.compile(r"^;\s+(dbname|TOC Entries):[ ]?(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Contents:
    """What an archive says of itself: the database that was dumped, and the entries in its table of contents."""

    database: str
    entries: int


def read_contents(path: Path, server_version: int, *, database: Database, programs: Path | None) -> Contents:
    """The head of an archive's table of contents. Raises DatabaseError if pg_restore does not read it.

    Args:
        path: the archive, a file or a folder.
        server_version: of the server or the pg_dump that it came from, as libpq's number.
        database: any; nobody connects to it.
        programs: the only folder to look for pg_restore in.
    """
    program = find_client("pg_restore", server_version, folder=programs)
    found = dict(HEADER.findall(run_client(program, ["--list", str(path)], database.address)))
    try:
        return Contents(found["dbname"], int(found["TOC Entries"]))
    except (KeyError, ValueError):
        raise DatabaseError(f"pg_restore --list says nothing of the entries of {path}") from None


def find_damage(backup: Backup, *, database: Database, programs: Path | None) -> str | None:
    """What is wrong with a backup, in a person's words; None for a sound one, or one that was made elsewhere.

    The sidecar's own seal was checked when it was read. Raises DatabaseError if there is no pg_restore that fits.
    """
    if backup.kind is Kind.ELSEWHERE:
        return None
    try:
        size = size_of(backup.path)
        if size != backup.size:
            return f"it has {size} bytes instead of {backup.size}"
        if digest(backup.path) != backup.sha256:
            return "its checksum is another (sha256)"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    if not backup.is_archive:
        return None
    made_by = max(backup.server_version, backup.tool_version or 0)
    find_client("pg_restore", made_by, folder=programs)
    try:
        contents = read_contents(backup.path, made_by, database=database, programs=programs)
    except DatabaseError as error:
        return f"its table of contents cannot be read: {error.message}"
    if backup.entries not in (None, contents.entries):
        return f"its table of contents has {contents.entries} entries instead of {backup.entries}"
    if backup.kind is not Kind.COMMAND and contents.database != printed(backup.database):
        return f"it is a dump of the database {contents.database}, not of {backup.database}"
    return None


def printed(name: str) -> str:
    """A name as pg_restore prints it: on one line."""
    return re.sub(r"[\r\n]", " ", name)
