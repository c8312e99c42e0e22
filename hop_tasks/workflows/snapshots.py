"""The databases that hop keeps beside a development database: listed, and snapshots pruned."""

from __future__ import annotations

from dataclasses import dataclass

from hop_tasks.database.admin import marked_databases
from hop_tasks.database.engines import Database
from hop_tasks.database.sizes import free_space, size_of
from hop_tasks.database.urls import resolve_target
from hop_tasks.errors import DatabaseError
from hop_tasks.project import Project
from hop_tasks.report import DEFAULT_REPORTER, Reporter
from hop_tasks.repository import Repository
from hop_tasks.snapshots import AT, SNAPSHOT, drop_discarded, making_spares
from hop_tasks.versions import Version
from hop_tasks.workflows.bases import require_known_state
from hop_tasks.workflows.pruning import needed_releases, superfluous_snapshots
from hop_tasks.workflows.spare_notes import SpareNote
from hop_tasks.workflows.spares import clear_leftovers
from hop_tasks.workflows.workspace import Workspace, require_no_copy


@dataclass(frozen=True)
class ListedDatabase:
    """A database beside the project's own.

    Attributes:
        name: its name.
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
        free: bytes that are free on the server's disk; None where that cannot be known.
        no_spare: why there is no spare, if something speaks against one.
        problem: why the server was not reached.
    """

    database: str
    databases: tuple[ListedDatabase, ...] = ()
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
        return SnapshotList(target.database, problem=DatabaseError(f"{target}", hint="hop server"))
    database = Database(target.place, project.settings.maintenance_database)
    needed = needed_releases(Repository.open(project.root))
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
        return SnapshotList(database.name, problem=error)
    return SnapshotList(database.name, found, free, SpareNote(project.root).read())


def prune_snapshots(project: Project, *, reporter: Reporter = DEFAULT_REPORTER) -> tuple[str, ...]:
    """Drop the snapshots that neither a release in preparation nor the next one needs, and what was left to drop.

    Snapshots can be made again from the releases, less the rows that only they have. Databases with rows that somebody
    typed in stay. Returns the snapshots that were dropped. Raises ModeError in production, StateError, LockedError.
    """
    project.require_development("snapshots --prune")
    workspace = Workspace.open(project, reporter)
    of = workspace.database.name
    with workspace.locked("snapshots") as admin:
        require_known_state(workspace, workspace.read_state(admin), "snapshots --prune")
        clear_leftovers(workspace, admin)
        superfluous = superfluous_snapshots(admin, of, needed_releases(workspace.repository))
        for mark in superfluous:
            workspace.drop_snapshot(admin, mark.database)
        with making_spares(admin, of) as held:
            # Otherwise somebody in the background is at it.
            if held:
                drop_discarded(admin, of)
    return tuple(mark.database for mark in superfluous)
