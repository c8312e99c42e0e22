"""Reading released versions from their tags, never from the work tree."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import tee
from pathlib import Path

from hop_tasks.errors import IncompleteError, SealError
from hop_tasks.manifest import MANIFEST_NAME, Manifest
from hop_tasks.names import baseline_tag
from hop_tasks.repository import (
    CommitFolders,
    ObjectReader,
    Repository,
    object_reader,
    read_blobs,
    read_folders,
    tag_ref,
)
from hop_tasks.scripts import CheckedScripts, PatchFile, ReleaseScripts, check_scripts, order_files, patch_folders
from hop_tasks.versions import Version

ROOM = 4 * 2**20
"""Bytes for the scripts of releases that were checked and are about to be deployed: most upgrades read and parse
nothing twice then, and the largest need no more memory."""

OVERHEAD = 1000
"""Bytes that the scripts of a small release take besides twice what is in its files, as measured with CPython 3.11."""


@dataclass(frozen=True)
class Deployable:
    """A release that can be brought into a database.

    Attributes:
        version, message, scripts: what it is.
        commit, author: where it comes from.
        root: gives the folder that its Python files import from.
        tag: the tag that it was read from; None for one read from the work tree.
        tree: Git's id of the folder of its patch files at that tag; None for one read from the work tree.
    """

    version: Version
    message: str
    scripts: CheckedScripts
    commit: str | None
    author: str | None
    root: Callable[[], Path]
    tag: str | None = None
    tree: str | None = None

    @property
    def checksum(self) -> str:
        """The checksum over all its patch files."""
        return self.scripts.scripts.checksum


@dataclass(frozen=True)
class CheckedRelease:
    """A release that was read and found good, in the end less what is in its files: there may be thousands.

    Attributes:
        version, message, commit, author, tree, base: as of a Deployable.
        files: the paths of its files in their order, with Git's ids of what is in them.
        scripts: what is in them, for as many releases as there is ROOM for.
    """

    version: Version
    message: str
    commit: str
    author: str
    tree: str
    base: Version | None
    files: tuple[tuple[str, str], ...]
    scripts: CheckedScripts | None = None


class ReleaseReader:
    """Reads released versions from their tags, never from the work tree."""

    def __init__(self, objects: ObjectReader, stack: ExitStack) -> None:
        self._objects = objects
        self._stack = stack

    def read(self, version: Version) -> Deployable:
        """A released version.

        Raises IncompleteError if its folder, its manifest or a file named there is missing at the tag, SealError if
        the files there are not those that were sealed.
        """
        return next(self.read_checked(self.check_all([(version, tag_ref(str(version)))])))

    def check_all(self, releases: Sequence[tuple[Version, str]]) -> Iterator[CheckedRelease]:
        """Released versions one after the other, each with a name of Git's for its commit.

        Raises as `read` does, when it comes to the one that is wrong.
        """
        found = read_folders(self._objects, ((commit, patch_folders(version)) for version, commit in releases))
        room = ROOM
        for (version, _), folders in zip(releases, found, strict=True):
            release, size = _checked(version, folders)
            room -= size
            yield release if room >= 0 else replace(release, scripts=None)

    def read_checked(self, releases: Iterable[CheckedRelease]) -> Iterator[Deployable]:
        """Releases that were checked, one after the other; besides those that are kept, not more than a block of them
        is in memory.

        What has an id of Git's does not change, and is not checked again.
        """
        for_contents, checked = tee(releases)
        lacking = ([] if release.scripts else [blob for _, blob in release.files] for release in for_contents)
        for release, contents in zip(checked, read_blobs(self._objects, lacking), strict=True):
            yield Deployable(
                version=release.version,
                message=release.message,
                scripts=release.scripts or _parsed(release, contents),
                commit=release.commit,
                author=release.author,
                root=partial(self._export, release.commit),
                tag=str(release.version),
                tree=release.tree,
            )

    def manifest(self, version: Version) -> Manifest:
        """The manifest of a released version. Raises IncompleteError if there is none."""
        return self._manifest(version)[1]

    def _manifest(self, version: Version) -> tuple[str, Manifest]:
        """The manifest, and the ref at which it is: that of the baseline for the one at which hop took over."""
        path = f"{patch_folders(version)[1]}/{MANIFEST_NAME}"
        tag, baseline = tag_ref(str(version)), tag_ref(baseline_tag(version))
        found = self._objects.read(f"{tag}:{path}")
        manifest = None if found is None else _manifest(version, path, found[2])
        if manifest is not None and manifest.sealed:
            return tag, manifest
        adopted = self._objects.read(f"{baseline}:{path}")
        if adopted is not None and (there := _manifest(version, path, adopted[2])).is_taken_over:
            return baseline, there
        return tag, manifest or _manifest(version, path, None)

    def is_first(self, version: Version) -> bool:
        """Whether a released version is the one with which hop took the database over. Raises as `manifest` does."""
        return self.manifest(version).is_first

    def schema(self, version: Version, path: str) -> PatchFile:
        """The schema file of a released version. Raises IncompleteError if there is none."""
        found = self._objects.read(f"{self._manifest(version)[0]}:{path}")
        if found is None:
            raise IncompleteError(
                f"there is no {path} at tag {version}, which an empty database begins with; nothing was changed",
                hint="restore a dump of the database, then hop upgrade --baseline X.Y.Z",
            )
        return PatchFile(path, found[2])

    def _export(self, commit: str) -> Path:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="hop-release-"))).resolve()
        self._objects.export(f"{commit}^{{tree}}", folder)
        return folder


@contextmanager
def release_reader(repository: Repository) -> Iterator[ReleaseReader]:
    """A ReleaseReader for as long as the body runs; its exported trees are removed at the end."""
    with ExitStack() as stack, object_reader(repository.git) as objects:
        yield ReleaseReader(objects, stack)


def _parsed(release: CheckedRelease, contents: Sequence[bytes]) -> CheckedScripts:
    files = (PatchFile(path, content) for (path, _), content in zip(release.files, contents, strict=True))
    return check_scripts(ReleaseScripts(release.version, tuple(files)))


def _checked(version: Version, found: CommitFolders | None) -> tuple[CheckedRelease, int]:
    """The release with its scripts, and the bytes that these take."""
    _, folder, _ = patch_folders(version)
    if found is None or folder not in found.trees:
        raise IncompleteError(
            f"release {version} is incomplete: there is no folder {folder} at its tag; nothing was changed",
            hint=f"git show --stat {version}",
        )
    path = f"{folder}/{MANIFEST_NAME}"
    manifest = _manifest(version, path, found.files.get(path))
    scripts = order_files(version, (PatchFile(path, content) for path, content in found.files.items()))
    _require_sealed(version, manifest, scripts)
    checked = CheckedRelease(
        version=version,
        message=manifest.message,
        commit=found.commit,
        author=found.author,
        tree=found.trees[folder],
        base=manifest.base,
        files=tuple((file.path, found.blobs[file.path]) for file in scripts.files),
        scripts=check_scripts(scripts),
    )
    return checked, OVERHEAD + 2 * sum(len(file.content) for file in scripts.files)


def _manifest(version: Version, path: str, content: bytes | None) -> Manifest:
    if content is None:
        raise IncompleteError(
            f"release {version} is incomplete: there is no {path} at its tag; nothing was changed",
            hint=f"git show --stat {version}",
        )
    return Manifest.parse(content.decode("utf-8", "replace"), path)


def _require_sealed(version: Version, manifest: Manifest, scripts: ReleaseScripts) -> None:
    """Raises IncompleteError or SealError unless the files at a tag are exactly those that its manifest names."""
    if not manifest.sealed:
        raise SealError(
            f"tag {version} is no release: its manifest is not sealed; nothing was changed",
            hint=f"git tag -d {version}, if it was made by mistake; hop release makes the tag",
        )
    sealed, found = manifest.checksums, scripts.checksums
    if manifest.is_first:
        return
    where = patch_folders(version)[1]
    missing = sorted(path for path in sealed if path not in found)
    if missing:
        raise IncompleteError(
            f"release {version} is incomplete: its manifest names {', '.join(missing)}, not there at its tag; "
            "nothing was changed",
            hint=f"git log --stat {version} -- {where}",
        )
    wrong = sorted(path for path in found if sealed.get(path) != found[path])
    if wrong or manifest.version != version:
        what = ", ".join(wrong) or "the version"
        raise SealError(
            f"release {version} is not what was sealed: {what} differs from its manifest; nothing was changed",
            hint=f"git log -p {version} -- {where}, and find out who changed it after its release",
        )
