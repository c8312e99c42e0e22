"""Restoring an earlier state: from a backup in production, from a snapshot in development."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hop_tasks.database.admin import drop_database
from hop_tasks.errors import StateError
from hop_tasks.project import Project
from hop_tasks.registry import RegistryState
from hop_tasks.report import DEFAULT_REPORTER, Reporter
from hop_tasks.snapshots import REPLACED
from hop_tasks.versions import Version
from hop_tasks.workflows.bases import ensure_base, require_known_state
from hop_tasks.workflows.reading import release_reader
from hop_tasks.workflows.replacing import replace_current
from hop_tasks.workflows.restored import Restored
from hop_tasks.workflows.restoring import restore_production
from hop_tasks.workflows.spares import Spares, clear_leftovers, sparing
from hop_tasks.workflows.workspace import Workspace

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


def restore_database(
    project: Project,
    version: Version | str,
    *,
    force: bool = False,
    drop_replaced: bool = False,
    reporter: Reporter = DEFAULT_REPORTER,
) -> Restored:
    """Bring the database back to how it was at a release.

    In production a backup is restored into a new database, which is checked and then put in place; in development it
    is the release's snapshot, made if it is not there. The state that is replaced is kept under another name until
    somebody drops it.

    Args:
        project: the project.
        version: the release; in production also a backup, by its name in the folder of backups or by a path, or a
            database that an earlier restore replaced. For a release its newest sound backup is taken.
        force: in production, end the sessions on the database instead of refusing.
        drop_replaced: drop the state that is replaced once the other is in its place.
        reporter: told what is done.

    Raises BackupError for no backup, or a damaged or foreign one, DatabaseError for missing privileges, StateError,
    ModeError, UsageError. The database then serves as before.
    """
    project.require_devel("restore")
    production = project.settings.production
    wanted = None if production else version if isinstance(version, Version) else Version.parse(version)
    workspace = Workspace.open(project, reporter)
    with sparing(workspace) as spares, workspace.locked("restore") as admin:
        state = workspace.read_state(admin)
        if wanted is None:
            restored = restore_production(workspace, admin, state, str(version), force=force)
        else:
            restored = _from_snapshot(workspace, admin, spares, state, wanted)
        if drop_replaced and restored.kept_as:
            drop_database(admin, restored.kept_as)
            restored = replace(restored, kept_as=None, dropped=restored.kept_as)
    return restored


def _from_snapshot(
    workspace: Workspace, admin: Connection, spares: Spares, state: RegistryState | None, version: Version
) -> Restored:
    require_known_state(workspace, state, "restore")
    clear_leftovers(workspace, admin)
    if version not in workspace.repository.refs().released:
        raise StateError(f"there is no release {version}; nothing was changed", hint="hop shows the releases")
    with release_reader(workspace.repository) as reader:
        base = ensure_base(workspace, admin, reader, version, state)
    work = spares.copy(admin, base.database)
    try:
        replaced = replace_current(workspace, admin, work, state, base=base, kind=REPLACED)
    except BaseException:
        workspace.discard(work)
        raise
    return Restored(
        workspace.database.name, version, f"snapshot {base.database}", replaced.kept_as if replaced else None
    )
