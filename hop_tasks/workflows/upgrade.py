"""Upgrading production: every missing release from its tag, in order, each in one transaction, after a backup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hop_tasks.backups import Backup, make_backup
from hop_tasks.catalog import has_user_objects, read_catalog
from hop_tasks.database.engines import Database
from hop_tasks.database.statements import server_version
from hop_tasks.errors import DatabaseError, ModeError, StateError, hinting
from hop_tasks.project import Project
from hop_tasks.registry import RegistryState
from hop_tasks.report import DEFAULT_REPORTER, Reporter
from hop_tasks.repository import Origin, Repository
from hop_tasks.versions import ORIGIN_VERSION, Version
from hop_tasks.workflows.bases import require_same_project
from hop_tasks.workflows.deploying import Deployable, Deployed, ReleaseReader, deploy, found_registry, release_reader
from hop_tasks.workflows.production_code import CodeState, bring_code_forward
from hop_tasks.workflows.stamping import baseline_database
from hop_tasks.workflows.workspace import Workspace

if TYPE_CHECKING:
    from sqlalchemy import Connection


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


@dataclass(frozen=True)
class Upgraded:
    """What an upgrade did: from which release, to which, what was applied, the backup if one was made, the code."""

    database: str
    before: Version | None
    after: Version
    releases: tuple[Deployed, ...]
    backup: Backup | None
    code: CodeState


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
    target, declared = _version(to), _version(baseline)
    with release_reader(workspace.repository) as reader:
        current = _current(workspace, declared)
        missing = _missing(workspace, reader, current, declared, target)
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


def upgrade_database(
    project: Project,
    *,
    to: Version | str | None = None,
    baseline: Version | str | None = None,
    fetch: bool = True,
    reporter: Reporter = DEFAULT_REPORTER,
) -> Upgraded:
    """Bring the production database to the newest release, or to one before it.

    Args:
        project: the project, in a place that is production.
        to: the release to stop at.
        baseline: the release that a database without registry is at; its catalog must be that of the release.
        fetch: fetch from origin first, which must then answer, if there is one.
        reporter: told what is done.

    Nothing to do changes nothing. Otherwise a backup comes first, unless the database is empty, and a release that
    fails is rolled back while those before it stay. Raises ModeError in development, StateError for a database or
    release that does not fit, BackupError, PatchError.
    """
    project.require_production("upgrade")
    target, declared = _version(to), _version(baseline)
    repository = Repository.open(project.root)
    if fetch and (origin := Origin.find(repository)):
        origin.fetch()
    workspace = Workspace.open(project, reporter)
    with release_reader(repository) as reader:
        current = _current(workspace, declared)
        missing = _missing(workspace, reader, current, declared, target)
        deployed: Sequence[Deployed] = ()
        backup = None
        if missing or current is None or declared is not None:
            with workspace.locked("upgrade") as admin:
                # Somebody else may have upgraded while this one waited.
                current = _current(workspace, declared)
                missing = _missing(workspace, reader, current, declared, target)
                backup, deployed = _upgrade(workspace, admin, reader, current, declared, missing)
    reached = deployed[-1].version if deployed else (declared or current or ORIGIN_VERSION)
    code = bring_code_forward(repository, project.settings.main_branch, reached)
    return Upgraded(workspace.database.name, declared or current, reached, tuple(deployed), backup, code)


def _upgrade(
    workspace: Workspace,
    admin: Connection,
    reader: ReleaseReader,
    current: Version | None,
    declared: Version | None,
    missing: Sequence[Deployable],
) -> tuple[Backup | None, Sequence[Deployed]]:
    database, reporter, settings = workspace.database, workspace.reporter, workspace.project.settings
    backup = None
    if declared is not None:
        baseline_database(workspace, admin, reader, declared)
    elif current is None:
        reporter.step(f"the database is empty: loading the schema of {ORIGIN_VERSION}")
        found_registry(
            database,
            reader.schema(ORIGIN_VERSION, workspace.project.schema_path(ORIGIN_VERSION)),
            message=reader.manifest(ORIGIN_VERSION).message,
            commit=workspace.repository.resolve(str(ORIGIN_VERSION)),
            author=workspace.repository.author(str(ORIGIN_VERSION)),
            production=True,
            lock_timeout=settings.lock_timeout,
            reporter=reporter,
        )
    if missing and (current is not None or declared is not None):
        backup = _back_up(workspace, admin, declared or current)
    deployed: list[Deployed] = []
    for release in missing:
        reporter.step(f"applying {release.version}: {release.message}")
        at = deployed[-1].version if deployed else declared or current or ORIGIN_VERSION
        saved = f" (the backup of before is {backup.path})" if backup else ""
        with hinting(
            f"{database.name} is at {at}{saved}: put the data right or release a correction, then hop upgrade"
        ):
            deployed.append(deploy(database, release, lock_timeout=settings.lock_timeout, reporter=reporter))
    return backup, deployed


def _back_up(workspace: Workspace, admin: Connection, at: Version | None) -> Backup:
    workspace.reporter.step(f"backing up {workspace.database.name} at {at}")
    with workspace.database.connect() as connection:
        fingerprint = read_catalog(connection).fingerprint
    return make_backup(
        workspace.database,
        workspace.project.backups,
        release=at,
        fingerprint=fingerprint,
        server_version=server_version(admin),
        programs=workspace.programs,
    )


def _current(workspace: Workspace, declared: Version | None) -> Version | None:
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


def _missing(
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


def _version(given: Version | str | None) -> Version | None:
    return Version.parse(given) if isinstance(given, str) else given
