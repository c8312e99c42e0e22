"""What lies between a production database and the release that it is to be at."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from hop_tasks.catalog import has_user_objects
from hop_tasks.database.admin import database_exists
from hop_tasks.database.engines import Database
from hop_tasks.errors import (
    DatabaseError,
    ModeError,
    StateError,
)
from hop_tasks.registry import BegunRelease, RegistryState, begun_release, read_commits, read_state
from hop_tasks.versions import ORIGIN_VERSION, Version
from hop_tasks.workflows.bases import require_same_project
from hop_tasks.workflows.reading import CheckedRelease, ReleaseReader
from hop_tasks.workflows.refusals import (
    KnownReleases,
    require_known_release,
    require_none_skipped,
    require_released,
    require_since_adoption,
    require_successor,
    require_tags_unmoved,
)
from hop_tasks.workflows.resuming import outstanding, require_begun_first
from hop_tasks.workflows.workspace import Workspace


@dataclass(frozen=True)
class Gap:
    """What lies between a database and the release that it is to be at.

    Attributes:
        current: the release it is at; None if it is empty, or to be baselined.
        declared: the release it is to be declared to be at.
        start: the release that the missing ones come on top of; an empty database begins with its schema file.
        missing: the releases that it lacks, in order.
        basis: what was asked for, and what the database said.
    """

    current: Version | None
    declared: Version | None
    start: Version
    missing: tuple[CheckedRelease, ...]
    basis: _Basis | None = None

    @property
    def is_empty(self) -> bool:
        """Whether the database has nothing at all yet."""
        return self.current is None and self.declared is None

    @property
    def exists(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.missing) or self.current is None


def find_gap(
    workspace: Workspace,
    reader: ReleaseReader,
    target: Version | None,
    declared: Version | None,
    begin: Version | None,
    before: Gap | None = None,
) -> Gap:
    """What an upgrade to `target` has to do. Raises StateError and its kinds for what does not fit.

    `before` is what it had to do a moment ago: that still holds if the database says the same as then.
    """
    declared, begin = outstanding(workspace, declared), outstanding(workspace, begin)
    found = _read_database(workspace)
    basis = _Basis(target, declared, begin, found)
    if before is not None and before.basis == basis:
        return before
    known = KnownReleases.read(workspace.repository, workspace.project.settings.main_branch)
    current = _current_release(workspace, known, found, declared, begin)
    start = declared or current or begin or _first_release(known, reader)
    missing = _missing_releases(workspace, known, reader, start, current, target, begin)
    require_begun_first(workspace, reader, missing, found.begun)
    return Gap(current, declared, start, missing, basis)


def _current_release(
    workspace: Workspace, known: KnownReleases, found: _Found, declared: Version | None, schema: Version | None
) -> Version | None:
    """The release that the database is at; None if it is empty, or to be baselined.

    Raises MovedTagError, UnknownReleaseError, AheadError or SkippedError for a registry that does not fit the tags.
    """
    database = workspace.database
    state, occupied = found.state, found.occupied
    if declared is not None:
        _require_unregistered(database, state, declared, occupied)
        return None
    at = state.last.version if state.last else None
    if schema is not None and (occupied or at is not None):
        raise StateError(
            f"database {database.name} is not empty{f', but at {at}' if at else ''}; --schema {schema} was refused, "
            "nothing was changed",
            hint="hop upgrade, or name an empty database in HOP_DATABASE_URL",
        )
    if at is not None:
        require_since_adoption(known, database.name, at)
        if not state.production:
            require_same_project(workspace.repository, database.name, state)
            raise ModeError(
                f"database {database.name} has a registry but is not stamped as production: it may be somebody's "
                "development database; nothing was changed",
                hint=f"check HOP_DATABASE_URL; if it is to be production: hop upgrade --baseline {at}",
            )
        require_tags_unmoved(known, database.name, state, found.commits)
        require_known_release(known, database.name, at)
        require_none_skipped(known, database.name, found.commits)
        return at
    if occupied:
        raise StateError(
            f"database {database.name} has tables but no registry; nothing was changed",
            hint="hop upgrade --baseline X.Y.Z says which release it is at",
        )
    return None


@dataclass(frozen=True)
class _Found:
    """What a database says.

    Attributes:
        state: of its registry.
        commits: its releases, with the commits that hop applied them from.
        begun: the release that was begun and is not whole.
        occupied: whether it holds anything of a user's, for one without releases.
    """

    state: RegistryState
    commits: Mapping[Version, str | None]
    begun: BegunRelease | None
    occupied: bool


@dataclass(frozen=True)
class _Basis:
    """What a gap follows from, besides the releases that are here: what was asked for, and what the database says."""

    target: Version | None
    declared: Version | None
    begin: Version | None
    found: _Found


def _read_database(workspace: Workspace) -> _Found:
    database = workspace.database
    try:
        with database.connect() as connection:
            state, begun = read_state(connection), begun_release(connection)
            if state.last is not None:
                return _Found(state, read_commits(connection), begun, occupied=False)
            return _Found(state, {}, begun, has_user_objects(connection))
    except DatabaseError:
        if _is_missing(database):
            raise DatabaseError(
                f"there is no database {database.name}",
                hint=f'CREATE DATABASE "{database.name}", as the role that is to own it',
            ) from None
        raise


def _is_missing(database: Database) -> bool:
    """Whether the server says that there is no such database."""
    with suppress(DatabaseError), database.administer() as admin:
        return not database_exists(admin, database.name)
    return False


def _require_unregistered(database: Database, state: RegistryState, declared: Version, occupied: bool) -> None:
    at = state.last.version if state.last else None
    if state.production or (at is not None and at != declared):
        raise StateError(
            f"database {database.name} has a registry, which says {at}; --baseline {declared} was refused",
            hint="hop upgrade",
        )
    if at is None and not occupied:
        raise StateError(f"database {database.name} is empty; --baseline {declared} was refused", hint="hop upgrade")


def _first_release(known: KnownReleases, reader: ReleaseReader) -> Version:
    """The release with which hop took the project's database over, which an empty database begins with.

    Raises StateError, or RepositoryError in a shallow clone, if its tag is missing here.
    """
    released = [version for version in known.commits if known.on_main is None or version in known.on_main]
    lowest = known.adopted or min(released, default=None)
    base = ORIGIN_VERSION if lowest is None else reader.manifest(lowest).base
    if lowest is not None and base is None:
        return lowest
    raise known.refusal(StateError(f"there is no release {base}; nothing was changed", hint="git fetch --tags origin"))


def _missing_releases(
    workspace: Workspace,
    known: KnownReleases,
    reader: ReleaseReader,
    at: Version,
    current: Version | None,
    target: Version | None,
    schema: Version | None,
) -> tuple[CheckedRelease, ...]:
    """The releases above `at`, which the database is at, is declared to be at or begins with, up to the target.

    Raises StrayTagError, SealError, IncompleteError or SkippedError for releases that must not be deployed.
    """
    name = workspace.database.name
    require_since_adoption(known, name, at)
    for version in (at, target):
        if version is not None and version not in known.commits:
            raise known.refusal(
                StateError(f"there is no release {version}; nothing was changed", hint="git fetch --tags origin")
            )
    if target is not None and target < at:
        if current is None:
            raise StateError(
                f"database {name} is to begin at {at}, above {target}; nothing was changed",
                hint="leave out --to, or name a release above",
            )
        raise StateError(
            f"database {name} is at {at}, above {target}; nothing was changed",
            hint=f"hop restore {target} brings it back to a backup",
        )
    missing = known.between(at, target)
    require_released(known, missing if schema is None or current is not None else (schema, *missing))
    previous, checked = at, []
    for release in reader.check_all([(version, known.commits[version]) for version in missing]):
        require_successor(known, name, previous, release.version, release.base)
        previous = release.version
        checked.append(release)
    return tuple(checked)
