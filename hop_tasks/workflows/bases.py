"""The base states of a development database: the snapshot of each release, taken or made when it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hop_tasks.catalog import read_catalog
from hop_tasks.database.activity import note_writes
from hop_tasks.errors import StateError
from hop_tasks.registry import RegistryState, ReleaseRow, read_releases
from hop_tasks.repository import Repository, tag_ref
from hop_tasks.snapshots import clone_for_work, create_for_work, find_snapshots, keep_as_snapshot
from hop_tasks.versions import Version
from hop_tasks.workflows.deploying import deployer, found_registry
from hop_tasks.workflows.manner import Manner
from hop_tasks.workflows.pruning import prune_superseded
from hop_tasks.workflows.reading import ReleaseReader
from hop_tasks.workflows.sessions import tell_ended
from hop_tasks.workflows.workspace import Workspace

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection
    from hop_tasks.database.engines import Database


@dataclass(frozen=True)
class Base:
    """The snapshot of a release.

    `rebuilt` if it was made from the schema of the first release: rows that were in the project's database from the
    beginning are then not in it.
    """

    version: Version
    database: str
    rebuilt: bool = False


def ensure_base(
    workspace: Workspace, admin: Connection, reader: ReleaseReader, version: Version, state: RegistryState | None
) -> Base:
    """The snapshot of a released version.

    One that is there is taken; or the development database is copied, when it is at that release; or the nearest lower
    snapshot is brought up to it by the released patch files; or all is built from the schema of the first release.
    The last two also serve a colleague who has just cloned the repository, and a release that somebody else has
    published.
    """
    of = workspace.database.name
    snapshots = {
        known: name
        for known, (name, commit) in find_snapshots(admin, of).items()
        if commit == workspace.repository.resolve(str(known))
    }
    if version in snapshots:
        return Base(version, snapshots[version])
    released = buildable_lineage(reader, version)
    first = released[0]
    current = released_version(state, reader, released)
    sources = {known: name for known, name in snapshots.items() if known in released}
    if current is not None and is_as_released(workspace, reader, current):
        sources[current] = of
    start = max(sources, default=None)
    if start is None:
        workspace.reporter.step(f"building the state of {first} from its schema")
        work = create_for_work(admin, of)
    else:
        workspace.reporter.step(f"copying {sources[start]} at {start}")
        if sources[start] == of:
            # Before it is copied: what a program writes meanwhile counts as written, whether the copy has it or not.
            note_writes(admin, workspace.database)
        work, ended = clone_for_work(admin, sources[start], of)
        tell_ended(workspace.reporter, ended)
    try:
        database = workspace.database.beside(work)
        if start is None:
            found_first_release(workspace, database, reader, first)
        with deployer(database, Manner.of(workspace), admin, workspace.reporter) as copy:
            for missing in (known for known in released if known > (start or first)):
                workspace.reporter.step(f"bringing the copy to {missing}")
                copy.deploy(reader.read(missing))
        name = keep_as_snapshot(admin, work, of, version, str(workspace.repository.resolve(str(version))))
    except BaseException:
        workspace.discard(work)
        raise
    prune_superseded(workspace, admin, version)
    return Base(version, name, rebuilt=start is None)


def lineage_of(reader: ReleaseReader, version: Version) -> tuple[Version, ...]:
    """The releases that one was made on top of, and itself, lowest first.

    There may be tags of others below it here: of releases that were not pushed before somebody else published this one.
    """
    found = [version]
    while (base := reader.manifest(found[-1]).base) is not None and base < found[-1]:
        found.append(base)
    return tuple(reversed(found))


def buildable_lineage(reader: ReleaseReader, version: Version) -> tuple[Version, ...]:
    """The lineage of a release, from the one with which hop took the database over. Raises StateError without it."""
    lineage = lineage_of(reader, version)
    if not reader.is_first(lineage[0]):
        raise StateError(
            f"release {lineage[0]} is from before hop took the project over, and cannot be built; nothing was changed",
            hint="hop shows the releases",
        )
    return lineage


def found_first_release(workspace: Workspace, database: Database, reader: ReleaseReader, first: Version) -> None:
    """Make an empty database the first release, from its schema."""
    repository = workspace.repository
    found_registry(
        database,
        reader.schema(first, workspace.project.schema_path(first)),
        version=first,
        message="built from the schema",
        commit=repository.resolve(tag_ref(str(first))),
        author=repository.author(tag_ref(str(first))),
        reporter=workspace.reporter,
    )


def released_version(
    state: RegistryState | None, reader: ReleaseReader, released: tuple[Version, ...]
) -> Version | None:
    """The release that a development database is at; None if it is missing, or at one that is not released so.

    A release that somebody else published under the number of one that was being prepared here is not the same.
    """
    if state is None or state.last is None or state.last.version not in released:
        return None
    version = state.last.version
    if reader.is_first(version):
        return version
    return version if reader.read(version).checksum == state.last.checksum else None


def are_as_released(repository: Repository, reader: ReleaseReader, rows: Sequence[ReleaseRow]) -> bool:
    """Whether releases that a development database has had are those that have the tags here: by commit, or by files.

    One that was released here and given up, since somebody else had published another one under its number, is not. The
    rows of half_orm's own tool, without an author, do not count.
    """
    tags = repository.refs().tags
    for row in rows:
        tagged = tags.get(str(row.version))
        if not row.author or (tagged is not None and tagged == row.commit):
            continue
        if tagged is None or not (reader.is_first(row.version) or reader.read(row.version).checksum == row.checksum):
            return False
    return True


def is_as_released(workspace: Workspace, reader: ReleaseReader, version: Version) -> bool:
    """Whether the development database has the catalog that was sealed, and came to it by the releases that are here.

    What was made by hand is not part of a base.
    """
    with workspace.database.connect() as connection:
        fingerprint, rows = read_catalog(connection).fingerprint, read_releases(connection)
    if not are_as_released(workspace.repository, reader, rows[1:]):
        workspace.reporter.warn(
            f"database {workspace.database.name} had other releases before {version} than this repository: "
            "the base is made without it"
        )
        return False
    if fingerprint == reader.manifest(version).fingerprint:
        return True
    workspace.reporter.warn(
        f"database {workspace.database.name} has been changed by hand since {version}: the base is made without that"
    )
    return False


def require_known_state(workspace: Workspace, state: RegistryState | None, verb: str) -> None:
    """Raises for a database that `verb` must not replace: stamped as production, or not one of hop's."""
    if state is None:
        return
    state.require_development(workspace.database.name, verb)
    if not state.exists:
        raise StateError(
            f"database {workspace.database.name} has no registry: hop does not know what it holds and leaves it alone",
            hint="check the database URL (hop shows it), or drop the database to have it built from the releases",
        )
    require_same_project(workspace.repository, workspace.database.name, state)


def require_same_project(repository: Repository, database: str, state: RegistryState) -> None:
    """Raises StateError for a database of another project: one that did not begin with a commit of this repository."""
    first = state.first
    # A row of half_orm's own tool has no author, and may have no commit.
    if first is None or not first.commit or not first.author:
        return
    begun = repository.resolve(str(first.version))
    if begun is None:
        raise StateError(
            f"there is no tag {first.version} here, with which database {database} began; nothing was changed",
            hint="git fetch --tags origin; or check the database URL (hop shows it)",
        )
    if first.commit != begun:
        raise StateError(
            f"database {database} belongs to another project: its {first.version} is commit {first.commit[:12]}, "
            "which is not this repository's; nothing was changed",
            hint="check the database URL (hop shows it)",
        )
