"""Upgrading production: every missing release from its tag, in order, each in one transaction, after a backup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hop_tasks.backups import Backup, make_backup
from hop_tasks.catalog import read_catalog
from hop_tasks.database.statements import server_version
from hop_tasks.errors import hinting
from hop_tasks.project import Project
from hop_tasks.report import DEFAULT_REPORTER, Reporter
from hop_tasks.repository import Origin, Repository
from hop_tasks.versions import ORIGIN_VERSION, Version
from hop_tasks.workflows.deploying import Deployed, deploy, found_registry
from hop_tasks.workflows.planning import as_version, current_release, missing_releases
from hop_tasks.workflows.production_code import CodeState, bring_code_forward
from hop_tasks.workflows.reading import Deployable, ReleaseReader, release_reader
from hop_tasks.workflows.stamping import baseline_database
from hop_tasks.workflows.workspace import Workspace

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True)
class Upgraded:
    """What an upgrade did: from which release, to which, what was applied, the backup if one was made, the code."""

    database: str
    before: Version | None
    after: Version
    releases: tuple[Deployed, ...]
    backup: Backup | None
    code: CodeState


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
    target, declared = as_version(to), as_version(baseline)
    repository = Repository.open(project.root)
    if fetch and (origin := Origin.find(repository)):
        origin.fetch()
    workspace = Workspace.open(project, reporter)
    with release_reader(repository) as reader:
        current = current_release(workspace, declared)
        missing = missing_releases(workspace, reader, current, declared, target)
        deployed: Sequence[Deployed] = ()
        backup = None
        if missing or current is None or declared is not None:
            with workspace.locked("upgrade") as admin:
                # Somebody else may have upgraded while this one waited.
                current = current_release(workspace, declared)
                missing = missing_releases(workspace, reader, current, declared, target)
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
