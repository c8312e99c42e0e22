"""The model: what origin, two developers and one production clone should be after each command.

A command that must be refused raises the class of error that hop must raise, and has done to the model what hop may
have done until then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from hop_tasks.errors import BackupError, MovedTagError, RepositoryError, StateError
from hop_tasks.versions import Level, Version
from tests.properties.effects import BEGINNING, Content, Files, Rows, content_of, steps_of


@dataclass(frozen=True)
class Release:
    """A released version: its files, the release before it, and a number that no other release has."""

    version: Version
    files: Files
    base: Release | None
    serial: int

    @property
    def lineage(self) -> tuple[Release, ...]:
        """The releases that it was made on top of, and itself, lowest first."""
        return (*(self.base.lineage if self.base else ()), self)

    @property
    def rows(self) -> Rows:
        return tuple((release.version, release.files) for release in self.lineage)


FIRST = Release(BEGINNING[0][0], (), None, 0)
SECOND = Release(BEGINNING[1][0], (), FIRST, 0)


def beginning() -> dict[Version, Release]:
    return {release.version: release for release in SECOND.lineage}


@dataclass
class Origin:
    """The bare repository: its main branch, its tags, and who has reserved which version by a branch."""

    main: Release = SECOND
    tags: dict[Version, Release] = field(default_factory=beginning)
    reserved: dict[Version, str] = field(default_factory=dict)


@dataclass
class Branch:
    """A release in preparation: the release that it is based on, its files as committed, and as in the tree."""

    fork: Release
    committed: Files = ()
    files: Files = ()


@dataclass
class Developer:
    """A developer's clone, and what the registry of the development database says."""

    name: str
    origin: Origin
    main: Release = SECOND
    seen: Release = SECOND
    """The main branch of origin, as last fetched."""
    reserved: dict[Version, str] = field(default_factory=dict)
    """The branches of origin, as last fetched."""
    tags: dict[Version, Release] = field(default_factory=beginning)
    branches: dict[Version, Branch] = field(default_factory=dict)
    head: Version | None = None
    rows: Rows = BEGINNING
    kept: bool = False

    @property
    def branch(self) -> Branch | None:
        return None if self.head is None else self.branches[self.head]

    @property
    def is_dirty(self) -> bool:
        return self.branch is not None and self.branch.files != self.branch.committed

    @property
    def has_diverged(self) -> bool:
        return self.seen not in self.main.lineage and self.main not in self.seen.lineage

    @property
    def is_behind(self) -> bool:
        """Whether there is something to fetch."""
        return self.main is not self.origin.main or self.reserved != self.origin.reserved

    @property
    def is_stuck(self) -> bool:
        """Whether there is something that can never be released any more."""
        return self.has_diverged or any(version < max(self.tags) for version in self.branches)

    def prepare(self, level: Level, *, push: bool) -> Version:
        self._require_clean()
        version = max(self.tags).bump(level)
        _require_free(level, self.tags, {*self.branches, *self.reserved})
        if max(self.origin.tags) > max(self.tags):
            raise StateError("origin is further")
        _require_free(level, self.origin.tags, set(self.origin.reserved))
        if push:
            self.origin.reserved[version] = self.reserved[version] = self.name
        self.branches[version] = Branch(self.main)
        self.head = version
        return version

    def apply(self) -> None:
        version, branch = self._in_preparation()
        if not self.is_dirty:
            branch.fork = self.main
        base = _base_below(version, branch.fork)
        content_of(base.rows).after(branch.files)
        self.rows = (*base.rows, (version, branch.files))

    def undo(self) -> None:
        (before, _), (version, files) = self.rows[-2:]
        if (version in self.tags and self.tags[version].files == files) or before not in self.tags:
            raise StateError("nothing to undo, or it is not known to where")
        self.rows = self.tags[before].rows

    def restore(self, version: Version) -> None:
        if version not in self.tags:
            raise StateError("no such release")
        self.rows = self.tags[version].rows

    def release(self, serial: int, *, push: bool) -> None:
        version, branch = self._in_preparation()
        self._require_clean()
        self.fetch()
        self.fast_forward()
        if version in self.tags or max(self.tags) > version or min(self._prepared()) < version:
            raise StateError("not the lowest")
        if self.reserved.get(version, self.name) != self.name:
            raise RepositoryError("somebody else's branch")
        base = _base_below(version, self.main)
        if self.rows != (*base.rows, (version, branch.files)):
            raise StateError("not applied as it is")
        self.main = self.tags[version] = Release(version, branch.files, base, serial)
        if push:
            self.push()
            if self.origin.reserved.pop(version, None):
                del self.reserved[version]
        del self.branches[version]
        self.head = None

    def push(self) -> None:
        """What `git push --follow-tags` of the main branch does."""
        if self.origin.main not in self.main.lineage:
            raise RepositoryError("not a fast-forward")
        self.origin.main = self.seen = self.main
        self.origin.tags |= {release.version: release for release in self.main.lineage}

    def fetch(self) -> None:
        """Raises MovedTagError if origin has another release of a version that was released here."""
        self.seen, self.reserved = self.origin.main, dict(self.origin.reserved)
        clashing = [
            release for release in self.origin.tags.values() if self.tags.get(release.version, release) != release
        ]
        self.tags = self.origin.tags | self.tags
        if clashing:
            raise MovedTagError("a tag is another one at origin")

    def fast_forward(self) -> None:
        if self.has_diverged:
            raise RepositoryError("both have moved on")
        if self.main in self.seen.lineage:
            self.main = self.seen

    def start_over(self) -> None:
        """All that is not at origin is given up, and what was reserved there."""
        for version in self.branches:
            if self.origin.reserved.get(version) == self.name:
                del self.origin.reserved[version]
        self.branches, self.head = {}, None
        self.tags = {}
        self.fetch()
        self.main = self.seen

    def _require_clean(self) -> None:
        if self.is_dirty:
            raise RepositoryError("dirty")

    def _in_preparation(self) -> tuple[Version, Branch]:
        if self.head is None or self.branch is None or self.head in self.tags:
            raise StateError("no branch of a release in preparation")
        return self.head, self.branch

    def _prepared(self) -> set[Version]:
        return {*self.branches, *self.reserved} - self.tags.keys()


def _require_free(level: Level, tags: dict[Version, Release], branches: set[Version]) -> None:
    if any(version.level is level for version in branches - tags.keys()):
        raise StateError("the level is taken")


def _base_below(version: Version, tip: Release) -> Release:
    return max((release for release in tip.lineage if release.version < version), key=lambda release: release.version)


@dataclass(frozen=True)
class Stored:
    """A production database: its releases, what is in it, and how many steps of the next release it has."""

    rows: Rows = BEGINNING
    content: Content = field(default_factory=Content)
    begun: int = 0

    @property
    def version(self) -> Version:
        return self.rows[-1][0]

    def bring(self, release: Release) -> Iterator[Stored]:
        """Its states while it gets a release, step by step. Raises PatchError where one fails."""
        steps = steps_of(release.files)
        stored = self
        for step in steps[self.begun :]:
            stored = replace(stored, content=stored.content.after(step), begun=stored.begun + 1)
            if stored.begun < len(steps):
                yield stored
        yield Stored((*self.rows, (release.version, release.files)), stored.content)


@dataclass
class Production:
    """A production clone with its database, its backups, and the databases that a restore has replaced."""

    origin: Origin
    stored: Stored = field(default_factory=Stored)
    backups: dict[Version, Stored] = field(default_factory=dict)
    """The newest of each release, from before the next one was begun."""
    replaced: list[Stored] = field(default_factory=list)

    def upgrade(self, to: Version | None) -> None:
        at = self.stored.version
        if to is not None and (to not in self.origin.tags or to < at):
            raise StateError("no such release, or a lower one")
        missing = [
            release
            for release in self.origin.main.lineage
            if at < release.version and (to is None or release.version <= to)
        ]
        if self.stored.begun and not missing:
            raise StateError("it is half way to a release above")
        if missing and not self.stored.begun:
            self.backups[at] = self.stored
        for release in missing:
            for stored in self.stored.bring(release):
                self.stored = stored

    def put(self, content: Content) -> None:
        """Somebody has changed rows by hand."""
        self.stored = replace(self.stored, content=content)

    def restore(self, version: Version, *, drop: bool) -> None:
        """The newest backup of a release, or where there is none the database at it that was replaced last.

        One in which the next release had been begun is none.
        """
        before = self.stored
        if version in self.backups:
            self.stored = self.backups[version]
        else:
            clean = enumerate(self.replaced)
            found = [number for number, stored in clean if stored.version == version and not stored.begun]
            if not found:
                raise BackupError("nothing to restore from")
            self.stored = self.replaced.pop(found[-1])
        if not drop:
            self.replaced.append(before)
