"""Which backups are kept, and what interrupted commands left behind."""

from __future__ import annotations

from pathlib import Path

from hop_tasks.backups.notes import DUMP_SUFFIX, PART_SUFFIX, SIDECAR_SUFFIX, Backup, Kind, find_backups, name_pattern
from hop_tasks.disk import remove


def superseded(folder: Path, database: str, keep: int) -> tuple[Backup, ...]:
    """The backups of a database beyond the newest `keep`, oldest last; none where `keep` is 0.

    Those of a database in which a release had been begun are counted apart, so that they push out no clean one. One
    that a command made elsewhere neither counts nor is among them: hop cannot remove it. One whose sidecar is damaged
    does not count either.
    """
    if not keep:
        return ()
    here = [backup for backup in find_backups(folder, database) if backup.kind is not Kind.ELSEWHERE]
    clean, halfway = ([backup for backup in here if (backup.begun is None) is kind] for kind in (True, False))
    return (*clean[keep:], *halfway[keep:])


def remove_backup(backup: Backup) -> None:
    """Remove a backup with its sidecar. Half removed, it is a leftover."""
    gone = Path(f"{backup.path}{PART_SUFFIX}")
    backup.path.rename(gone)
    backup.sidecar.unlink()
    remove(gone)


def find_leftovers(folder: Path, database: str) -> tuple[Path, ...]:
    """What a command that was killed left of a backup: what has a provisional name. The caller holds the lock."""
    pattern = name_pattern(database)
    endings = [f"{suffix}{PART_SUFFIX}" for suffix in (DUMP_SUFFIX, SIDECAR_SUFFIX)]
    return tuple(
        path
        for path in sorted(folder.glob(f"*{PART_SUFFIX}"))
        if any(path.name.endswith(end) and pattern.fullmatch(path.name.removesuffix(end)) for end in endings)
    )


def remove_leftover(path: Path) -> None:
    """Remove what `find_leftovers` found, and the sidecar of a dump that never got its name."""
    dump = path.with_suffix("")
    if dump.suffix == DUMP_SUFFIX and not dump.exists():
        dump.with_suffix(SIDECAR_SUFFIX).unlink(missing_ok=True)
    remove(path)


def find_unnoted(folder: Path, database: str) -> tuple[Path, ...]:
    """Dumps that by their names are backups of a database and have no sidecar; somebody took it, so they stay."""
    pattern = name_pattern(database)
    return tuple(
        path
        for path in sorted(folder.glob(f"*{DUMP_SUFFIX}"))
        if pattern.fullmatch(path.stem) and not path.with_suffix(SIDECAR_SUFFIX).exists()
    )
