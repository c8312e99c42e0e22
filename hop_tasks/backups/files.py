"""The folder of backups, new files in it, and checksums over what is there."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from hop_tasks.disk import PRIVATE_FILE, PRIVATE_FOLDER, files_of

BLOCK = 1 << 20


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


def digest(path: Path) -> str:
    """The sha256 of a file; of a folder, over the lines `<sha256>  <path>` of its files, sorted by path."""
    if not path.is_dir():
        return _digest_of_file(path)
    names = sorted(file.relative_to(path).as_posix() for file in files_of(path))
    lines = [f"{_digest_of_file(path / name)}  {name}\n" for name in names]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _digest_of_file(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
    return found.hexdigest()
