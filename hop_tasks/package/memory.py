"""What a package was made from lately, so that it is not made again from the same.

It is noted in files that belong to one place and are never committed. Where anything is in doubt, the package is made.
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

TEXTS_KEPT = 8
"""How many packages are remembered: a release that is applied and undone, and some before it."""


@dataclass(frozen=True)
class Memory:
    """The file with the note, beside which are the texts that were made, and the folder of the package."""

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

    def find(self, key: str) -> dict[str, str] | None:
        """What was made from what `key` stands for: path -> text; None if that is not known any more."""
        path = self._texts / key
        try:
            digest, texts = path.read_bytes().split(b"\n", 1)
            if digest.decode() != _digest(texts):
                return None
            found: dict[str, str] = json.loads(texts)
            path.touch()
        except (OSError, ValueError):
            return None
        return found

    def keep(self, key: str, texts: Mapping[str, str]) -> None:
        """Remember what was made; the oldest of it is forgotten."""
        content = json.dumps(dict(texts)).encode()
        path = self._texts / key
        with suppress(OSError):
            self._texts.mkdir(exist_ok=True)
            try:
                path.write_bytes(_digest(content).encode() + b"\n" + content)
            except OSError:
                # On a full disk, half of it would only be in the way.
                path.unlink(missing_ok=True)
                raise
            by_age = sorted(self._texts.iterdir(), key=lambda path: path.stat().st_mtime_ns)
            for path in by_age[:-TEXTS_KEPT]:
                path.unlink(missing_ok=True)

    @property
    def _texts(self) -> Path:
        return self.file.with_suffix("")

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
