"""Which state a database for tests has: its release, what it is made from, and a key that says both."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hop_tasks.database.statements import server_version
from hop_tasks.errors import StateError
from hop_tasks.installed import hop_version
from hop_tasks.manifest import MANIFEST_NAME, Manifest
from hop_tasks.names import release_branch, version_of_branch
from hop_tasks.project import Project
from hop_tasks.repository import Repository
from hop_tasks.scripts import patch_folders
from hop_tasks.snapshots import find_snapshots
from hop_tasks.versions import Version
from hop_tasks.workflows.apply import merged_base
from hop_tasks.workflows.bases import lineage_of
from hop_tasks.workflows.reading import ReleaseReader
from hop_tasks.workflows.workspace import Workspace

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


@dataclass(frozen=True)
class Source:
    """A snapshot that a state is made from: the release it is at, and its database."""

    version: Version
    database: str


@dataclass(frozen=True)
class Recipe:
    """How the state of a release is made.

    Attributes:
        version: the release.
        base: the released version that it starts from; itself if it is released.
        source: the snapshot of the highest release up to there; None if all is made from the first release's schema.
        key: a hash over all that the state depends on.
    """

    version: Version
    base: Version
    source: Source | None
    key: str

    @property
    def is_prepared(self) -> bool:
        """Whether the release is in preparation: its files are those in the work tree."""
        return self.version != self.base


def current_version(project: Project, repository: Repository) -> Version:
    """The release that the tests of this work tree are about.

    It is the one in preparation: that of the branch; or, on another branch and on a detached HEAD as in CI, the one
    whose manifest in the tree is not sealed. Where there is none it is the newest release in the history of what is
    checked out. Raises StateError if there are several in preparation, or no release at all.
    """
    released = repository.refs().released
    version = version_of_branch(repository.head().branch or "")
    if version is not None and version not in released:
        return version
    history = repository.releases_in("HEAD")
    if not history:
        raise StateError(
            "no release is in the history of what is checked out",
            hint="git fetch --tags origin; in a shallow clone: git fetch --unshallow --tags origin",
        )
    newest = max(history)
    begun = [
        version
        for path in sorted(project.patches.glob(f"*/*/*/{MANIFEST_NAME}"))
        if (version := Version.find(".".join(path.parts[-4:-1]))) and version > newest and version not in released
        if not Manifest.parse(path.read_text("utf-8"), path.relative_to(project.root).as_posix()).sealed
    ]
    if len(begun) > 1:
        raise StateError(
            f"there are several releases in preparation here: {', '.join(map(str, begun))}",
            hint=f"git switch {release_branch(begun[0])}",
        )
    return begun[0] if begun else newest


def recipe_of(
    workspace: Workspace, admin: Connection, reader: ReleaseReader, of: str, version: Version, *, released: bool
) -> Recipe:
    """How the state of a release is made now.

    Args:
        workspace: of the project.
        admin: in autocommit to the maintenance database.
        reader: reads what is released.
        of: the development database.
        version: the release.
        released: whether it is one that has its tag; otherwise it is in preparation in the work tree.
    """
    project, repository = workspace.project, workspace.repository
    base = version if released else merged_base(repository, version)
    tags = repository.refs().tags
    source = _source(admin, reader, of, base, tags)
    digest = hashlib.sha256()
    for part in (
        hop_version(),
        server_version(admin),
        of,
        version,
        tags[str(base)],
        source and _identity(admin, source),
    ):
        digest.update(f"{part}\0".encode())
    if not released:
        for path in _files(project, version):
            digest.update(f"{path.relative_to(project.root).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return Recipe(version, base, source, digest.hexdigest())


def _source(admin: Connection, reader: ReleaseReader, of: str, base: Version, tags: Mapping[str, str]) -> Source | None:
    """The snapshot to start from. The development database itself is none: it is neither read nor locked."""
    snapshots = {
        version: name
        for version, (name, commit) in find_snapshots(admin, of).items()
        if commit == tags.get(str(version))
    }
    if base not in snapshots and snapshots:
        lineage = lineage_of(reader, base)
        snapshots = {version: name for version, name in snapshots.items() if version in lineage}
    version = max((known for known in snapshots if known <= base), default=None)
    return None if version is None else Source(version, snapshots[version])


def _identity(admin: Connection, source: Source) -> str:
    """Which database a snapshot is: one that is made anew under the same name is another one."""
    oid = admin.exec_driver_sql("SELECT oid FROM pg_database WHERE datname = %s", (source.database,)).scalar()
    return f"{source.database} {oid}"


def _files(project: Project, version: Version) -> Iterator[Path]:
    """All that may count for the state of the release in preparation: the files in the folders of its patch files, and
    those of the package where there is a patch in Python, which may import it."""
    found = [path for folder in patch_folders(version) for path in _below(project.root / folder)]
    yield from found
    if any(path.suffix == ".py" for path in found):
        yield from (path for path in _below(project.package_folder) if path.suffix == ".py")


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path
