"""Bringing releases into a database: read from their tags or the work tree, each one in one transaction."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from hop_tasks.database.engines import Database
from hop_tasks.database.interrupts import cancelled_by_signals
from hop_tasks.database.locks import whoami
from hop_tasks.errors import StateError
from hop_tasks.manifest import MANIFEST_NAME, Manifest
from hop_tasks.registry import ReleaseRow, create_registry, insert_release
from hop_tasks.report import Reporter
from hop_tasks.repository import ObjectReader, Repository, object_reader
from hop_tasks.scripts import (
    CheckedScripts,
    FileRun,
    PatchFile,
    ReleaseScripts,
    check_scripts,
    order_files,
    patch_folders,
    run_scripts,
)
from hop_tasks.versions import ORIGIN_VERSION, Version
from hop_tasks.workflows.workspace import hop_version


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


@dataclass(frozen=True)
class Deployed:
    """A release that was brought into a database: its files with their times, and the seconds of the whole."""

    version: Version
    message: str
    files: tuple[FileRun, ...]
    seconds: float


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


def deploy(database: Database, release: Deployable, *, lock_timeout: float, reporter: Reporter) -> Deployed:
    """Bring one release into a database: its files and its row in the registry, in one transaction.

    Raises PatchError, with the database as it was before.
    """
    with database.connect() as connection, cancelled_by_signals(connection):
        # So that SQLAlchemy knows of the transaction too, which the driver begins by itself.
        connection.begin()
        started = time.perf_counter()
        files = run_scripts(
            connection, release.scripts, root=release.root, lock_timeout=lock_timeout, reporter=reporter
        )
        seconds = time.perf_counter() - started
        insert_release(
            connection,
            registry_row(
                release.version,
                release.message,
                commit=release.commit,
                author=release.author,
                checksum=release.checksum,
                seconds=seconds,
            ),
        )
        connection.commit()
    return Deployed(release.version, release.message, files, seconds)


def found_registry(
    database: Database,
    schema: PatchFile | None,
    *,
    version: Version = ORIGIN_VERSION,
    message: str,
    commit: str | None = None,
    author: str | None = None,
    production: bool = False,
    lock_timeout: float = 0.0,
    reporter: Reporter,
) -> None:
    """Begin the registry of a database at a release, after loading a schema if one is given, in one transaction."""
    with database.connect() as connection, cancelled_by_signals(connection):
        connection.begin()
        started = time.perf_counter()
        if schema is not None:
            checked = check_scripts(ReleaseScripts(version, (schema,)))
            run_scripts(connection, checked, root=Path.cwd, lock_timeout=lock_timeout, reporter=reporter)
        create_registry(connection, production=production)
        seconds = time.perf_counter() - started
        insert_release(connection, registry_row(version, message, commit=commit, author=author, seconds=seconds))
        connection.commit()


def registry_row(
    version: Version,
    message: str,
    *,
    commit: str | None,
    author: str | None,
    checksum: str | None = None,
    seconds: float | None = None,
) -> ReleaseRow:
    """The registry's row for a release that is brought into a database now, by this person, with this hop."""
    return ReleaseRow(
        version=version,
        message=message,
        commit=commit,
        author=author,
        checksum=checksum,
        duration=None if seconds is None else timedelta(seconds=seconds),
        applied_from=whoami(),
        hop_version=hop_version(),
    )
