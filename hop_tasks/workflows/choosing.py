"""Which backup, or which kept database, a production database is restored from; checked before anything is touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hop_tasks.backups import (
    DUMP_SUFFIX,
    SIDECAR_SUFFIX,
    Backup,
    Kind,
    find_backups,
    find_damage,
    find_damaged_notes,
    read_note,
)
from hop_tasks.database.admin import Mark
from hop_tasks.errors import BackupError, UsageError
from hop_tasks.registry import RegistryState, read_database_id
from hop_tasks.snapshots import BEGUN, REPLACED, find_kept
from hop_tasks.versions import Version
from hop_tasks.workflows.workspace import Workspace

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


def choose_source(workspace: Workspace, admin: Connection, state: RegistryState | None, wanted: str) -> Backup | Mark:
    """What to restore from: the newest sound backup of a release, or a kept database where there is none; or the backup
    or kept database of that name. One in which another release had been begun is taken by its name only.

    Args:
        workspace: the workspace of the restore.
        admin: in autocommit to the maintenance database.
        state: of the database, None if it does not exist.
        wanted: a release X.Y.Z, the name of a backup in the folder of backups, a path, or a kept database.

    Raises BackupError for one that is damaged, foreign, or not there, UsageError for a word that is none of these.
    """
    version = Version.find(wanted)
    kept = [mark for mark in find_kept(admin, workspace.database.name) if mark.kind == REPLACED]
    if version is not None:
        found: Backup | Mark = _of_release(workspace, version, kept)
    else:
        named = [mark for mark in kept if mark.database == wanted]
        found = named[0] if named else _named(workspace, wanted)
    if isinstance(found, Backup):
        _require_own(workspace, state, found)
    return found


def _of_release(workspace: Workspace, version: Version, kept: list[Mark]) -> Backup | Mark:
    folder, of = workspace.project.backups, workspace.database.name
    backups = find_backups(folder, of)
    unusable = []
    for backup in (found for found in backups if found.release == version and found.begun is None):
        problem = _problem(workspace, backup)
        if problem is None:
            return backup
        unusable.append(f"{backup.path.name}: {problem}")
        workspace.reporter.warn(f"backup {backup.path} is passed over: {problem}")
    spoilt = [note for note in find_damaged_notes(folder, of) if note.path.exists()]
    for note in spoilt:
        workspace.reporter.warn(f"backup {note.path} is passed over: {note.problem}")
    of_release = [mark for mark in kept if mark.release == str(version)]
    states = [mark for mark in of_release if BEGUN not in (mark.extra or {})]
    if states and not unusable and not spoilt:
        return max(states, key=lambda mark: str((mark.extra or {}).get("at", "")))
    unusable += [f"{note.path.name} is damaged: {note.problem}" for note in spoilt]
    if unusable:
        or_else = f", or hop restore {states[-1].database}, which was replaced at {version}" if states else ""
        raise BackupError(
            f"no backup of {of} at {version} can be restored: {'; '.join(unusable)}; nothing was changed",
            hint=f"copy one again to {folder} from where it is kept, with its {SIDECAR_SUFFIX} file{or_else}",
        )
    halfway = {found.path.name: str(found.begun) for found in backups if found.release == version and found.begun}
    halfway |= {mark.database: str((mark.extra or {})[BEGUN]) for mark in of_release if mark not in states}
    if halfway:
        name, begun = next(iter(halfway.items()))
        raise BackupError(
            f"there is no backup of {of} at {version} from before {begun} was begun; nothing was changed",
            hint=f"hop restore {name} brings back a state in which {begun} had been begun",
        )
    there = sorted({backup.release for backup in backups if backup.release})
    raise BackupError(
        f"there is no backup of {of} at {version} in {folder}; nothing was changed",
        hint="there are backups of " + ", ".join(map(str, there)) if there else "hop upgrade makes backups",
    )


def _named(workspace: Workspace, wanted: str) -> Backup:
    """The backup that a name or a path means."""
    folder = workspace.project.backups
    dump = next((path for path in _places(folder, wanted) if path.exists()), None)
    if dump is None:
        raise UsageError(
            f"'{wanted}' is neither a release X.Y.Z nor a backup: there is none of that name in {folder}, "
            "and no such path",
            hint="hop backups shows those that are there",
        )
    sidecar = dump.with_suffix(SIDECAR_SUFFIX)
    if not sidecar.exists():
        raise BackupError(
            f"{dump} has no sidecar {sidecar.name}: nobody knows what it holds; nothing was changed",
            hint=f"copy its {SIDECAR_SUFFIX} file beside it from where the backup is kept",
        )
    try:
        backup = read_note(sidecar)
    except BackupError as error:
        raise BackupError(
            f"{error.message}; backup {dump.name} is damaged and nothing was changed",
            hint="copy both files again from where they are kept",
        ) from error
    problem = _problem(workspace, backup)
    if problem is not None:
        raise BackupError(
            f"backup {backup.path} cannot be restored: {problem}; nothing was changed",
            hint="hop backups --verify shows which ones are sound",
        )
    return backup


def _places(folder: Path, wanted: str) -> Iterator[Path]:
    for place in (folder / wanted, Path(wanted).expanduser()):
        if place.suffix == SIDECAR_SUFFIX:
            yield from (place.with_suffix(DUMP_SUFFIX), place)
        elif place.suffix == DUMP_SUFFIX:
            yield place
        else:
            yield place.with_name(f"{place.name}{DUMP_SUFFIX}")


def _problem(workspace: Workspace, backup: Backup) -> str | None:
    """Why a backup cannot be restored by hop; None if it can."""
    if backup.kind is Kind.ELSEWHERE:
        return f"it was made elsewhere by {backup.program}; restore it by the means of that program"
    damage = "its dump is not there" if not backup.path.exists() else None
    damage = damage or find_damage(backup, database=workspace.database, programs=workspace.programs)
    if damage:
        return f"it is damaged: {damage}"
    if not backup.is_archive:
        return f"{backup.program} made it, and pg_restore does not read it; restore it by the means of that program"
    return None


def _require_own(workspace: Workspace, state: RegistryState | None, backup: Backup) -> None:
    """Raises BackupError for a backup of another database, whatever the name."""
    of = workspace.database.name
    own = None
    if state is not None:
        with workspace.database.connect() as connection:
            own = read_database_id(connection)
    if own and backup.database_id:
        if own == backup.database_id:
            return
        told = f"of another database (id {backup.database_id}; {of} has {own})"
    elif backup.database == of:
        return
    else:
        told = f"of the database {backup.database}"
    raise BackupError(
        f"backup {backup.path} is {told}; nothing was changed",
        hint="check HOP_DATABASE_URL, and which backup you mean: hop backups",
    )
