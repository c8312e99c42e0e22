"""What an upgrade would do: the release that the database is at, and those that it lacks."""

from __future__ import annotations

from dataclasses import dataclass

from hop_tasks.errors import (
    AheadError,
    RepositoryError,
    SkippedError,
    UnknownReleaseError,
    UsageError,
)
from hop_tasks.project import Project
from hop_tasks.report import DEFAULT_REPORTER, Reporter
from hop_tasks.repository import Origin, Repository, require_same_tags
from hop_tasks.versions import ORIGIN_VERSION, Version
from hop_tasks.workflows.gap import Gap, find_gap
from hop_tasks.workflows.reading import Deployable, release_reader
from hop_tasks.workflows.workspace import Workspace


@dataclass(frozen=True)
class PlannedRelease:
    """A release that an upgrade would apply.

    Attributes:
        version, message: the release.
        files: the paths of its files, in their order.
        steps: what each of its steps runs, for a release that cannot be one transaction; else nothing.
    """

    version: Version
    message: str
    files: tuple[str, ...]
    steps: tuple[str, ...] = ()

    @classmethod
    def of(cls, release: Deployable) -> PlannedRelease:
        """What is planned of a release that was read."""
        scripts = release.scripts
        steps = () if scripts.is_one_transaction else tuple(step.title for step in scripts.steps)
        return cls(release.version, release.message, tuple(file.path for file in scripts.scripts.files), steps)


@dataclass(frozen=True)
class UpgradePlan:
    """What an upgrade would do.

    Attributes:
        database: the database's name.
        current: the release it is at; None for an empty one, which is first given the schema of a release.
        baseline: the release it is declared to be at, if that was asked.
        releases: the missing releases, in order.
        unfetched: releases that origin has and this repository lacks.
        schema: the release whose schema an empty database would begin with.
        unknown: why the rest cannot be told before the upgrade has fetched; None if it can.
    """

    database: str
    current: Version | None
    baseline: Version | None
    releases: tuple[PlannedRelease, ...]
    unfetched: tuple[Version, ...] = ()
    schema: Version = ORIGIN_VERSION
    unknown: str | None = None


CURED_BY_FETCHING = (RepositoryError, AheadError, UnknownReleaseError, SkippedError)
"""What a plan in a repository that lacks something of origin's may come upon, and an upgrade will not."""


def plan_upgrade(
    project: Project,
    *,
    to: Version | str | None = None,
    baseline: Version | str | None = None,
    schema: Version | str | None = None,
    fetch: bool = True,
    reporter: Reporter = DEFAULT_REPORTER,
) -> UpgradePlan:
    """What `upgrade_database` would do with the releases that are here; changes and fetches nothing.

    With `fetch`, origin is asked which releases it has besides. The other arguments are those of `upgrade_database`.
    Raises what `upgrade_database` raises before its first change.
    """
    project.require_production("upgrade")
    target, declared, begin = as_version(to), as_version(baseline), as_version(schema)
    require_one_beginning(declared, begin)
    workspace = Workspace.open(project, reporter)
    repository = workspace.repository
    origin = Origin.find(repository) if fetch else None
    unfetched = () if origin is None else _unfetched(repository, origin)
    gap = Gap(None, declared, begin or ORIGIN_VERSION, ())
    unknown: str | None = None
    planned: tuple[PlannedRelease, ...] = ()
    with release_reader(repository) as reader:
        try:
            if target in unfetched or begin in unfetched or declared in unfetched:
                raise UnknownReleaseError("the release that was named is still to be fetched")
            gap = find_gap(workspace, reader, target, declared, begin)
            planned = tuple(PlannedRelease.of(release) for release in reader.read_checked(gap.missing))
        except CURED_BY_FETCHING as error:
            if origin is None or not (unfetched or repository.is_shallow()):
                raise
            unknown = error.message
    return UpgradePlan(
        workspace.database.name,
        gap.current,
        gap.declared,
        planned,
        unfetched,
        gap.start,
        unknown,
    )


def require_one_beginning(declared: Version | None, schema: Version | None) -> None:
    """Raises UsageError if a database is to be declared at one release and begun with the schema of another."""
    if declared is not None and schema is not None:
        raise UsageError(
            f"--baseline {declared} is for a database that has tables, --schema {schema} for an empty one; "
            "nothing was changed",
            hint="give one of them",
        )


def _unfetched(repository: Repository, origin: Origin) -> tuple[Version, ...]:
    """The releases that origin has and the repository lacks. Raises MovedTagError if they have one that differs."""
    here, there = repository.refs(), origin.look()
    require_same_tags(here, there)
    return tuple(version for version in there.released if str(version) not in here.tags)


def as_version(given: Version | str | None) -> Version | None:
    """A version given as a text, or as what it is."""
    return Version.parse(given) if isinstance(given, str) else given
