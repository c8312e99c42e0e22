"""What `hop watch` looks at: the branch, and the content of the files that a round depends on.

Whether there is something to do is told by what is there now, and not by what the operating system says of files: an
editor's temporary files, a burst of saves, an event that was lost, and a file that was saved as it was, all come out
right.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from hop_tasks.names import version_of_branch
from hop_tasks.package import is_generated
from hop_tasks.project import Project
from hop_tasks.repository import GitFolder
from hop_tasks.scripts import is_patch_file, patch_folders
from hop_tasks.versions import Version

TESTS = "tests"
PYTHON = ".py"

JUNK = re.compile(r"\..*|.*~|#.*#|.*\.(?:tmp|swp|swx|swo|bak|orig|rej|part)|\d+|.*___jb_\w+___|.*\.sb-\w+-\w+")
"""Names of what editors and git leave beside a file for a while (4913 is Vim's)."""

LARGE = 8_000_000
"""Bytes above which a file, of data to be loaded, is known by its time and size and not by its content."""

JUNK_FOLDER = re.compile(r"\..*|__pycache__")

SETTLED_NS = 2_000_000_000
"""A file's time tells that it is the same only if it is older than that when the file is read: no file system's clock
has longer ticks."""


@dataclass(frozen=True)
class Look:
    """What there was to see at one time; each mapping is from the path below the project's root to a checksum.

    Attributes:
        head: the branch, or the commit where HEAD is detached.
        git_at_work: what git is in the middle of, if it is.
        release: the files that make the release, and their neighbours.
        package: the project's own code.
        tests: its tests, where a command may run them.
        is_imported: whether the release has Python files, which may import the package.
    """

    head: str
    git_at_work: str | None
    release: Mapping[str, str]
    package: Mapping[str, str]
    tests: Mapping[str, str] | None
    is_imported: bool

    @property
    def version(self) -> Version | None:
        """The release that the branch prepares."""
        return version_of_branch(self.head)

    def applies_as(self, earlier: Look) -> bool:
        """Whether an apply would find the same."""
        same = (self.head, self.release) == (earlier.head, earlier.release)
        return same and (not self.is_imported or self.package == earlier.package)

    def is_as(self, earlier: Look) -> bool:
        """Whether a round would find the same."""
        return self.applies_as(earlier) and self._counting() == earlier._counting(like=self)

    def changed_since(self, earlier: Look) -> tuple[str, ...]:
        """What is new, as a person calls it: files of the release by their names, others by their paths."""
        if self.head != earlier.head:
            return (f"on {self.head}",)
        before, now = earlier._counting(like=self), self._counting()
        own = f"{patch_folders(self.version)[1]}/" if self.version else "/"
        return tuple(
            f"{path.removeprefix(own)}{'' if path in now else ' removed'}"
            for path in sorted(before.keys() | now.keys())
            if before.get(path) != now.get(path)
        )

    def with_package_of(self, later: Look, paths: Iterable[str]) -> Look:
        """The same, with some files of the package as they were seen later."""
        wanted = {path: checksum for path in paths if (checksum := later.package.get(path)) is not None}
        return replace(self, package={**self.package, **wanted})

    def _counting(self, like: Look | None = None) -> Mapping[str, str]:
        """All that a round like another one depends on."""
        if (like or self).is_imported or self.tests is not None:
            return {**self.release, **self.package, **(self.tests or {})}
        return self.release


@dataclass
class Watched:
    """The places that are looked at.

    Attributes:
        project: the project.
        git: Git's folder.
        with_tests: whether there is a command, for which the tests count, and the package in any case.
    """

    project: Project
    git: GitFolder
    with_tests: bool
    _known: dict[str, tuple[tuple[int, ...], str | None]] = field(default_factory=dict)

    def folders(self) -> Mapping[Path, tuple[int, int]]:
        """The folders to be watched with what is below them, as far as they are there, and which ones they are."""
        found = {}
        places = [self.project.patches, self.project.package_folder]
        for path in [*places, self.project.root / TESTS] if self.with_tests else places:
            try:
                status = path.stat()
            except OSError:
                continue
            found[path] = (status.st_dev, status.st_ino)
        return found

    def look(self) -> Look:
        """What is there now."""
        at_work, head = self.git.at_work(), self.git.head()
        version = version_of_branch(head)
        known, self._known = self._known, {}
        package = self.project.settings.package
        release = dict(self._read(patch_folders(version) if version else (), known))
        return Look(
            head,
            # Also if it has begun meanwhile.
            at_work or self.git.at_work(),
            release,
            dict(self._read([package], known, only=PYTHON)),
            dict(self._read([TESTS], known, only=PYTHON)) if self.with_tests else None,
            any(path.endswith(PYTHON) and is_patch_file(path) for path in release),
        )

    def _read(
        self, folders: Iterable[str], known: Mapping[str, tuple[tuple[int, ...], str | None]], *, only: str = ""
    ) -> Iterator[tuple[str, str]]:
        """Path and checksum of each file below folders, less what hop has generated."""
        for folder in folders:
            for path in _files(self.project.root / folder, only):
                shown = path.relative_to(self.project.root).as_posix()
                entry = self._known.get(shown) or _entry(path, known.get(shown))
                if entry is None:
                    continue
                self._known[shown] = entry
                if entry[1] is not None:
                    yield shown, entry[1]


def _files(folder: Path, suffix: str) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not JUNK_FOLDER.fullmatch(name)]
        for name in names:
            if name.endswith(suffix) and not JUNK.fullmatch(name):
                yield Path(place, name)


def _entry(path: Path, known: tuple[tuple[int, ...], str | None] | None) -> tuple[tuple[int, ...], str | None] | None:
    """A file's time and place on the disk, and its checksum, which is None for one that hop has generated.

    None for a file that has just gone.
    """
    try:
        status = path.stat()
        at = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if known is not None and known[0] == at:
            return known
        if status.st_size > LARGE:
            return at, str(at)
        content = path.read_bytes()
    except OSError:
        return None
    checksum = None if path.suffix == PYTHON and is_generated(content) else hashlib.sha256(content).hexdigest()
    settled = time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > SETTLED_NS
    return (at if settled else ()), checksum
