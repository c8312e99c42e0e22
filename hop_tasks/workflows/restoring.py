"""Restoring a production database: from a backup, beside the one that serves, or from a kept one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from hop_tasks.backups import Backup, count_rows, restore_backup
from hop_tasks.catalog import read_catalog
from hop_tasks.checkpoints import checkpoint
from hop_tasks.database.admin import Mark, take_off_mark
from hop_tasks.database.privileges import require_writable
from hop_tasks.database.properties import Properties, read_properties
from hop_tasks.database.statements import server_version
from hop_tasks.errors import BackupError, ModeError
from hop_tasks.registry import RegistryState, read_state
from hop_tasks.report import shown_size
from hop_tasks.snapshots import create_for_work, remove_leftovers
from hop_tasks.versions import Version
from hop_tasks.workflows.auditing import audited, note_done
from hop_tasks.workflows.choosing import choose_source
from hop_tasks.workflows.restored import Restored, require_able_to_replace, take_place
from hop_tasks.workflows.workspace import Workspace

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

MAJOR = 10_000
"""What libpq's number of a version is divided by to have the major version."""


def restore_production(
    workspace: Workspace, admin: Connection, state: RegistryState | None, wanted: str, *, force: bool
) -> Restored:
    """Bring the production database back; everything is checked before the first change.

    Args:
        workspace: the workspace.
        admin: in autocommit to the maintenance database; the lock is held.
        state: of the database, None if it does not exist.
        wanted: a release, a backup, or a kept database.
        force: end open sessions instead of refusing.
    """
    of = workspace.database.name
    if state is not None and not state.production:
        raise ModeError(
            f"database {of} is not stamped as production; restore was refused",
            hint="check HOP_DATABASE_URL and HOP_PRODUCTION",
        )
    source = choose_source(workspace, admin, state, wanted)
    again = f"hop restore {wanted} --force"
    kept_one = source.database if isinstance(source, Mark) else None
    _require_writable(workspace, admin, [name for name in (of if state else None, kept_one) if name])
    require_able_to_replace(workspace, admin, kept=kept_one, force=force, again=again)
    # From here on things are changed; up to here nothing was.
    with ExitStack() as stack:
        at, to = state.version if state else None, _release_wanted(source)
        audit = (
            stack.enter_context(audited(workspace.database, "restore", from_release=at, to_release=to)) if at else None
        )
        remove_leftovers(admin, of)
        take_off_mark(admin, of)
        if isinstance(source, Mark):
            ready, described = source.database, f"the kept database {source.database}"
            properties = None if state is None else read_properties(admin, of)
        else:
            described = str(source.path)
            properties = _properties(workspace, admin, source, exists=state is not None)
            ready = _load(workspace, admin, source, properties)
        try:
            version = _release_of(workspace, ready)
            note_done(workspace.database.beside(ready), "restore", from_release=at, to_release=version)
            kept = take_place(workspace, admin, ready, state, properties, force=force, again=again)
        except BaseException:
            if not isinstance(source, Mark):
                workspace.discard(ready)
            raise
        if audit is not None and kept is not None:
            audit.database = workspace.database.beside(kept)
    return Restored(of, version, described, kept)


def _require_writable(workspace: Workspace, admin: Connection, names: Sequence[str]) -> None:
    """Raises DatabaseError if the server or one of the databases can only be read."""
    require_writable(admin)
    for name in names:
        with workspace.database.beside(name).connect() as connection:
            require_writable(connection)


def _release_wanted(source: Backup | Mark) -> Version | None:
    if isinstance(source, Backup):
        return source.release
    return Version.parse(source.release) if source.release else None


def _release_of(workspace: Workspace, name: str) -> Version:
    with workspace.database.beside(name).connect() as connection:
        return read_state(connection).version


def _properties(workspace: Workspace, admin: Connection, backup: Backup, *, exists: bool) -> Properties | None:
    """What the restored database gets: the properties of the one that serves; those of the backup, if that is gone."""
    if exists:
        return read_properties(admin, workspace.database.name)
    if backup.properties is None:
        return None
    known, missing = Properties.from_json(backup.properties).known_to(admin)
    if missing:
        workspace.reporter.warn(
            f"this server has no {', '.join(missing)}: the database will be without what belongs to them"
        )
    return known


def _load(workspace: Workspace, admin: Connection, backup: Backup, properties: Properties | None) -> str:
    """A new database with what a backup holds; a half-made one is dropped."""
    of, settings = workspace.database.name, workspace.project.settings
    workspace.reporter.step(f"restoring {backup.path.name} ({shown_size(backup.size)}) beside {of}")
    checkpoint("restore.before_create")
    work = create_for_work(admin, of, creation=properties.creation if properties else None)
    try:
        checkpoint("restore.after_create")
        restore_backup(
            backup,
            workspace.database.beside(work),
            server_version=server_version(admin),
            programs=workspace.programs,
            jobs=settings.backup_jobs,
        )
        checkpoint("restore.after_load")
        _require_as_noted(workspace, admin, work, backup)
    except BaseException:
        workspace.discard(work)
        raise
    return work


def _require_as_noted(workspace: Workspace, admin: Connection, work: str, backup: Backup) -> None:
    """Raises BackupError if what was restored is not what the backup's sidecar says."""
    of, database = workspace.database.name, workspace.database.beside(work)
    with database.connect() as connection:
        last = read_state(connection).last
        fingerprint = read_catalog(connection).fingerprint
        rows = None if backup.rows is None else count_rows(connection)
    wrong = []
    if last is None or last.version != backup.release:
        wrong.append(f"it is at {last.version if last else 'no release'} instead of {backup.release}")
    if server_version(admin) // MAJOR != backup.server_version // MAJOR:
        workspace.reporter.note("the catalog is not compared: the backup comes from another version of PostgreSQL")
    elif fingerprint != backup.fingerprint:
        wrong.append("its catalog is another (fingerprint)")
    if rows is not None and rows != backup.rows:
        noted = backup.rows or {}
        tables = sorted(table for table in {*rows, *noted} if rows.get(table) != noted.get(table))
        wrong += [f"{table} has {rows.get(table)} rows instead of {noted.get(table)}" for table in tables[:5]]
    if wrong or last is None:
        raise BackupError(
            f"{backup.path} does not hold what its sidecar says: {'; '.join(wrong)}; {of} serves as before",
            hint="choose another backup",
        )
