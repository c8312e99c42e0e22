"""Loading a backup into an empty database."""

from __future__ import annotations

from pathlib import Path

from hop_tasks.backups.notes import Backup, Kind
from hop_tasks.database.archives import restore_archive
from hop_tasks.database.clients import find_client
from hop_tasks.database.engines import Database
from hop_tasks.errors import BackupError, DatabaseError


def restore_backup(
    backup: Backup, target: Database, *, server_version: int, programs: Path | None, jobs: int = 1
) -> None:
    """Restore a sound backup into the empty database `target`, the whole of it.

    Args:
        backup: one that `find_damage` found nothing wrong with, and that pg_restore reads.
        target: the empty database.
        server_version: libpq's number of the server's version.
        programs: the only folder to look for pg_restore in.
        jobs: how many tables of the format directory are loaded at the same time.

    Raises BackupError if that fails.
    """
    newest = max(server_version, backup.tool_version or backup.server_version)
    program = find_client("pg_restore", newest, folder=programs)
    options = [f"--jobs={jobs}"] if backup.kind is Kind.DIRECTORY else []
    try:
        restore_archive(program, options, backup.path, target.address, server_version=server_version)
    except DatabaseError as error:
        raise BackupError(
            f"backup {backup.path} could not be restored: {error.message}; the database serves as before",
            hint=error.hint,
            details=error.details,
        ) from error
