"""`Patches/X/Y/Z/MANIFEST.json`: what a release is, and, once sealed, what exactly was released."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hop_tasks.errors import StateError, UsageError
from hop_tasks.versions import Version

MANIFEST_NAME = "MANIFEST.json"


@dataclass(frozen=True)
class Manifest:
    """One release's manifest.

    Attributes:
        version: the release.
        message: what it is about, one line; also the registry's changelog and the tag's message.
        base: the release that it starts from; None for the one with which hop took the database over.
        hop_version: the hop that wrote it.
        checksums: file path in the repository -> `sha256:…`, sealed at release.
        fingerprint: the catalog's fingerprint after the release, sealed at release.
        taken_over_from: the tool whose release it is, at which hop took the project over; None for hop's own.
    """

    version: Version
    message: str
    base: Version | None
    hop_version: str
    checksums: Mapping[str, str] = field(default_factory=dict)
    fingerprint: str | None = None
    taken_over_from: str | None = None

    @property
    def sealed(self) -> bool:
        """Whether it has been released."""
        return self.fingerprint is not None

    @property
    def is_first(self) -> bool:
        """Whether it is that of the release with which hop took the database over."""
        return self.sealed and self.base is None

    @property
    def is_taken_over(self) -> bool:
        """Whether it is that of the release of another tool, at which hop took the project over."""
        return self.is_first and self.taken_over_from is not None

    def seal(self, *, base: Version | None, checksums: Mapping[str, str], fingerprint: str) -> Manifest:
        """This manifest with what exactly is released."""
        return replace(self, base=base, checksums=dict(checksums), fingerprint=fingerprint)

    @classmethod
    def parse(cls, text: str, where: str) -> Manifest:
        """The manifest written in `text`, also by half_orm's own tool; `where` is its path.

        Raises StateError if it is not one.
        """
        try:
            data: dict[str, Any] = json.loads(text)
            if "changelog_msg" in data and "version" not in data:
                # As half_orm's own tool writes it: the version is in the path only.
                version = Version.parse(".".join(where.split("/")[-4:-1]))
                return cls(version, str(data["changelog_msg"]), None, str(data.get("hop_version", "")))
            return cls(
                version=Version.parse(data["version"]),
                message=str(data["message"]),
                base=None if data["base"] is None else Version.parse(data["base"]),
                hop_version=str(data.get("hop_version", "")),
                checksums={str(key): str(value) for key, value in data.get("checksums", {}).items()},
                fingerprint=data.get("fingerprint"),
                taken_over_from=data.get("taken_over_from"),
            )
        except (ValueError, KeyError, TypeError, AttributeError, UsageError) as error:
            raise StateError(
                f"{where} is not a manifest that hop can read ({type(error).__name__}: {error})",
                hint=f"git log -p -- {where}",
            ) from error

    def __str__(self) -> str:
        data: dict[str, Any] = {
            "version": str(self.version),
            "level": self.version.level.value,
            "message": self.message,
            "base": None if self.base is None else str(self.base),
            "hop_version": self.hop_version,
        }
        if self.taken_over_from is not None:
            data["taken_over_from"] = self.taken_over_from
        if self.sealed:
            data["fingerprint"] = self.fingerprint
            data["checksums"] = dict(sorted(self.checksums.items()))
        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
