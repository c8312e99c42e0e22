"""Files and folders that nobody else may read, and that are on the disk when they are said to be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


def secure(path: Path) -> None:
    """Bring a file, or a folder with all that is in it, to the disk, readable by nobody else."""
    for file in files_of(path):
        file.chmod(PRIVATE_FILE)
        sync(file)
    if path.is_dir():
        for folder in (*(found for found in path.rglob("*") if found.is_dir()), path):
            folder.chmod(PRIVATE_FOLDER)
            sync(folder)


def sync(path: Path) -> None:
    """Bring one file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in files_of(path))


def files_of(path: Path) -> Iterator[Path]:
    """The file itself, or all files in a folder."""
    if path.is_dir():
        yield from (file for file in path.rglob("*") if file.is_file())
    else:
        yield path


def remove(path: Path) -> None:
    """Remove a file or a folder with all that is in it; nothing happens if it is not there."""
    if path.is_dir() and not path.is_symlink():
        import shutil

        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
