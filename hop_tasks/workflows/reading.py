"""Reading released versions from their tags, never from the work tree."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hop_tasks.errors import StateError
from hop_tasks.manifest import MANIFEST_NAME, Manifest
from hop_tasks.repository import ObjectReader, Repository, object_reader
from hop_tasks.scripts import CheckedScripts, PatchFile, check_scripts, order_files, patch_folders
from hop_tasks.versions import ORIGIN_VERSION, Version


@dataclass(frozen=True)
class Deployable:
    """A release that can be brought into a database.

    `root` gives the folder that its Python files import from, `commit` and `author` are where it comes from.
    """

    version: Version
    message: str
    scripts: CheckedScripts
    commit: str | None
    author: str | None
    root: Callable[[], Path]

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
        """A released version. Raises StateError for a folder or file that is missing or not what was sealed."""
        manifest = self.manifest(version)
        tag = str(version)
        files = [
            PatchFile(path, content)
            for folder in patch_folders(version)
            for path, content in (self._objects.files(tag, folder) or {}).items()
        ]
        scripts = order_files(version, files)
        if not manifest.sealed:
            raise StateError(
                f"tag {version} is no release: its manifest is not sealed; nothing was changed",
                hint=f"git tag -d {version}, if it was made by mistake; hop release makes the tag",
            )
        if version != ORIGIN_VERSION and dict(manifest.checksums) != dict(scripts.checksums):
            sealed, found = manifest.checksums, scripts.checksums
            wrong = sorted(path for path in {*sealed, *found} if sealed.get(path) != found.get(path))
            raise StateError(
                f"release {version} is not what was sealed: {', '.join(wrong)} differ from its manifest",
                hint=f"git show {version} -- {patch_folders(version)[1]}",
            )
        commit = self._repository.resolve(tag)
        return Deployable(
            version=version,
            message=manifest.message,
            scripts=check_scripts(scripts),
            commit=commit,
            author=self._repository.author(tag),
            root=lambda: self._export(tag),
        )

    def manifest(self, version: Version) -> Manifest:
        """The manifest of a released version."""
        path = f"{patch_folders(version)[1]}/{MANIFEST_NAME}"
        found = self._objects.read(f"{version}:{path}")
        if found is None:
            raise StateError(
                f"release {version} is incomplete: there is no {path} at its tag", hint=f"git show --stat {version}"
            )
        return Manifest.parse(found[2].decode("utf-8", "replace"), path)

    def schema(self, version: Version, path: str) -> PatchFile:
        """The schema file of a released version."""
        found = self._objects.read(f"{version}:{path}")
        if found is None:
            raise StateError(
                f"there is no {path} at tag {version}, which an empty database begins with",
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
