"""The service `backups`: dumps of a production database, each with a sidecar that says what it is."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from hop_tasks.database.clients import find_client, run_client
from hop_tasks.database.engines import Database
from hop_tasks.errors import BackupError, DatabaseError, UsageError
from hop_tasks.names import package_for
from hop_tasks.versions import Version

DUMP_SUFFIX = ".dump"
SIDECAR_SUFFIX = ".json"
PART_SUFFIX = ".part"
FORMAT = 1
BLOCK = 1 << 20


@dataclass(frozen=True)
class Backup:
    """One backup.

    Attributes:
        path: the dump, in pg_dump's custom format.
        database: the database that was dumped.
        release: the release that it was at, None for one without a registry.
        created: when, in UTC, as ISO 8601.
        size: bytes of the dump.
        sha256: of the dump, in hexadecimal.
        fingerprint: of the database's catalog.
        server_version: libpq's number of the server's version.
    """

    path: Path
    database: str
    release: Version | None
    created: str
    size: int
    sha256: str
    fingerprint: str
    server_version: int


def make_backup(
    database: Database,
    folder: Path,
    *,
    release: Version | None,
    fingerprint: str,
    server_version: int,
    programs: Path | None,
) -> Backup:
    """Dump a database with pg_dump. The files are readable by nobody else, since they hold rows.

    The dump gets its name only when it is whole and on disk. Raises BackupError with nothing left behind.
    """
    moment = datetime.now(timezone.utc)
    stem = f"{package_for(database.name)}-{release or 'none'}-{moment:%Y%m%dT%H%M%S%f}"[:200]
    path = folder / f"{stem}{DUMP_SUFFIX}"
    part = folder / f"{stem}{DUMP_SUFFIX}{PART_SUFFIX}"
    try:
        _make_folder(folder)
        for leftover in folder.glob(f"{package_for(database.name)}-*{PART_SUFFIX}"):
            leftover.unlink()  # of a command that was killed: the caller holds the lock
        _create_private(part, b"")
        program = find_client("pg_dump", server_version, folder=programs)
        run_client(program, ["--format=custom", f"--file={part}"], database.url)
        backup = Backup(
            path=path,
            database=database.name,
            release=release,
            created=moment.isoformat(),
            size=part.stat().st_size,
            sha256=_digest(part),
            fingerprint=fingerprint,
            server_version=server_version,
        )
        _sync(part)
        sidecar_part = path.with_suffix(SIDECAR_SUFFIX + PART_SUFFIX)
        _create_private(sidecar_part, (json.dumps(_as_json(backup), indent=2) + "\n").encode())
        part.rename(path)
        sidecar_part.rename(path.with_suffix(SIDECAR_SUFFIX))
        _sync(folder)
    except OSError as error:
        raise BackupError(
            f"no backup of {database.name} could be written to {folder}: {error.strerror}; nothing was changed",
            hint="free some space, or name another folder in the setting backups",
        ) from error
    except DatabaseError as error:
        raise BackupError(
            f"no backup of database {database.name} could be made: {error.message}; nothing was changed",
            hint=error.hint,
            details=error.details,
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return backup


def find_backups(folder: Path, database: str) -> tuple[Backup, ...]:
    """The whole backups of a database in a folder, newest first."""
    found = []
    for sidecar in folder.glob(f"*{SIDECAR_SUFFIX}"):
        backup = _read_sidecar(sidecar)
        if backup is not None and backup.database == database and backup.path.is_file():
            found.append(backup)
    return tuple(sorted(found, key=lambda backup: backup.created, reverse=True))


def is_sound(backup: Backup) -> bool:
    """Whether the dump is the file that was written, by its size and checksum."""
    return backup.path.stat().st_size == backup.size and _digest(backup.path) == backup.sha256


def restore_backup(backup: Backup, target: Database, *, server_version: int, programs: Path | None) -> None:
    """Restore a sound backup into the empty database `target`. Raises BackupError if that fails."""
    program = find_client("pg_restore", server_version, folder=programs)
    # It connects only when given a database; the empty one leaves all to the environment.
    arguments = ["--exit-on-error", "--dbname=", str(backup.path)]
    try:
        run_client(program, arguments, target.url)
    except DatabaseError as error:
        raise BackupError(
            f"backup {backup.path} could not be restored: {error.message}; the database serves as before",
            hint=error.hint,
            details=error.details,
        ) from error


def _as_json(backup: Backup) -> dict[str, Any]:
    data = asdict(backup)
    return {**data, "format": FORMAT, "path": backup.path.name, "release": backup.release and str(backup.release)}


def _read_sidecar(path: Path) -> Backup | None:
    try:
        data: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
        if data["format"] != FORMAT:
            return None
        names = Backup.__dataclass_fields__
        backup = Backup(**{name: data[name] for name in names})
        release = None if data["release"] is None else Version.parse(data["release"])
        return replace(backup, path=path.parent / Path(data["path"]).name, release=release)
    except (OSError, ValueError, KeyError, TypeError, UsageError):
        return None


def _make_folder(folder: Path) -> None:
    """Make the folder for nobody else to read, and for Git to ignore; one that is there stays as it is."""
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
        (folder / ".gitignore").write_text("*\n")


def _create_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
