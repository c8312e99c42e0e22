"""What an upgrade would do: the release that the database is at, and those that it lacks."""

from __future__ import annotations

from dataclasses import dataclass

from hop_tasks.catalog import has_user_objects
from hop_tasks.database.engines import Database
from hop_tasks.errors import DatabaseError, ModeError, StateError
from hop_tasks.project import Project
from hop_tasks.registry import RegistryState
from hop_tasks.report import DEFAULT_REPORTER, Reporter
from hop_tasks.repository import Origin
from hop_tasks.versions import ORIGIN_VERSION, Version
from hop_tasks.workflows.bases import require_same_project
from hop_tasks.workflows.reading import Deployable, ReleaseReader, release_reader
from hop_tasks.workflows.workspace import Workspace


@dataclass(frozen=True)
class PlannedRelease:
    """A release that an upgrade would apply, with the paths of its files in their order."""

    version: Version
    message: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class UpgradePlan:
    """What an upgrade would do.

    Attributes:
        database: the database's name.
        current: the release it is at; None for an empty one that is first given the schema of 0.0.0.
        baseline: the release it is declared to be at, if that was asked.
        releases: the missing releases, in order.
        unfetched: releases that origin has and this repository lacks.
    """

    database: str
    current: Version | None
    baseline: Version | None
    releases: tuple[PlannedRelease, ...]
    unfetched: tuple[Version, ...] = ()


def plan_upgrade(
    project: Project,
    *,
    to: Version | str | None = None,
    baseline: Version | str | None = None,
    fetch: bool = True,
    reporter: Reporter = DEFAULT_REPORTER,
) -> UpgradePlan:
    """What `upgrade_database` would do with the releases that are here; changes and fetches nothing.

    With `fetch`, origin is asked which releases it has besides. The other arguments are those of `upgrade_database`.
    Raises what `upgrade_database` raises before its first change.
    """
    project.require_production("upgrade")
    workspace = Workspace.open(project, reporter)
    target, declared = as_version(to), as_version(baseline)
    with release_reader(workspace.repository) as reader:
        current = current_release(workspace, declared)
        missing = missing_releases(workspace, reader, current, declared, target)
    unfetched: tuple[Version, ...] = ()
    origin = Origin.find(workspace.repository)
    if fetch and origin is not None:
        known = set(workspace.repository.refs().released)
        unfetched = tuple(version for version in origin.look().released if version not in known)
    planned = tuple(
        PlannedRelease(release.version, release.message, tuple(file.path for file in release.scripts.scripts.files))
        for release in missing
    )
    return UpgradePlan(workspace.database.name, current, declared, planned, unfetched)


def current_release(workspace: Workspace, declared: Version | None) -> Version | None:
    """The release that the database is at; None if it is empty, or to be baselined."""
    database = workspace.database
    with database.administer() as admin:
        state = workspace.read_state(admin)
    if state is None:
        raise DatabaseError(
            f"there is no database {database.name}",
            hint=f'CREATE DATABASE "{database.name}", as the role that is to own it',
        )
    if declared is not None:
        _require_unregistered(database, state, declared)
        return None
    if state.last is not None:
        require_same_project(workspace.repository, database.name, state)
        if not state.production:
            raise ModeError(
                f"database {database.name} has a registry but is not stamped as production: it may be somebody's "
                "development database; nothing was changed",
                hint=f"check HOP_DATABASE_URL; if it is to be production: hop upgrade --baseline {state.last.version}",
            )
        return state.last.version
    with database.connect() as connection:
        if has_user_objects(connection):
            raise StateError(
                f"database {database.name} has tables but no registry; nothing was changed",
                hint="hop upgrade --baseline X.Y.Z says which release it is at",
            )
    return None


def _require_unregistered(database: Database, state: RegistryState, declared: Version) -> None:
    at = state.last.version if state.last else None
    if state.production or (at is not None and at != declared):
        raise StateError(
            f"database {database.name} has a registry, which says {at}; --baseline {declared} was refused",
            hint="hop upgrade",
        )
    if at is None:
        with database.connect() as connection:
            if not has_user_objects(connection):
                raise StateError(
                    f"database {database.name} is empty; --baseline {declared} was refused", hint="hop upgrade"
                )


def missing_releases(
    workspace: Workspace,
    reader: ReleaseReader,
    current: Version | None,
    declared: Version | None,
    target: Version | None,
) -> tuple[Deployable, ...]:
    """The releases above the one that the database is at or is declared to be at, up to the target."""
    repository = workspace.repository
    released = repository.refs().released
    at = declared or current or ORIGIN_VERSION
    if target is not None and target not in released:
        raise StateError(f"there is no release {target}", hint="git tag --list; hop shows the releases")
    if target is not None and target < at:
        raise StateError(
            f"database {workspace.database.name} is at {at}, above {target}; nothing was changed",
            hint=f"hop restore {target} brings it back to a backup",
        )
    if at not in released and declared:
        raise StateError(f"there is no release {at}; nothing was changed", hint="git fetch --tags origin")
    if at not in released:
        raise StateError(
            f"database {workspace.database.name} is at {at}, which this repository does not know; nothing was changed",
            hint="git fetch --tags origin",
        )
    _require_on_main(workspace, at)
    return tuple(reader.read(version) for version in released if at < version and (target is None or version <= target))


def _require_on_main(workspace: Workspace, at: Version) -> None:
    """Raises StateError for a tag above `at` that is not in the history of the main branch: nobody released it."""
    refs, main = workspace.repository.refs(), workspace.project.settings.main_branch
    tips = [commit for commit in (refs.tracking.get(main), refs.heads.get(main)) if commit]
    if not tips:
        return
    on_main = {version for tip in tips for version in workspace.repository.releases_in(tip)}
    stray = [version for version in refs.released if version > at and version not in on_main]
    if stray:
        raise StateError(
            f"tag {stray[0]} is not in the history of {main}: it is no release; nothing was changed",
            hint=f"git log --oneline {main}..{stray[0]}, and find out who made the tag",
        )


def as_version(given: Version | str | None) -> Version | None:
    """A version given as a text, or as what it is."""
    return Version.parse(given) if isinstance(given, str) else given
