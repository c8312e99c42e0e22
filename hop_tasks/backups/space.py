"""Whether a backup can be written: the folder, and the room that there is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from hop_tasks.backups.notes import Backup
from hop_tasks.errors import BackupError
from hop_tasks.report import shown_size

MARGIN = 1.2
"""What a new backup may be larger than the last one, for the same size of the database."""

COMPRESSED = 0.5
"""How large the first backup may be, for one byte of tables without indexes; pg_dump compresses."""


def estimate_size(previous: Sequence[Backup], *, database_size: int, tables_size: int) -> int:
    """How many bytes a new backup needs: by the last one and how the database has grown, or by its tables.

    Args:
        previous: the backups of the database, newest first.
        database_size: bytes of the database now.
        tables_size: bytes of its tables now, without indexes.
    """
    for backup in previous:
        if backup.size and backup.database_size:
            return int(backup.size * max(1.0, database_size / backup.database_size) * MARGIN)
    return int(tables_size * COMPRESSED)


def require_folder(folder: Path) -> None:
    """Raises BackupError if the folder cannot be written to, or cannot be made."""
    there = _nearest(folder)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise BackupError(
            f"no backup can be written to {folder}: {there} is not a folder that can be written to; "
            "nothing was changed",
            hint="name another folder in the setting backups",
        )


def require_space(folder: Path, needed: int) -> None:
    """Raises BackupError if less than `needed` bytes are free where the folder is or will be."""
    import shutil

    free = shutil.disk_usage(_nearest(folder)).free
    if free < needed:
        raise BackupError(
            f"a backup needs about {shown_size(needed)}, and {shown_size(free)} are free in {folder}; "
            "nothing was changed",
            hint="free some space (hop backups --prune), or name another folder in the setting backups",
        )


def _nearest(folder: Path) -> Path:
    """The folder, or the one above it that is there."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())
