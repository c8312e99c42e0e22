"""Files and folders that nobody else may read, and that are on the disk when they are said to be."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

BLOCK = 1 << 20
PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


def make_folder(folder: Path) -> None:
    """Make the folder of backups for nobody else to read, and for Git to ignore; one that is there stays as it is."""
    if not folder.exists():
        folder.mkdir(mode=PRIVATE_FOLDER, parents=True)
        (folder / ".gitignore").write_text("*\n")


def create_private(path: Path, content: bytes) -> None:
    """Write a new file and bring it to the disk. Raises FileExistsError if there is one."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


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


def digest(path: Path) -> str:
    """The sha256 of a file; of a folder, over the lines `<sha256>  <path>` of its files, sorted by path."""
    if not path.is_dir():
        return _digest_of_file(path)
    names = sorted(file.relative_to(path).as_posix() for file in files_of(path))
    lines = [f"{_digest_of_file(path / name)}  {name}\n" for name in names]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


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


def _digest_of_file(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
    return found.hexdigest()
