"""Making a backup: a dump under a provisional name, checked, brought to the disk, and only then named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from hop_tasks.backups.counting import LOCK_WAIT, Snapshot, counted_meanwhile
from hop_tasks.backups.files import create_private, digest, make_folder
from hop_tasks.backups.keeping import find_leftovers, remove_leftover
from hop_tasks.backups.notes import DUMP_SUFFIX, PART_SUFFIX, SIDECAR_SUFFIX, Backup, Kind, as_text, stem_for
from hop_tasks.backups.verifying import read_contents
from hop_tasks.checkpoints import checkpoint
from hop_tasks.database.clients import client_version, find_client, run_client
from hop_tasks.database.commands import run_command
from hop_tasks.database.engines import Database
from hop_tasks.disk import remove, secure, size_of, sync
from hop_tasks.errors import BackupError, DatabaseError
from hop_tasks.versions import Version


@dataclass(frozen=True)
class Recipe:
    """How backups are made.

    Attributes:
        folder: where they are kept.
        kind: Kind.CUSTOM, Kind.DIRECTORY, or Kind.COMMAND.
        jobs: how many tables are dumped at the same time, in the format directory.
        command: the user's own, in words, and the folder that it is run in.
        programs: the only folder to look for pg_dump in.
    """

    folder: Path
    kind: Kind = Kind.CUSTOM
    jobs: int = 1
    command: tuple[str, ...] = ()
    where: Path = Path()
    programs: Path | None = None


@dataclass(frozen=True)
class Facts:
    """What is known of the database that is backed up, of the moment of its snapshot; as in Backup."""

    release: Version | None
    commit: str | None
    database_id: str | None
    fingerprint: str
    server_version: int
    database_size: int
    properties: Mapping[str, Any]
    begun: Version | None = None


def make_backup(database: Database, recipe: Recipe, facts: Facts, snapshot: Snapshot) -> Backup:
    """Back a database up, as it is in a snapshot; the caller holds the lock.

    The files are readable by nobody else, since they hold rows. Raises BackupError with nothing left behind.
    """
    moment = datetime.now(timezone.utc)
    stem = f"{stem_for(database.name)}-{facts.release or 'none'}-{moment:%Y%m%dT%H%M%S%f}"
    path = recipe.folder / f"{stem}{DUMP_SUFFIX}"
    sidecar = path.with_suffix(SIDECAR_SUFFIX)
    part, note = (Path(f"{name}{PART_SUFFIX}") for name in (path, sidecar))
    begun = Backup(
        path=path,
        database=database.name,
        release=facts.release,
        created=moment.isoformat(),
        size=0,
        sha256="",
        fingerprint=facts.fingerprint,
        server_version=facts.server_version,
        kind=recipe.kind,
        database_id=facts.database_id,
        commit=facts.commit,
        database_size=facts.database_size,
        properties=facts.properties,
        begun=facts.begun,
    )
    try:
        make_folder(recipe.folder)
        for leftover in find_leftovers(recipe.folder, database.name):
            remove_leftover(leftover)
        checkpoint("backup.before_dump")
        backup = _dump(database, recipe, begun, snapshot, part)
        checkpoint("backup.after_dump")
        create_private(note, as_text(backup).encode())
        if backup.kind is not Kind.ELSEWHERE:
            secure(part)
        sync(recipe.folder)
        checkpoint("backup.before_rename")
        # The sidecar comes first, so that no dump is ever without.
        note.rename(sidecar)
        checkpoint("backup.between_renames")
        if backup.kind is not Kind.ELSEWHERE:
            part.rename(path)
        sync(recipe.folder)
        checkpoint("backup.after_rename")
    except BaseException as error:
        for made in (part, note) if path.exists() else (part, note, sidecar):
            remove(made)
        if isinstance(error, OSError):
            raise BackupError(
                f"no backup of {database.name} could be written to {recipe.folder}: {error.strerror}; "
                "nothing was changed",
                hint="free some space, or name another folder in the setting backups",
            ) from error
        if isinstance(error, DatabaseError):
            raise BackupError(
                f"no backup of database {database.name} could be made: {error.message}; nothing was changed",
                hint=error.hint,
                details=error.details,
            ) from error
        raise
    return backup


def _dump(database: Database, recipe: Recipe, begun: Backup, snapshot: Snapshot, part: Path) -> Backup:
    """Write the dump to `part`, by pg_dump or by the user's command, and say what it is."""
    if recipe.kind is Kind.COMMAND:
        return _made_by_command(database, recipe, begun, part)
    program = find_client("pg_dump", begun.server_version, folder=recipe.programs)
    arguments = [
        f"--format={recipe.kind.value}",
        f"--snapshot={snapshot.name}",
        f"--lock-wait-timeout={LOCK_WAIT}",
        f"--file={part}",
    ]
    if recipe.kind is Kind.DIRECTORY:
        part.mkdir(mode=0o700)
        arguments.append(f"--jobs={recipe.jobs}")
    else:
        create_private(part, b"")
    rows, _ = counted_meanwhile(database, snapshot, lambda: run_client(program, arguments, database.address))
    version = client_version(program) or begun.server_version
    contents = read_contents(part, version, database=database, programs=recipe.programs)
    return replace(
        begun,
        size=size_of(part),
        sha256=digest(part),
        program=program.name,
        tool_version=version,
        entries=contents.entries,
        rows=rows,
    )


def _made_by_command(database: Database, recipe: Recipe, begun: Backup, part: Path) -> Backup:
    program = Path(recipe.command[0]).name
    run_command(
        recipe.command,
        database.address,
        where=recipe.where,
        variables={
            "HOP_BACKUP_FILE": str(part),
            "HOP_BACKUP_DATABASE": database.name,
            "HOP_BACKUP_RELEASE": str(begun.release or ""),
        },
    )
    if not part.exists():
        return replace(begun, path=begun.sidecar, kind=Kind.ELSEWHERE, program=program)
    try:
        version = begun.server_version
        entries = read_contents(part, version, database=database, programs=recipe.programs).entries
    except DatabaseError:
        entries = None  # Whatever it is, the command's author knows how to restore it.
    return replace(begun, size=size_of(part), sha256=digest(part), program=program, entries=entries)
