"""Reading released versions from their tags, never from the work tree."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hop_tasks.errors import IncompleteError, SealError
from hop_tasks.manifest import MANIFEST_NAME, Manifest
from hop_tasks.names import baseline_tag
from hop_tasks.repository import ObjectReader, Repository, object_reader, tag_ref
from hop_tasks.scripts import CheckedScripts, PatchFile, ReleaseScripts, check_scripts, order_files, patch_folders
from hop_tasks.versions import Version


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


class ReleaseReader:
    """Reads released versions from their tags, never from the work tree."""

    def __init__(self, repository: Repository, objects: ObjectReader, stack: ExitStack) -> None:
        self._repository = repository
        self._objects = objects
        self._stack = stack

    def read(self, version: Version) -> Deployable:
        """A released version.

        Raises IncompleteError if its folder, its manifest or a file named there is missing at the tag, SealError if
        the files there are not those that were sealed.
        """
        tag, folder = tag_ref(str(version)), patch_folders(version)[1]
        tree = self._objects.read(f"{tag}:{folder}")
        if tree is None or tree[1] != "tree":
            raise IncompleteError(
                f"release {version} is incomplete: there is no folder {folder} at its tag; nothing was changed",
                hint=f"git show --stat {version}",
            )
        manifest = self.manifest(version)
        files = [
            PatchFile(path, content)
            for part in patch_folders(version)
            for path, content in (self._objects.files(tag, part) or {}).items()
        ]
        scripts = order_files(version, files)
        _require_sealed(version, manifest, scripts)
        return Deployable(
            version=version,
            message=manifest.message,
            scripts=check_scripts(scripts),
            commit=self._repository.resolve(tag),
            author=self._repository.author(tag),
            root=lambda: self._export(tag),
            tag=str(version),
            tree=tree[0],
        )

    def manifest(self, version: Version) -> Manifest:
        """The manifest of a released version. Raises IncompleteError if there is none."""
        return self._manifest(version)[1]

    def _manifest(self, version: Version) -> tuple[str, Manifest]:
        """The manifest, and the ref at which it is: that of the baseline for the one at which hop took over."""
        path = f"{patch_folders(version)[1]}/{MANIFEST_NAME}"
        found = self._objects.read(f"{tag_ref(str(version))}:{path}")
        manifest = None if found is None else Manifest.parse(found[2].decode("utf-8", "replace"), path)
        if manifest is None or not manifest.sealed:
            baseline = tag_ref(baseline_tag(version))
            adopted = self._objects.read(f"{baseline}:{path}")
            if adopted is not None:
                return baseline, Manifest.parse(adopted[2].decode("utf-8", "replace"), path)
        if manifest is None:
            raise IncompleteError(
                f"release {version} is incomplete: there is no {path} at its tag; nothing was changed",
                hint=f"git show --stat {version}",
            )
        return tag_ref(str(version)), manifest

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

    def _export(self, tag: str) -> Path:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="hop-release-"))).resolve()
        self._objects.export(f"{tag}^{{tree}}", folder)
        return folder


@contextmanager
def release_reader(repository: Repository) -> Iterator[ReleaseReader]:
    """A ReleaseReader for as long as the body runs; its exported trees are removed at the end."""
    with ExitStack() as stack, object_reader(repository.git) as objects:
        yield ReleaseReader(repository, objects, stack)


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
