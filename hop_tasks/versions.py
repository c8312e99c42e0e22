"""Release versions X.Y.Z and the levels between them, by Semantic Versioning 2.0.0 (semver.org)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from hop_tasks.errors import UsageError

PLAIN = re.compile(r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})")
"""A release as semver.org has it, which needs no library; a repository may have thousands of them."""


class Level(Enum):
    """Which number of the version a release raises."""

    PATCH = "patch"
    MINOR = "minor"
    MAJOR = "major"

    @classmethod
    def parse(cls, text: str) -> Level:
        """The level named by `text`: patch, minor or major. Raises UsageError for anything else."""
        try:
            return cls(text.strip().lower())
        except ValueError:
            raise UsageError(
                f"there is no level {text!r}; a level is one of patch, minor, major", hint="hop prepare --level=patch"
            ) from None

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, order=True)
class Version:
    """A release version: three numbers, no pre-release and no build part."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> Version:
        """The version written as X.Y.Z. Raises UsageError for what semver does not accept as a plain release."""
        if isinstance(text, str) and (plain := PLAIN.fullmatch(text)):
            return cls(*map(int, plain.groups()))
        import semver

        try:
            parsed = semver.Version.parse(text)
        except (ValueError, TypeError):
            raise UsageError(f"{text!r} is not a version X.Y.Z", hint="write three numbers, such as 1.4.0") from None
        if parsed.prerelease or parsed.build:
            raise UsageError(f"{text!r} is not a plain release: pre-release and build parts are not supported")
        return cls(parsed.major, parsed.minor, parsed.patch)

    @classmethod
    def find(cls, text: str) -> Version | None:
        """The version written as X.Y.Z, or None if `text` is something else."""
        try:
            return cls.parse(text)
        except UsageError:
            return None

    def bump(self, level: Level) -> Version:
        """The next version at `level`."""
        import semver

        raised = semver.Version(self.major, self.minor, self.patch).next_version(level.value)
        return Version(raised.major, raised.minor, raised.patch)

    @property
    def level(self) -> Level:
        """The level that led to this version: its last number that is not zero."""
        if self.patch:
            return Level.PATCH
        return Level.MINOR if self.minor else Level.MAJOR

    @property
    def folder(self) -> str:
        """The folder of its patch files below `Patches/`: X/Y/Z."""
        return f"{self.major}/{self.minor}/{self.patch}"

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


ORIGIN_VERSION = Version(0, 0, 0)
"""The version of a database when hop takes it over."""
