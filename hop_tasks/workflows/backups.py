"""The backups of a production database and the databases that restores replaced: listed, verified, pruned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hop_tasks.backups import (
    Backup,
    Kind,
    find_backups,
    find_damage,
    find_damaged_notes,
    find_leftovers,
    find_unnoted,
    remove_backup,
    remove_leftover,
    superseded,
)
from hop_tasks.database.addresses import Address
from hop_tasks.database.admin import database_exists, drop_database, take_off_mark
from hop_tasks.database.engines import Database
from hop_tasks.database.sizes import size_of
from hop_tasks.database.urls import resolve_target
from hop_tasks.errors import DatabaseError, ModeError, StateError
from hop_tasks.project import Project
from hop_tasks.registry import read_state
from hop_tasks.report import DEFAULT_REPORTER, Reporter, shown_size
from hop_tasks.snapshots import BEGUN, REPLACED, find_kept, remove_leftovers
from hop_tasks.workflows.workspace import Workspace, programs_folder

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


@dataclass(frozen=True)
class ListedBackup:
    """A backup, and what is wrong with it: None for nothing, or if that was not looked for."""

    backup: Backup
    damage: str | None = None


@dataclass(frozen=True)
class ReplacedDatabase:
    """A database that a restore replaced: its name, the release that it is at, when it was replaced, its bytes, and
    the release that had been begun in it, if one was."""

    name: str
    release: str | None
    replaced_at: str | None
    size: int | None
    begun: str | None = None


@dataclass(frozen=True)
class BackupList:
    """What there is to go back to.

    Attributes:
        folder: the folder of the backups, as a path.
        backups: those whose sidecars are sound, newest first.
        unusable: dumps without a sidecar, or with one that must not be believed, and why.
        leftovers: the names of files that interrupted commands left.
        replaced: databases that restores replaced, newest first.
        problem: why the server was not reached; its databases are then unknown.
    """

    folder: str
    backups: tuple[ListedBackup, ...]
    unusable: tuple[tuple[str, str], ...]
    leftovers: tuple[str, ...]
    replaced: tuple[ReplacedDatabase, ...]
    problem: DatabaseError | None = None


@dataclass(frozen=True)
class Pruned:
    """What was removed: backups and leftover files by their names, and databases."""

    backups: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()


def list_backups(project: Project, *, verify: bool = False) -> BackupList:
    """What there is to go back to. Changes nothing, and needs no server for the files.

    Args:
        project: the project.
        verify: read each backup whole, and compare its size, checksum and table of contents with its sidecar.
    """
    project.require_devel("backups")
    target = resolve_target(project)
    name, folder = target.database, project.backups
    database = Database(target.place, project.settings.maintenance_database) if target.place is not None else None
    listed = [
        ListedBackup(backup, _damage(project, backup, database) if verify else None)
        for backup in find_backups(folder, name)
    ]
    unusable = [(note.path.name, note.problem) for note in find_damaged_notes(folder, name)]
    unusable += [(path.name, "it has no sidecar") for path in find_unnoted(folder, name)]
    replaced, problem = _replaced(database)
    return BackupList(
        str(folder),
        tuple(listed),
        tuple(sorted(unusable)),
        tuple(path.name for path in find_leftovers(folder, name)),
        replaced,
        problem,
    )


def prune_backups(project: Project, *, reporter: Reporter = DEFAULT_REPORTER) -> Pruned:
    """Remove backups beyond the setting backup_keep, what interrupted commands left, and the replaced databases.

    Raises StateError if the database is not there, for then a replaced one may be all that is left; LockedError.
    """
    workspace = _open(project, reporter)
    folder, of = project.backups, workspace.database.name
    with workspace.locked("backups") as admin:
        _require_in_place(workspace, admin)
        take_off_mark(admin, of)
        removed = []
        for backup in superseded(folder, of, project.settings.backup_keep):
            remove_backup(backup)
            removed.append(backup.path.name)
            reporter.step(f"removed the backup {backup.path.name} ({shown_size(backup.size)})")
        leftovers = []
        for path in find_leftovers(folder, of):
            remove_leftover(path)
            leftovers.append(path.name)
            reporter.step(f"removed {path.name}, which an interrupted command left")
        for name in remove_leftovers(admin, of):
            leftovers.append(name)
            reporter.step(f"dropped database {name}, which an interrupted command left")
        return Pruned(tuple(removed), tuple(leftovers), _drop_replaced(workspace, admin))


def drop_replaced_databases(project: Project, *, reporter: Reporter = DEFAULT_REPORTER) -> Pruned:
    """Drop the databases that restores replaced. Raises as `prune_backups` does."""
    workspace = _open(project, reporter)
    with workspace.locked("backups") as admin:
        _require_in_place(workspace, admin)
        return Pruned(databases=_drop_replaced(workspace, admin))


def _open(project: Project, reporter: Reporter) -> Workspace:
    project.require_devel("backups")
    return Workspace.open(project, reporter)


def _damage(project: Project, backup: Backup, database: Database | None) -> str | None:
    if backup.kind is Kind.ELSEWHERE:
        return None
    # Nobody connects to it: a server that is not there is no hindrance.
    any_database = database or Database(Address(backup.database))
    try:
        return find_damage(backup, database=any_database, programs=programs_folder(project))
    except DatabaseError as error:
        return f"not verified: {error.message}"


def _replaced(database: Database | None) -> tuple[tuple[ReplacedDatabase, ...], DatabaseError | None]:
    if database is None:
        return (), None
    try:
        with database.administer() as admin:
            found = [
                ReplacedDatabase(
                    mark.database,
                    mark.release,
                    (mark.extra or {}).get("at"),
                    size_of(admin, mark.database),
                    (mark.extra or {}).get(BEGUN),
                )
                for mark in find_kept(admin, database.name)
                if mark.kind == REPLACED
            ]
    except DatabaseError as error:
        return (), error
    return tuple(sorted(found, key=lambda kept: kept.replaced_at or "", reverse=True)), None


def _require_in_place(workspace: Workspace, admin: Connection) -> None:
    """Raises where something would be removed that is needed, or belongs to another place."""
    of, production = workspace.database.name, workspace.project.settings.production
    if not database_exists(admin, of):
        raise StateError(
            f"there is no database {of}: what is left of it is not removed; nothing was changed",
            hint="hop restore brings it back: hop backups shows from what",
        )
    replaced = [mark.database for mark in find_kept(admin, of) if mark.kind == REPLACED]
    for name in (of, *replaced):
        with workspace.database.beside(name).connect() as connection:
            state = read_state(connection)
        if not state.exists or state.production != production:
            kind = "stamped as production" if state.production else "not stamped as production"
            raise ModeError(
                f"database {name} is {kind}; nothing of {of} is removed from here",
                hint="check HOP_DATABASE_URL and HOP_PRODUCTION",
            )


def _drop_replaced(workspace: Workspace, admin: Connection) -> tuple[str, ...]:
    dropped = []
    for mark in find_kept(admin, workspace.database.name):
        if mark.kind == REPLACED:
            drop_database(admin, mark.database)
            dropped.append(mark.database)
            workspace.reporter.step(f"dropped database {mark.database}, which was replaced at {mark.release}")
    return tuple(dropped)
