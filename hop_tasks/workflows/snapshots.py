"""The databases that hop keeps beside a development database: listed, and snapshots pruned."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from hop_tasks.database.admin import marked_databases
from hop_tasks.database.engines import Database
from hop_tasks.database.sizes import free_space, size_of
from hop_tasks.database.urls import resolve_target
from hop_tasks.errors import DatabaseError
from hop_tasks.project import Project
from hop_tasks.report import DEFAULT_REPORTER, Reporter
from hop_tasks.repository import Repository
from hop_tasks.snapshots import (
    AT,
    SNAPSHOT,
    clear_half_done,
    drop_discarded,
    dumps_place,
    find_dumps,
    making_spares,
    remove_dumps,
)
from hop_tasks.versions import Version
from hop_tasks.workflows.bases import require_known_state
from hop_tasks.workflows.dumping import names_of_dumps, superfluous_dumps
from hop_tasks.workflows.pruning import needed_releases, superfluous_snapshots
from hop_tasks.workflows.spare_notes import SpareNote
from hop_tasks.workflows.spares import clear_leftovers
from hop_tasks.workflows.workspace import Workspace, require_no_copy


@dataclass(frozen=True)
class ListedDatabase:
    """A database beside the project's own, or a dump that stands for one where the role may create none.

    Attributes:
        name: its name; of a dump, its folder, from the project's root.
        kind: `snapshot`, `spare`, `before_apply`, `replaced`, `discarded` (dropped soon) or `work`.
        release: the release that it is at; None where nobody noted one.
        at: when it was made or replaced, in ISO 8601; None if nobody noted it.
        size: bytes; None for a role that may not connect to it.
        needed: whether it is a snapshot that a release in preparation, or the next one, starts from.
    """

    name: str
    kind: str
    release: str | None
    at: str | None
    size: int | None
    needed: bool = False


@dataclass(frozen=True)
class SnapshotList:
    """What hop keeps beside a database.

    Attributes:
        database: the project's own.
        databases: those beside it, by name.
        dumps: those that stand for such databases, by name; BEFORE_APPLY and SNAPSHOT are their kinds.
        free: bytes that are free on the server's disk; None where that cannot be known.
        no_spare: why there is no spare, if something speaks against one.
        problem: why the server was not reached.
    """

    database: str
    databases: tuple[ListedDatabase, ...] = ()
    dumps: tuple[ListedDatabase, ...] = ()
    free: int | None = None
    no_spare: str | None = None
    problem: DatabaseError | None = None


def list_snapshots(project: Project) -> SnapshotList:
    """What hop keeps beside the project's database. Starts and changes nothing; no server is a problem, not an error.

    Raises ProjectError for a URL that is wrong.
    """
    project.require_devel("snapshots")
    target = resolve_target(project)
    if target.place is None:
        away = DatabaseError(f"the embedded server, which has {target.database}, is not running", hint="hop server")
        return SnapshotList(target.database, problem=away)
    database = Database(target.place, project.settings.maintenance_database)
    repository = Repository.open(project.root)
    needed = needed_releases(repository)
    dumps = _listed_dumps(project, repository, database.name, needed)
    try:
        with database.administer() as admin:
            require_no_copy(admin, database.name)
            found = tuple(
                ListedDatabase(
                    mark.database,
                    mark.kind,
                    mark.release,
                    (mark.extra or {}).get(AT),
                    size_of(admin, mark.database),
                    mark.kind == SNAPSHOT and Version.find(mark.release or "") in needed,
                )
                for mark in marked_databases(admin, database.name)
            )
            free = free_space(admin, database.name)
    except DatabaseError as error:
        return SnapshotList(database.name, dumps=dumps, problem=error)
    return SnapshotList(database.name, found, dumps, free, SpareNote(project.root).read())


def _listed_dumps(
    project: Project, repository: Repository, database: str, needed: Collection[Version]
) -> tuple[ListedDatabase, ...]:
    names = names_of_dumps(repository, needed)
    return tuple(
        ListedDatabase(
            dump.folder.relative_to(project.root).as_posix(),
            dump.kind,
            dump.release,
            dump.at,
            dump.size,
            dump.folder.name in names,
        )
        for dump in find_dumps(dumps_place(project.root, database))
    )


def prune_snapshots(project: Project, *, reporter: Reporter = DEFAULT_REPORTER) -> tuple[str, ...]:
    """Drop the snapshots that neither a release in preparation nor the next one needs, and what was left to drop.

    So are the dumps that stand for snapshots. Snapshots can be made again from the releases, less the rows that only
    they have. What somebody typed in stays, in databases and in dumps. Returns the snapshots that were dropped.
    Raises ModeError in production, StateError, LockedError.
    """
    project.require_development("snapshots --prune")
    workspace = Workspace.open(project, reporter)
    of = workspace.database.name
    with workspace.locked("snapshots") as admin:
        require_known_state(workspace, workspace.read_state(admin), "snapshots --prune")
        clear_leftovers(workspace, admin)
        needed = needed_releases(workspace.repository)
        superfluous = superfluous_snapshots(admin, of, needed)
        for mark in superfluous:
            workspace.drop_snapshot(admin, mark.database)
        with making_spares(admin, of) as held:
            # Otherwise somebody in the background is at it.
            if held:
                drop_discarded(admin, of)
        place = dumps_place(project.root, of)
        clear_half_done(place)
        dumps = superfluous_dumps(place, names_of_dumps(workspace.repository, needed))
        remove_dumps(dumps)
    gone = (dump.folder.relative_to(project.root).as_posix() for dump in dumps)
    return (*(mark.database for mark in superfluous), *gone)
