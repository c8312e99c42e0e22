"""Branches and tags of a repository, read in one go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from hop_tasks.names import version_of_baseline, version_of_branch
from hop_tasks.versions import ORIGIN_VERSION, Level, Version, in_order

HEAD = "HEAD"
HEADS = "refs/heads/"
TAGS = "refs/tags/"
ORIGIN = "origin"
TRACKING = f"refs/remotes/{ORIGIN}/"


@dataclass(frozen=True)
class Refs:
    """The refs of one place: branch name -> commit, tag name -> commit, origin's branches as last fetched, and HEAD."""

    heads: Mapping[str, str]
    tags: Mapping[str, str]
    tracking: Mapping[str, str]
    head: str | None = None

    @classmethod
    def parse(cls, entries: Iterable[tuple[str, str]]) -> Refs:
        """From pairs of full ref name and commit."""
        found: dict[str, dict[str, str]] = {HEADS: {}, TAGS: {}, TRACKING: {}}
        head = None
        for name, commit in entries:
            for prefix, refs in found.items():
                if name.startswith(prefix):
                    refs[name[len(prefix) :]] = commit
            if name == HEAD:
                head = commit
        return cls(found[HEADS], found[TAGS], found[TRACKING], head)

    @classmethod
    def of_listing(cls, text: str) -> Refs:
        """From lines of id and ref, as git ls-remote and git show-ref write them."""
        entries = {}
        for row in text.splitlines():
            commit, name = row.split(maxsplit=1)
            entries[name.removesuffix("^{}")] = commit  # a peeled tag follows the tag itself
        return cls.parse(entries.items())

    @cached_property
    def released(self) -> tuple[Version, ...]:
        """The versions that have a tag, lowest first."""
        return in_order(version for tag in self.tags if (version := Version.find(tag)))

    @property
    def last_released(self) -> Version:
        """The highest version that has a tag; 0.0.0 if there is none."""
        return self.released[-1] if self.released else ORIGIN_VERSION

    @cached_property
    def baselines(self) -> tuple[Version, ...]:
        """The versions whose tag is called as that of a project which hop has taken over, lowest first."""
        return in_order(version for tag in self.tags if (version := version_of_baseline(tag)))

    @cached_property
    def in_preparation(self) -> tuple[Version, ...]:
        """The versions that have a branch, here or as last seen on origin, and no tag, lowest first."""
        released = set(self.released)
        names = {*self.heads, *self.tracking}
        return in_order({v for name in names if (v := version_of_branch(name)) and v not in released})

    def prepared_at(self, level: Level) -> Version | None:
        """The release in preparation of a level, if there is one."""
        return next((version for version in self.in_preparation if version.level is level), None)
