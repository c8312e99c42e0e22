"""What a package was last made from, so that it is not made again from the same.

It is noted in a file that belongs to one place and is never committed. Where anything is in doubt, the package is made.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hop_tasks.installed import hop_version, installed_version
from hop_tasks.package.planning import PACKAGE_MODULE


@dataclass(frozen=True)
class Memory:
    """The file with the note, and the folder of the package that it is about."""

    file: Path
    folder: Path

    def recalls(self, key: str, files: Mapping[Path, bytes]) -> bool:
        """Whether the package's files, those of hop's that are there, are what was made from what `key` stands for."""
        try:
            noted = json.loads(self.file.read_bytes())
            same = noted["key"] == key and noted["files"] == self._digests(files)
        except (OSError, ValueError, KeyError, TypeError):
            return False
        folders = {parent for path in files for parent in path.parents if parent.is_relative_to(self.folder)}
        return bool(same and all((folder / PACKAGE_MODULE).is_file() for folder in folders))

    def note(self, key: str, files: Mapping[Path, bytes]) -> None:
        """Note that files were made from what `key` stands for; where that cannot be written, they are made again."""
        with suppress(OSError):
            self.file.write_text(json.dumps({"key": key, "files": self._digests(files)}, indent=2) + "\n")

    def _digests(self, files: Mapping[Path, bytes]) -> dict[str, str]:
        return {path.relative_to(self.folder).as_posix(): _digest(content) for path, content in files.items()}


def make_key(*parts: str | None) -> str:
    """A key for what a package is made from, and what makes it: hop, its libraries, and Python."""
    sources = sorted(Path(__file__).parent.iterdir())
    # hop's own, where it is being worked on and its version says nothing.
    stamps = [f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in sources if path.is_file()]
    versions = [hop_version(), installed_version("sqlalchemy"), installed_version("sqlacodegen"), sys.version]
    return _digest(json.dumps([*parts, *versions, *stamps]).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
