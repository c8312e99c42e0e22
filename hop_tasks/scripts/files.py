"""Patch files: which there are for a release, in which order they run, and what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hop_tasks.errors import PatchError
from hop_tasks.manifest import MANIFEST_NAME
from hop_tasks.scripts.excerpts import excerpt
from hop_tasks.versions import Version

PATCHES = "Patches"
PRE = "pre"
POST = "post"
SQL = ".sql"
PYTHON = ".py"
PSQL = ".psql"
KINDS = (SQL, PYTHON, PSQL)


@dataclass(frozen=True)
class PatchFile:
    """One patch file.

    Attributes:
        path: from the project's root, with slashes.
        content: its bytes.
    """

    path: str
    content: bytes

    @property
    def kind(self) -> str:
        """Its suffix, which decides how it is run."""
        name = self.path.rpartition("/")[2].lstrip(".")
        return (name[name.rfind(".") :] if "." in name else "").lower()

    @property
    def text(self) -> str:
        """Its text. Raises PatchError, which names the place, if it is not UTF-8."""
        try:
            return self.content.decode("utf-8")
        except UnicodeDecodeError as error:
            line = self.content.count(b"\n", 0, error.start) + 1
            column = error.start - (self.content.rfind(b"\n", 0, error.start) + 1) + 1
            byte = self.content[error.start]
            raise PatchError(
                f"{self.path}:{line}:{column}: the file is not UTF-8 (byte 0x{byte:02x}); nothing was changed",
                hint=f"convert it, for example: iconv -f latin1 -t utf-8 {self.path}",
                details=excerpt(self.content.decode("utf-8", "replace"), line, column),
            ) from error

    @cached_property
    def checksum(self) -> str:
        """`sha256:…` over its bytes."""
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"


@dataclass(frozen=True)
class ReleaseScripts:
    """All the files that make one release, in the order in which they run: pre, the release's own, post."""

    version: Version
    files: tuple[PatchFile, ...]

    @property
    def own(self) -> tuple[PatchFile, ...]:
        """The release's own files, without those of pre and post."""
        return tuple(file for file in self.files if is_own(file.path, self.version))

    @property
    def checksums(self) -> Mapping[str, str]:
        """Path -> checksum, of the files of pre and post too: they are part of what ran."""
        return {file.path: file.checksum for file in self.files}

    @property
    def checksum(self) -> str:
        """One checksum over the paths and contents of all files in their order."""
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(f"{file.path}\0{file.checksum}\n".encode())
        return f"sha256:{digest.hexdigest()}"


def patch_folders(version: Version) -> tuple[str, str, str]:
    """The folders of a release's patch files, in the order in which they run, from the project's root."""
    return f"{PATCHES}/{PRE}", f"{PATCHES}/{version.folder}", f"{PATCHES}/{POST}"


def is_own(path: str, version: Version) -> bool:
    """Whether the path is one of the release's own folder."""
    return path.startswith(f"{PATCHES}/{version.folder}/")


def is_patch_file(path: str) -> bool:
    """Whether a file is run: .sql, .py or .psql, and its name begins with neither `.` nor `_`.

    A name that begins with `_` is for Python modules that patches import.
    """
    name = path.rpartition("/")[2]
    return name != MANIFEST_NAME and not name.startswith((".", "_")) and name.lower().endswith(KINDS)


def order_files(version: Version, files: Iterable[PatchFile]) -> ReleaseScripts:
    """The scripts of a release from any files of the project: those of its three folders, in the order they run in."""
    folders = patch_folders(version)
    chosen = [
        (folders.index(folder), file.path.encode(), file)
        for file in files
        if is_patch_file(file.path) and (folder := file.path.rpartition("/")[0]) in folders
    ]
    return ReleaseScripts(version, tuple(file for _, _, file in sorted(chosen, key=lambda item: item[:2])))


def read_folder(root: Path, version: Version) -> ReleaseScripts:
    """The scripts of a release as they are in the work tree below `root`."""
    return order_files(version, _read(root, patch_folders(version)))


def _read(root: Path, folders: Sequence[str]) -> Iterable[PatchFile]:
    for folder in folders:
        if not (root / folder).is_dir():
            continue
        for path in (root / folder).iterdir():
            if is_patch_file(path.name) and path.is_file():
                yield PatchFile(path.relative_to(root).as_posix(), path.read_bytes())
