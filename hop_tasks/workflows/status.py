"""The state of a project: read only, without checking out, fetching, starting or writing anything."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hop_tasks.database.admin import Mark, database_exists
from hop_tasks.database.engines import Database, is_missing, maintenance_hint
from hop_tasks.database.urls import resolve_target
from hop_tasks.errors import DatabaseError
from hop_tasks.names import release_branch, version_of_branch
from hop_tasks.project import Project
from hop_tasks.registry import Attempt, BegunRelease, RegistryState, begun_release, last_attempt, read_state
from hop_tasks.repository import Refs, Repository, Survey, surveying
from hop_tasks.snapshots import BEFORE_APPLY, dumps_place, find_dumps, look_around, way_out
from hop_tasks.versions import Version, in_order

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

CLOSED_TO_ALL = "not currently accepting connections"
"""What the server says of a database that nobody may connect to, such as a spare."""


@dataclass(frozen=True)
class DatabaseStatus:
    """The database that is meant.

    Attributes:
        name: its name.
        shown: its URL with the password masked, or what else is meant.
        source: where that is set.
        server: the server's version, None if it was not reached.
        exists: whether it is there; None if the server was not reached.
        state: its registry, None if it was not reached or is not there.
        snapshots: the releases that there is a snapshot of.
        kept: databases that were replaced and are kept beside it, or dumps of them.
        attempt: the newest attempt to change a production database; None if there was none.
        begun: a release that was begun and is not whole, with its steps.
        mark: what hop noted about it, if it is one that hop keeps beside another one; then nothing else of it counts.
        problem: why it was not reached; None also for an embedded server that is not running.
    """

    name: str
    shown: str
    source: str
    server: str | None = None
    exists: bool | None = None
    state: RegistryState | None = None
    snapshots: tuple[Version, ...] = ()
    kept: tuple[str, ...] = ()
    attempt: Attempt | None = None
    begun: BegunRelease | None = None
    mark: Mark | None = None
    problem: DatabaseError | None = None


@dataclass(frozen=True)
class RepositoryStatus:
    """The repository: branch (None when detached), commit, changed paths, releases, and those in preparation.

    `unpushed` are the releases that origin lacks; they are not asked for in production, where nobody releases.
    """

    branch: str | None
    commit: str | None
    changes: tuple[str, ...]
    released: tuple[Version, ...]
    in_preparation: tuple[Version, ...]
    unpushed: tuple[Version, ...]


@dataclass(frozen=True)
class Status:
    """The state of a project; `missing` are the releases that its database lacks, `advice` is what to type next."""

    project: Project
    database: DatabaseStatus
    repository: RepositoryStatus | None
    missing: tuple[Version, ...]
    advice: str


def read_status(project: Project) -> Status:
    """The state of a project. A database that cannot be reached is part of the state, not an error.

    Raises ProjectError for a URL that is wrong, RepositoryError if the project needs a repository and has none.
    """
    with surveying(project.root) if project.settings.devel else nullcontext(None) as finish:
        database = _read_database(project)
        repository = _read_repository(finish(), project.settings.production) if finish is not None else None
    at = database.state.last.version if database.state and database.state.last else None
    released = repository.released if repository else ()
    missing = tuple(version for version in released if at is not None and version > at)
    return Status(project, database, repository, missing, _advice(project, database, repository, at, missing))


def _read_database(project: Project) -> DatabaseStatus:
    try:
        target = resolve_target(project)
    except DatabaseError as error:
        return DatabaseStatus(project.name, "none", "nothing", problem=error)
    dumps = find_dumps(dumps_place(project.root, target.database))
    kept = tuple(
        f"{dump.folder.relative_to(project.root).as_posix()} ({dump.release})"
        for dump in dumps
        if dump.kind == BEFORE_APPLY
    )
    found = DatabaseStatus(target.database, str(target), target.source.value, kept=kept)
    if target.place is None:
        return found
    database = Database(target.place, project.settings.maintenance_database)
    try:
        try:
            with database.connect(autocommit=True) as connection:
                return _look(connection, found)
        except DatabaseError as error:
            if not is_missing(error) and CLOSED_TO_ALL not in error.message:
                raise
            refusal = error
        with database.beside(database.maintenance).connect(autocommit=True) as connection:
            looked = _look(connection, found, registry=False)
            if looked.mark is None and not is_missing(refusal):
                raise refusal
            return replace(looked, exists=database_exists(connection, target.database))
    except DatabaseError as error:
        if is_missing(error):
            error.hint = maintenance_hint(project.settings.maintenance_database)
        return replace(found, problem=error)


def _look(connection: Connection, found: DatabaseStatus, *, registry: bool = True) -> DatabaseStatus:
    """What a connection tells of the server, and of the registry of its own database."""
    server = str(connection.exec_driver_sql("SHOW server_version").scalar_one())
    around = look_around(connection, found.name)
    state = attempt = begun = None
    if registry and around.mark is None:
        state = read_state(connection)
        if state.exists:
            attempt, begun = last_attempt(connection), begun_release(connection)
    return replace(
        found,
        server=server,
        exists=True,
        state=state,
        snapshots=around.snapshots,
        kept=(*(f"{mark.database} ({mark.release})" for mark in around.kept), *found.kept),
        attempt=attempt,
        begun=begun,
        mark=around.mark,
    )


def _read_repository(survey: Survey, production: bool) -> RepositoryStatus:
    work_tree, refs = survey.work_tree, survey.refs
    return RepositoryStatus(
        branch=work_tree.head.branch,
        commit=work_tree.head.commit,
        changes=work_tree.changes,
        released=refs.released,
        in_preparation=refs.in_preparation,
        unpushed=() if production else _unpushed(survey.repository, refs),
    )


def _unpushed(repository: Repository, refs: Refs) -> tuple[Version, ...]:
    """The releases that no branch of origin has, as far as was last fetched; none where there is no origin."""
    if not refs.tracking:
        return ()
    arguments = [f"--no-merged={commit}" for commit in set(refs.tracking.values())]
    tags = repository.git.lines("for-each-ref", *arguments, "--format=%(refname:strip=2)", "refs/tags")
    return in_order(version for tag in tags if (version := Version.find(tag)))


def _advice(
    project: Project,
    database: DatabaseStatus,
    repository: RepositoryStatus | None,
    at: Version | None,
    missing: tuple[Version, ...],
) -> str:
    """The next command to type."""
    if database.problem is not None or database.mark is not None:
        return _advice_for_another(database)
    if repository is None:
        return "hop sync-package brings the package in step with the database"
    stamped = database.state.production if database.state is not None else False
    if at is not None and stamped is None:
        if project.settings.production:
            return f"hop upgrade --baseline {at}, if this is the production database"
        return "check HOP_DATABASE_URL: this database does not say that it is development, and is not changed from here"
    if at is not None and stamped != project.settings.production:
        other = "production" if stamped else "development"
        return f"check HOP_DATABASE_URL: this is a {other} database, which is not changed from here"
    if project.settings.production:
        return _advice_for_production(database, at, missing)
    if repository.branch is None:
        return f"git switch {project.settings.main_branch} (HEAD is detached)"
    version = version_of_branch(repository.branch)
    if version is None or version in repository.released:
        if repository.in_preparation:
            return f"git switch {release_branch(repository.in_preparation[0])}, or hop prepare another level"
        return "hop prepare --level=patch -m 'what it is about'"
    if at != version:
        return f"write SQL or Python files in Patches/{version.folder}, then hop apply"
    if repository.changes:
        return "hop apply after each change; git commit, then hop release"
    if repository.in_preparation and repository.in_preparation[0] < version:
        return f"hop apply; {repository.in_preparation[0]} is to be released first"
    return "hop release, or hop apply after another change"


def _advice_for_another(database: DatabaseStatus) -> str:
    """What to do about a database that is not reached, or is none of a project."""
    if database.mark is not None:
        return way_out(database.name, database.mark.of)
    hint = database.problem.hint if database.problem is not None else None
    return hint or "make the database reachable, then hop"


def _advice_for_production(database: DatabaseStatus, at: Version | None, missing: tuple[Version, ...]) -> str:
    if database.exists is False:
        return f'CREATE DATABASE "{database.name}", then hop upgrade'
    if database.state is not None and database.state.last is None:
        return "hop upgrade; with --baseline X.Y.Z if the database has tables"
    if database.begun is not None:
        return f"hop upgrade goes on with {database.begun.version}; hop restore {at} brings back the state before"
    return f"hop upgrade brings {', '.join(map(str, missing))}" if missing else "nothing to do; hop upgrade asks origin"
