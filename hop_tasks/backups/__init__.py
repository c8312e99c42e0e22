"""The service `backups`: dumps of a production database, each with a sidecar that says what it is."""

from hop_tasks.backups.counting import LOCK_WAIT, Snapshot, be_patient, count_rows, exported_snapshot
from hop_tasks.backups.keeping import find_leftovers, find_unnoted, remove_backup, remove_leftover, superseded
from hop_tasks.backups.loading import restore_backup
from hop_tasks.backups.making import Facts, Recipe, make_backup
from hop_tasks.backups.notes import (
    DUMP_SUFFIX,
    SIDECAR_SUFFIX,
    Backup,
    DamagedNote,
    Kind,
    find_backups,
    find_damaged_notes,
    read_note,
)
from hop_tasks.backups.space import estimate_size, require_folder, require_space
from hop_tasks.backups.verifying import find_damage

__all__ = [
    "DUMP_SUFFIX",
    "LOCK_WAIT",
    "SIDECAR_SUFFIX",
    "Backup",
    "DamagedNote",
    "Facts",
    "Kind",
    "Recipe",
    "Snapshot",
    "be_patient",
    "count_rows",
    "estimate_size",
    "exported_snapshot",
    "find_backups",
    "find_damage",
    "find_damaged_notes",
    "find_leftovers",
    "find_unnoted",
    "make_backup",
    "read_note",
    "remove_backup",
    "remove_leftover",
    "require_folder",
    "require_space",
    "restore_backup",
    "superseded",
]
