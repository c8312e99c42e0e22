"""Restoring an earlier release: from a backup in production, from a snapshot in development."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hop_tasks.backups import SIDECAR_SUFFIX, Backup, find_backups, is_sound, restore_backup
from hop_tasks.catalog import read_catalog
from hop_tasks.database.properties import copy_properties
from hop_tasks.database.sessions import await_end_of_sessions, sessions_on
from hop_tasks.database.statements import server_version
from hop_tasks.errors import BackupError, ModeError, StateError
from hop_tasks.project import Project
from hop_tasks.registry import RegistryState, read_state
from hop_tasks.report import DEFAULT_REPORTER, Reporter, shown_size
from hop_tasks.snapshots import (
    REPLACED,
    clone_for_work,
    create_for_work,
    find_kept,
    put_in_place,
    remove_leftovers,
    replace_database,
)
from hop_tasks.versions import Version
from hop_tasks.workflows.bases import ensure_base, require_known_state
from hop_tasks.workflows.reading import release_reader
from hop_tasks.workflows.replacing import replace_current
from hop_tasks.workflows.sessions import tell_ended
from hop_tasks.workflows.workspace import Workspace

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True)
class Restored:
    """A database that was brought back: to which release, from where, and the name that the replaced state has."""

    database: str
    version: Version
    source: str
    kept_as: str | None


def restore_database(
    project: Project, version: Version | str, *, force: bool = False, reporter: Reporter = DEFAULT_REPORTER
) -> Restored:
    """Bring the database back to how it was at a release.

    In production the newest backup of that release is restored into a new database, which is checked and then put in
    place; in development it is the release's snapshot, made if it is not there. The state that is replaced is kept
    under another name until somebody drops it.

    Args:
        project: the project.
        version: the release.
        force: in production, end the sessions on the database instead of refusing.
        reporter: told what is done.

    Raises BackupError for no backup or a damaged one, StateError, ModeError. The database then serves as before.
    """
    project.require_devel("restore")
    wanted = Version.parse(version) if isinstance(version, str) else version
    workspace = Workspace.open(project, reporter)
    with workspace.locked("restore") as admin:
        state = workspace.read_state(admin)
        remove_leftovers(admin, workspace.database.name)
        if project.settings.production:
            return _from_backup(workspace, admin, state, wanted, force=force)
        return _from_snapshot(workspace, admin, state, wanted)


def _from_snapshot(workspace: Workspace, admin: Connection, state: RegistryState | None, version: Version) -> Restored:
    require_known_state(workspace, state, "restore")
    if version not in workspace.repository.refs().released:
        raise StateError(f"there is no release {version}; nothing was changed", hint="hop shows the releases")
    with release_reader(workspace.repository) as reader:
        base = ensure_base(workspace, admin, reader, version, state)
    work, _ = clone_for_work(admin, base.database, workspace.database.name)
    try:
        replaced = replace_current(workspace, admin, work, state, base=base, kind=REPLACED)
    except BaseException:
        workspace.discard(work)
        raise
    return Restored(
        workspace.database.name, version, f"snapshot {base.database}", replaced.kept_as if replaced else None
    )


def _from_backup(
    workspace: Workspace, admin: Connection, state: RegistryState | None, version: Version, *, force: bool
) -> Restored:
    of = workspace.database.name
    if state is not None and not state.production:
        raise ModeError(
            f"database {of} is not stamped as production; restore was refused",
            hint="check HOP_DATABASE_URL and HOP_PRODUCTION",
        )
    kept = _newest_kept(workspace, admin, version)
    backup = None if kept else _choose_backup(workspace, version)
    # Hop's own, which has just been closed, may be there for a moment.
    await_end_of_sessions(admin, of, seconds=1.0)
    sessions = sessions_on(admin, of)
    if sessions and not force:
        listed = "; ".join(str(session) for session in sessions[:5])
        raise StateError(
            f"{len(sessions)} sessions are open on {of}: {listed}; nothing was changed",
            hint=f"stop the programs that use it, or hop restore {version} --force to end them",
        )
    at = state.last.version if state and state.last else None
    if backup is None:
        return _from_kept(workspace, admin, str(kept), at, version, exists=state is not None)
    workspace.reporter.step(f"restoring {backup.path.name} ({shown_size(backup.size)}) beside {of}")
    work = create_for_work(admin, of, like=of if state is not None else None)
    try:
        restore_backup(
            backup, workspace.database.beside(work), server_version=server_version(admin), programs=workspace.programs
        )
        _check_restored(workspace, work, backup, version)
        if state is not None:
            # In production nothing that belongs to the database may be missing; a privilege that lacks is an error.
            copy_properties(admin, of, work, strict=True)
        if state is None:
            put_in_place(admin, work, of)
            return Restored(of, version, str(backup.path), None)
        kept, ended = replace_database(admin, work, of, release=at)
    except BaseException:
        workspace.discard(work)
        raise
    tell_ended(workspace.reporter, ended)
    return Restored(of, version, str(backup.path), kept)


def _newest_kept(workspace: Workspace, admin: Connection, version: Version) -> str | None:
    """The database that was replaced last at a release, when no backup of that release is there."""
    backups = find_backups(workspace.project.backups, workspace.database.name)
    if any(backup.release == version for backup in backups):
        return None
    kept = [mark for mark in find_kept(admin, workspace.database.name) if mark.release == str(version)]
    return max(kept, key=lambda mark: str((mark.extra or {}).get("at", ""))).database if kept else None


def _from_kept(
    workspace: Workspace, admin: Connection, kept: str, at: Version | None, version: Version, *, exists: bool
) -> Restored:
    """Put a database that was replaced back in its place."""
    of = workspace.database.name
    if not exists:
        put_in_place(admin, kept, of)
        return Restored(of, version, f"the kept database {kept}", None)
    now_kept, ended = replace_database(admin, kept, of, release=at)
    tell_ended(workspace.reporter, ended)
    return Restored(of, version, f"the kept database {kept}", now_kept)


def _choose_backup(workspace: Workspace, version: Version) -> Backup:
    """The newest sound backup of a release."""
    backups = find_backups(workspace.project.backups, workspace.database.name)
    damaged = []
    for backup in (found for found in backups if found.release == version):
        if is_sound(backup):
            return backup
        damaged.append(backup.path.name)
        workspace.reporter.warn(f"backup {backup.path} is damaged (sha256) and is passed over")
    if damaged:
        raise BackupError(
            f"every backup of {workspace.database.name} at {version} is damaged: {', '.join(damaged)}; "
            "nothing was changed",
            hint=f"copy one again to {workspace.project.backups} from where it is kept, with its {SIDECAR_SUFFIX} file",
        )
    there = sorted({backup.release for backup in backups if backup.release})
    raise BackupError(
        f"there is no backup of {workspace.database.name} at {version} in {workspace.project.backups}; "
        "nothing was changed",
        hint="there are backups of " + ", ".join(map(str, there)) if there else "hop upgrade makes backups",
    )


def _check_restored(workspace: Workspace, work: str, backup: Backup, version: Version) -> None:
    with workspace.database.beside(work).connect() as connection:
        found = read_state(connection)
        fingerprint = read_catalog(connection).fingerprint
    if found.last is None or found.last.version != version or fingerprint != backup.fingerprint:
        raise BackupError(
            f"{backup.path} does not hold what its sidecar says; {workspace.database.name} serves as before",
            hint="choose another backup",
        )
