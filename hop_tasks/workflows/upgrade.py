"""Upgrading production: every missing release from its tag, in order, each in one transaction, after a backup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hop_tasks.backups import Backup
from hop_tasks.database.urls import resolve_target
from hop_tasks.errors import hinting
from hop_tasks.project import Project
from hop_tasks.report import DEFAULT_REPORTER, Reporter
from hop_tasks.repository import Origin, Repository
from hop_tasks.versions import Version
from hop_tasks.workflows.auditing import audited
from hop_tasks.workflows.backing_up import back_up, require_able_to_back_up
from hop_tasks.workflows.beginning import begin_database
from hop_tasks.workflows.deploying import Deployed, deployer
from hop_tasks.workflows.gap import Gap, find_gap
from hop_tasks.workflows.manner import InterruptedStep, Manner, as_interrupted_step
from hop_tasks.workflows.planning import as_version, require_one_beginning
from hop_tasks.workflows.production_code import CodeState, bring_code_forward
from hop_tasks.workflows.reading import Deployable, ReleaseReader, release_reader
from hop_tasks.workflows.settled import settled_code, settled_release
from hop_tasks.workflows.stamping import baseline_database
from hop_tasks.workflows.workspace import Workspace

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


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
    schema: Version | str | None = None,
    fetch: bool = True,
    terminate_blockers: bool = False,
    interrupted_step: InterruptedStep | str | None = None,
    reporter: Reporter = DEFAULT_REPORTER,
) -> Upgraded:
    """Bring the production database to the newest release, or to one before it.

    Args:
        project: the project, in a place that is production.
        to: the release to stop at.
        baseline: the release that a database without registry is at; its catalog must be that of the release.
        schema: the release whose schema file an empty database begins with, instead of that of the first one.
        fetch: fetch from origin first, which must then answer, if there is one.
        terminate_blockers: end sessions that are idle in transaction and hold a lock that a release waits for.
        interrupted_step: `X.Y.Z/N=done` or `X.Y.Z/N=repeat`, for a step where the server cannot tell.
        reporter: told what is done.

    Nothing to do changes nothing. Otherwise a backup comes first, unless the database is empty, and a release that
    fails is rolled back while those before it stay. Raises ModeError in development, StateError for a database or
    release that does not fit, BackupError, PatchError.
    """
    project.require_production("upgrade")
    target, declared, begin = as_version(to), as_version(baseline), as_version(schema)
    require_one_beginning(declared, begin)
    repository = Repository.open(project.root)
    if fetch and (origin := Origin.find(repository)):
        origin.fetch_releases(project.settings.main_branch)
    is_plain = not (target or declared or begin or interrupted_step)
    if is_plain and (done := _find_settled(project, repository)):
        return done
    workspace = Workspace.open(project, reporter, repository)
    manner = Manner.of(
        workspace,
        terminate_blockers=terminate_blockers,
        interrupted_step=as_interrupted_step(interrupted_step),
        kept=True,
    )
    with release_reader(repository) as reader:
        gap = find_gap(workspace, reader, target, declared, begin)
        backup: Backup | None = None
        deployed: Sequence[Deployed] = ()
        if gap.exists:
            with workspace.locked("upgrade") as admin:
                # Somebody else may have upgraded while this one waited.
                gap = find_gap(workspace, reader, target, declared, begin, before=gap)
                backup, deployed = _upgrade(workspace, admin, reader, gap, manner)
    reached = deployed[-1].version if deployed else gap.start
    code = bring_code_forward(repository, project.settings.main_branch, reached)
    return Upgraded(workspace.database.name, gap.declared or gap.current, reached, tuple(deployed), backup, code)


def _find_settled(project: Project, repository: Repository) -> Upgraded | None:
    """What there is to say if nothing is to be done; None if that takes more than a glance."""
    refs = repository.refs()
    version = settled_release(project, repository, refs)
    if version is None:
        return None
    code = settled_code(repository, refs, project.settings.main_branch, version)
    return Upgraded(resolve_target(project).database, version, version, (), None, code)


def _upgrade(
    workspace: Workspace, admin: Connection, reader: ReleaseReader, gap: Gap, manner: Manner
) -> tuple[Backup | None, Sequence[Deployed]]:
    database, reporter = workspace.database, workspace.reporter
    backup = None
    deployed: list[Deployed] = []
    require_able_to_back_up(workspace, admin, needed=bool(gap.missing) and not gap.is_empty)
    if gap.declared is not None:
        baseline_database(workspace, admin, reader, gap.declared)
    if not gap.missing and not gap.is_empty:
        return None, deployed
    target = gap.missing[-1].version if gap.missing else gap.start
    at = gap.declared or gap.current
    with (
        audited(database, "upgrade", from_release=at, to_release=target, production=gap.is_empty) as audit,
        deployer(database, manner, admin, reporter) as production,
    ):
        if gap.is_empty:
            begin_database(workspace, reader, gap.start, finish=None if gap.missing else audit.finish)
        else:
            backup = back_up(workspace, admin, at)
            if backup is not None:
                audit.note_backup(str(backup.path))
        for release in reader.read_checked(gap.missing):
            reporter.step(f"applying {release.version}: {release.message}")
            reached = deployed[-1].version if deployed else gap.start
            saved = f" (the backup of before is {backup.path})" if backup else ""
            with hinting(f"{database.name} is at {reached}{saved}: {_way_on(release)}, then hop upgrade"):
                deployed.append(production.deploy(release, audit.finish if release.version == target else None))
    return backup, deployed


def _way_on(release: Deployable) -> str:
    """What a person can do when a release fails; nothing else fits on top of one that is half done."""
    if release.scripts.is_one_transaction:
        return "put the data right or release a correction"
    return "put the data right"
