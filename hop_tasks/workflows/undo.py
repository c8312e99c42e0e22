"""Undoing what apply did: the development database back at the base state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hop_tasks.errors import StateError
from hop_tasks.package import Synchronised
from hop_tasks.project import Project
from hop_tasks.registry import RegistryState, begun_release, read_releases
from hop_tasks.report import DEFAULT_REPORTER, Reporter
from hop_tasks.versions import Version
from hop_tasks.workflows.bases import ensure_base, released_version, require_known_state
from hop_tasks.workflows.dumping import base_dump
from hop_tasks.workflows.in_place import undo_in_place
from hop_tasks.workflows.reading import release_reader
from hop_tasks.workflows.replacing import Replaced, decide_leftovers, replace_current
from hop_tasks.workflows.roles import may_create_databases
from hop_tasks.workflows.spares import clear_leftovers, sparing
from hop_tasks.workflows.sync_package import leaving_database, synchronise_database
from hop_tasks.workflows.workspace import Workspace

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


@dataclass(frozen=True)
class UndoneRelease:
    """A release that was undone, the base that the database is at now, and what became of package and old state."""

    version: Version
    base: Version
    package: Synchronised | None
    replaced: Replaced | None


def undo_release(
    project: Project, *, database_only: bool = False, reporter: Reporter = DEFAULT_REPORTER
) -> UndoneRelease:
    """Put the development database back to the base state of the release that was applied.

    Args:
        project: the project.
        database_only: leave the Python package as it is, instead of bringing it in step.
        reporter: told what is done.

    The patch files and the branch stay. Raises StateError if nothing is applied.
    """
    project.require_development("undo")
    workspace = Workspace.open(project, reporter)
    with (
        sparing(workspace) as spares,
        workspace.locked("undo") as admin,
        release_reader(workspace.repository) as reader,
    ):
        state = workspace.read_state(admin)
        require_known_state(workspace, state, "undo")
        clear_leftovers(workspace, admin)
        decide_leftovers(workspace, admin)
        if state is None or state.last is None or released_version(state, reader, workspace.repository.refs().released):
            halfway = _halfway(workspace, admin, state)
            if state is not None and state.last is not None and halfway is not None:
                version = state.last.version
                dump = base_dump(workspace, admin, reader, version, state)
                done, in_place = undo_in_place(workspace, admin, dump, version, package=not database_only)
                return UndoneRelease(halfway, version, done, in_place)
            where = "there is no database" if state is None or state.last is None else f"it is at {state.last.version}"
            raise StateError(
                f"nothing is applied to undo on database {workspace.database.name}: {where}; nothing was changed",
                hint="hop shows the state",
            )
        with workspace.database.connect() as connection:
            rows = read_releases(connection)
        if len(rows) < 2 or rows[1].version not in workspace.repository.refs().released:
            raise StateError(
                f"the release that database {workspace.database.name} was at before {state.last.version} is not known "
                "here; nothing was changed",
                hint="git fetch --tags origin",
            )
        if not may_create_databases(admin):
            version = rows[1].version
            dump = base_dump(workspace, admin, reader, version, state)
            done, in_place = undo_in_place(workspace, admin, dump, version, package=not database_only)
            return UndoneRelease(state.last.version, version, done, in_place)
        base = ensure_base(workspace, admin, reader, rows[1].version, state)
        work = spares.copy(admin, base.database)
        try:
            package = None
            if not database_only:
                with leaving_database(workspace.database.name, "undo"):
                    package = synchronise_database(project, workspace.database.beside(work), base.version)
            replaced = replace_current(workspace, admin, work, state, base=base)
        except BaseException:
            workspace.discard(work)
            raise
    return UndoneRelease(state.last.version, base.version, package, replaced)


def _halfway(workspace: Workspace, admin: Connection, state: RegistryState | None) -> Version | None:
    """The release some steps of which have run in the development database itself, and not all of them."""
    if state is None or not state.exists or may_create_databases(admin):
        return None
    with workspace.database.connect() as connection:
        begun = begun_release(connection)
    return None if begun is None else begun.version
