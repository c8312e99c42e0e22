"""Sidecars: the JSON file beside each dump that says what it is, sealed so that a flipped bit in it is found."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from hop_tasks.errors import BackupError, UsageError
from hop_tasks.names import package_for
from hop_tasks.versions import Version

DUMP_SUFFIX = ".dump"
SIDECAR_SUFFIX = ".json"
PART_SUFFIX = ".part"

FORMAT = 2
FIRST_FORMAT = 1
"""Sidecars of that format have no seal, no counts, and stand beside a dump in the format custom."""


class Kind(Enum):
    """What a backup is: pg_dump's formats custom and directory; what a command wrote; or what it made elsewhere."""

    CUSTOM = "custom"
    DIRECTORY = "directory"
    COMMAND = "command"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True)
class Backup:
    """One backup.

    Attributes:
        path: the dump, a file or a folder; for one that was made elsewhere, the sidecar.
        database: the database that was dumped.
        release: the release that it was at, None for one without a registry.
        created: when, in UTC, as ISO 8601.
        size: bytes of the dump.
        sha256: of the dump, in hexadecimal; of a folder, over the lines `<sha256>  <path>` of its files in order.
        fingerprint: of the database's catalog.
        server_version: libpq's number of the server's version.
        kind: what it is.
        database_id: the id that the registry gives the database, None for one without.
        commit: of the release, as the registry has it.
        database_size: bytes of the database on the server.
        program: what made it, pg_dump or the user's own command.
        tool_version: libpq's number of pg_dump's version, None for a command.
        entries: in the archive's table of contents, None if pg_restore does not read it.
        rows: of each table that was dumped, None if they were not counted.
        properties: of the database, as `Properties.as_json` gives them, for one that has to be made anew.
        begun: the release that had been begun in the database and was not whole; None for a clean state of `release`.
    """

    path: Path
    database: str
    release: Version | None
    created: str
    size: int
    sha256: str
    fingerprint: str
    server_version: int
    kind: Kind = Kind.CUSTOM
    database_id: str | None = None
    commit: str | None = None
    database_size: int = 0
    program: str = "pg_dump"
    tool_version: int | None = None
    entries: int | None = None
    rows: Mapping[str, int] | None = None
    properties: Mapping[str, Any] | None = None
    begun: Version | None = None

    @property
    def sidecar(self) -> Path:
        """The file that says all this."""
        return self.path.with_suffix(SIDECAR_SUFFIX)

    @property
    def is_elsewhere(self) -> bool:
        """Whether the user's command made it where hop cannot see it."""
        return self.kind is Kind.ELSEWHERE

    @property
    def is_archive(self) -> bool:
        """Whether pg_restore can read it."""
        return self.kind in (Kind.CUSTOM, Kind.DIRECTORY) or self.entries is not None


@dataclass(frozen=True)
class DamagedNote:
    """A sidecar that must not be believed: the dump that it stands beside, and why."""

    path: Path
    problem: str


def stem_for(database: str) -> str:
    """What the names of a database's backups begin with: different for different databases."""
    package = package_for(database)
    return package if package == database else f"{package}_{hashlib.sha256(database.encode()).hexdigest()[:8]}"


def name_pattern(database: str) -> re.Pattern[str]:
    """Matches the names of a database's backups without their suffix; those of earlier versions had no hash."""
    stems = "|".join(re.escape(stem) for stem in {stem_for(database), package_for(database)})
    return re.compile(rf"(?:{stems})-(?:none|\d+\.\d+\.\d+)-\d{{8}}T\d{{12}}")


def as_text(backup: Backup) -> str:
    """The text of a backup's sidecar."""
    fields = {
        **asdict(backup),
        "format": FORMAT,
        "path": backup.path.name,
        "release": None if backup.release is None else str(backup.release),
        "begun": None if backup.begun is None else str(backup.begun),
        "kind": backup.kind.value,
    }
    return _rendered({**fields, "seal": _seal(fields)})


def read_note(sidecar: Path) -> Backup:
    """The backup that a sidecar speaks of, whose dump need not be there. Raises BackupError if it is damaged."""
    try:
        text = sidecar.read_text("utf-8")
        data: dict[str, Any] = json.loads(text)
        if data["format"] not in (FORMAT, FIRST_FORMAT):
            raise BackupError(f"{sidecar} has the format {data['format']}, which this hop does not know")
        if data["format"] == FORMAT:
            fields = {name: value for name, value in data.items() if name != "seal"}
            # Compared as a text too: no byte of it may be another.
            if data["seal"] != _seal(fields) or text != _rendered(data):
                raise BackupError(f"{sidecar} is not as it was written (seal)")
        names = Backup.__dataclass_fields__ if data["format"] == FORMAT else _FIRST_NAMES
        return replace(
            Backup(**{name: data[name] for name in names}),
            path=sidecar.parent / Path(data["path"]).name,
            release=None if data["release"] is None else Version.parse(data["release"]),
            begun=None if data.get("begun") is None else Version.parse(data["begun"]),
            kind=Kind(data.get("kind", Kind.CUSTOM.value)),
        )
    except OSError as error:
        raise BackupError(f"{sidecar} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, UsageError) as error:
        raise BackupError(f"{sidecar} is not the sidecar of a backup, or damaged") from error


def find_backups(folder: Path, database: str) -> tuple[Backup, ...]:
    """The backups of a database in a folder whose sidecars are sound, newest first."""
    found = []
    for sidecar in folder.glob(f"*{SIDECAR_SUFFIX}"):
        try:
            backup = read_note(sidecar)
        except BackupError:
            continue
        if backup.database == database and backup.path.exists():
            found.append(backup)
    return tuple(sorted(found, key=lambda backup: backup.created, reverse=True))


def find_damaged_notes(folder: Path, database: str) -> tuple[DamagedNote, ...]:
    """The sidecars in a folder that by their names are those of a database's backups, and must not be believed."""
    found, pattern = [], name_pattern(database)
    for sidecar in sorted(folder.glob(f"*{SIDECAR_SUFFIX}")):
        if pattern.fullmatch(sidecar.stem):
            try:
                read_note(sidecar)
            except BackupError as error:
                found.append(DamagedNote(sidecar.with_suffix(DUMP_SUFFIX), error.message))
    return tuple(found)


_FIRST_NAMES = ("path", "database", "release", "created", "size", "sha256", "fingerprint", "server_version")


def _rendered(data: Mapping[str, Any]) -> str:
    return json.dumps(data, indent=2) + "\n"


def _seal(fields: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
