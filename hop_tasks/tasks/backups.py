"""invoke backups"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit

from hop_tasks.errors import BackupError
from hop_tasks.report import shown_size
from hop_tasks.tasks.base import LOCK_WAIT_HELP, find_project, hop_task, is_dry, lock_wait_flag
from hop_tasks.tasks.console import ConsoleReporter, listed, show

if TYPE_CHECKING:
    from hop_tasks.workflows.backups import BackupList, ListedBackup, Pruned


@hop_task(
    help={
        "verify": "read each backup whole, and say whether it is damaged",
        "prune": "remove backups beyond backup_keep, what interrupted commands left, and replaced databases",
        "drop-replaced": "drop the databases that restores replaced, and nothing else",
        "lock-wait": LOCK_WAIT_HELP,
    }
)
def backups(
    c: Context,
    verify: bool = False,
    prune: bool = False,
    drop_replaced: bool = False,
    lock_wait: str | None = None,
) -> None:
    """List the backups and the databases that restores replaced; or remove those that nobody needs."""
    from hop_tasks.workflows.backups import drop_replaced_databases, list_backups, prune_backups

    project = find_project(c, lock_wait=lock_wait_flag(lock_wait))
    if (prune or drop_replaced) and is_dry(c, "backups"):
        return
    if prune:
        _show_pruned(prune_backups(project, reporter=ConsoleReporter()))
        return
    if drop_replaced:
        _show_pruned(drop_replaced_databases(project, reporter=ConsoleReporter()))
        return
    found = list_backups(project, verify=verify)
    _show_list(found, verified=verify)
    if found.problem is not None:
        raise Exit(f"hop: {found.problem}", code=found.problem.exit_code)
    damaged = [entry.backup.path.name for entry in found.backups if entry.damage] + [name for name, _ in found.unusable]
    if verify and damaged:
        raise Exit(f"hop: {_unsound(damaged)}", code=_unsound(damaged).exit_code)


def _unsound(names: list[str]) -> BackupError:
    return BackupError(
        f"not sound: {listed(names)}", hint="copy them again from where they are kept, each with its .json file"
    )


def _show_list(found: BackupList, *, verified: bool) -> None:
    if not (found.backups or found.unusable or found.leftovers):
        show(f"there are no backups in {found.folder}")
    else:
        show(found.folder)
    rows = [_row(entry, verified) for entry in found.backups]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    for entry, row in zip(found.backups, rows, strict=True):
        text = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        show("  ".join(("", text, row[4])).rstrip(), "bad" if entry.damage else None)
    for name, problem in found.unusable:
        show(f"  {name}  cannot be used: {problem}", "bad")
    for name in found.leftovers:
        show(f"  {name}  left by an interrupted command, or being made: hop backups --prune")
    for kept in found.replaced:
        size = "unknown size" if kept.size is None else shown_size(kept.size)
        when = _time(kept.replaced_at) if kept.replaced_at else "unknown time"
        begun = f", {kept.begun} begun" if kept.begun else ""
        show(f"replaced database {kept.name}: at {kept.release}{begun}, replaced {when}, {size}")


def _row(entry: ListedBackup, verified: bool) -> tuple[str, str, str, str, str]:
    backup = entry.backup
    sound = entry.damage or ("sound" if verified else "")
    size = shown_size(backup.size)
    if backup.is_elsewhere:
        size, sound = "elsewhere", f"made by {backup.program}"
    release = str(backup.release or "no release") + (f", {backup.begun} begun" if backup.begun else "")
    return backup.path.name, release, _time(backup.created), size, sound


def _time(text: str) -> str:
    """A time in ISO 8601 as a person here reads it."""
    try:
        return f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M:%S %z}"
    except ValueError:
        return text


def _show_pruned(pruned: Pruned) -> None:
    counts = (
        (len(pruned.backups), "backup"),
        (len(pruned.leftovers), "leftover"),
        (len(pruned.databases), "replaced database"),
    )
    told = [f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts if count]
    show(f"removed {', '.join(told)}" if told else "there was nothing to remove", "good")
