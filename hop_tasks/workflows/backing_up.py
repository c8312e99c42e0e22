"""The backup before an upgrade, and whether one can be made, which is asked before anything is changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hop_tasks.backups import (
    Backup,
    Facts,
    Kind,
    Recipe,
    be_patient,
    estimate_size,
    exported_snapshot,
    find_backups,
    find_damage,
    make_backup,
    remove_backup,
    require_folder,
    require_space,
    superseded,
)
from hop_tasks.catalog import read_catalog
from hop_tasks.database.clients import find_client
from hop_tasks.database.commands import find_command
from hop_tasks.database.privileges import missing_on_tables, require, require_writable, unreadable
from hop_tasks.database.properties import read_properties
from hop_tasks.database.sizes import database_size, tables_size
from hop_tasks.database.statements import server_version
from hop_tasks.errors import BackupError, DatabaseError
from hop_tasks.project import Project
from hop_tasks.registry import backup_before, begun_release, read_database_id, read_state
from hop_tasks.report import shown_size
from hop_tasks.versions import Version
from hop_tasks.workflows.patience import naming_blockers
from hop_tasks.workflows.workspace import Workspace, programs_folder

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

NO_BACKUP = "none"
REGISTRY = "half_orm_meta"
WRITTEN = {
    "database": ("SELECT",),
    "hop_release": ("SELECT", "INSERT"),
    "hop_attempt": ("SELECT", "INSERT", "UPDATE"),
    "hop_step": ("SELECT", "INSERT", "UPDATE", "DELETE"),
}
"""What an upgrade does to the tables of the registry."""


def back_up(workspace: Workspace, admin: Connection, at: Version | None) -> Backup | None:
    """Back the production database up, at a release; None where the settings want no backup, which is said loudly.

    Where a release has been begun, the way back is the backup from before its first step: as long as that is sound,
    it is returned, and none is made of what is halfway. Otherwise the new one says what was begun in it. The caller
    holds the lock. Backups beyond the setting backup_keep are removed once the new one is whole. Raises BackupError
    with nothing changed.
    """
    project, database, reporter = workspace.project, workspace.database, workspace.reporter
    with database.connect() as connection:
        begun = begun_release(connection)
        from_before = _from_before(workspace, connection, begun.version, at) if begun else None
    if begun and from_before:
        damage = find_damage(from_before, database=database, programs=workspace.programs)
        if damage is None:
            reporter.note(
                f"no backup is made of what is halfway to {begun.version}: "
                f"{from_before.path}, from before its first step, stays the way back to {at}"
            )
            return from_before
        reporter.warn(f"backup {from_before.path}, from before {begun.version} was begun, is damaged: {damage}")
    recipe = recipe_for(project)
    if recipe is None:
        reporter.warn(
            f"NO BACKUP of {database.name} at {at} is made (backup_format = none): there will be no way back to it"
        )
        return None
    how = f" by {recipe.command[0]}" if recipe.command else ""
    reporter.step(f"backing up {database.name} at {at}{how}")
    with (
        exported_snapshot(database) as snapshot,
        naming_blockers(admin, snapshot.connection, f"back up {database.name}", as_error=BackupError),
    ):
        connection = snapshot.connection
        _require_space(recipe, database.name, connection)
        state = read_state(connection)
        facts = Facts(
            release=at,
            commit=state.last.commit if state.last else None,
            database_id=read_database_id(connection),
            fingerprint=read_catalog(connection).fingerprint,
            server_version=server_version(admin),
            database_size=database_size(connection),
            properties=read_properties(connection, database.name).as_json(),
            begun=begun.version if begun else None,
        )
        backup = make_backup(database, recipe, facts, snapshot)
    if begun is not None:
        reporter.warn(f"{begun.version} had been begun in what {backup.path.name} holds: it is no way back to {at}")
    if backup.kind is Kind.ELSEWHERE:
        reporter.note(f"{backup.program} made the backup elsewhere; {backup.path} says when and of what")
    for older in superseded(recipe.folder, database.name, project.settings.backup_keep):
        if older.path != backup.path:
            remove_backup(older)
            reporter.note(f"removed the older backup {older.path.name} ({shown_size(older.size)})")
    return backup


def require_able_to_back_up(workspace: Workspace, admin: Connection, *, needed: bool = True) -> None:
    """Raises before an upgrade changes anything, if its backup could not be made or its registry not be written.

    Args:
        workspace: the workspace of the upgrade.
        admin: in autocommit to the maintenance database.
        needed: whether there will be a backup; an empty database needs none.

    DatabaseError names all privileges that are missing, a program that is, or a database or server that can only be
    read; BackupError a folder that cannot be written to, or too little space.
    """
    database = workspace.database
    recipe = recipe_for(workspace.project) if needed else None
    with (
        database.connect() as connection,
        naming_blockers(admin, connection, f"upgrade {database.name}", as_error=DatabaseError),
    ):
        require_writable(connection)
        be_patient(connection)
        dumps = recipe is not None and recipe.kind is not Kind.COMMAND
        missing = unreadable(connection) if dumps else ()
        missing += missing_on_tables(connection, REGISTRY, WRITTEN)
        require(connection, missing, f"upgrade {database.name}")
        if recipe is None:
            return
        require_folder(recipe.folder)
        if recipe.kind is Kind.COMMAND:
            find_command(recipe.command, recipe.where)
        else:
            for program in ("pg_dump", "pg_restore"):
                find_client(program, server_version(admin), folder=recipe.programs)
        if not _has_way_back(workspace, connection):
            _require_space(recipe, database.name, connection)


def recipe_for(project: Project) -> Recipe | None:
    """How backups are made in this place, by its settings; None for none."""
    settings = project.settings
    if settings.backup_format == NO_BACKUP:
        return None
    return Recipe(
        folder=project.backups,
        kind=Kind.COMMAND if settings.backup_command else Kind(settings.backup_format),
        jobs=settings.backup_jobs,
        command=settings.backup_command,
        where=Path(project.root),
        programs=programs_folder(project),
    )


def _has_way_back(workspace: Workspace, connection: Connection) -> bool:
    """Whether a release was begun and the backup from before it is there; whether it is sound takes time to tell."""
    begun, last = begun_release(connection), read_state(connection).last
    if begun is None or last is None:
        return False
    return _from_before(workspace, connection, begun.version, last.version) is not None


def _from_before(workspace: Workspace, connection: Connection, begun: Version, at: Version | None) -> Backup | None:
    """The backup that was made just before a release was begun, of the release before it; None if it is not there.

    An older one of the same release would not do: rows came since.
    """
    noted, own = backup_before(connection, begun), read_database_id(connection)
    for backup in find_backups(workspace.project.backups, workspace.database.name) if noted else ():
        if backup.path.name == Path(str(noted)).name:
            return backup if (backup.release, backup.begun, backup.database_id) == (at, None, own) else None
    return None


def _require_space(recipe: Recipe, database: str, connection: Connection) -> None:
    previous = [backup for backup in find_backups(recipe.folder, database) if backup.kind is recipe.kind]
    if recipe.kind is Kind.COMMAND and not previous:
        return  # Nobody knows how much it writes, and where to.
    needed = estimate_size(previous, database_size=database_size(connection), tables_size=tables_size(connection))
    try:
        require_space(recipe.folder, needed)
    except OSError as error:
        raise BackupError(
            f"the space in {recipe.folder} cannot be told: {error.strerror}; nothing was changed",
            hint="name another folder in the setting backups",
        ) from error
