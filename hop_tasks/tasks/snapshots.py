"""invoke snapshots"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit

from hop_tasks.report import shown_size
from hop_tasks.tasks.base import LOCK_WAIT_HELP, find_project, hop_task, is_dry, lock_wait_flag
from hop_tasks.tasks.console import ConsoleReporter, listed, show

if TYPE_CHECKING:
    from hop_tasks.workflows.snapshots import ListedDatabase, SnapshotList

KINDS = {
    "snapshot": "snapshot of {}",
    "spare": "spare of {}, for the next apply",
    "before_apply": "kept: was at {} before apply or undo replaced it",
    "test": "a database for tests",
    "test_template": "made for tests: {}",
    "replaced": "kept: was at {} when it was replaced",
    "discarded": "is being dropped",
    "work": "in use, or left by an interrupted command",
}


@hop_task(help={"prune": "drop the snapshots that no release needs", "lock-wait": LOCK_WAIT_HELP})
def snapshots(c: Context, prune: bool = False, lock_wait: str | None = None) -> None:
    """List the snapshots and other databases that hop keeps in development; or drop the snapshots nobody needs."""
    from hop_tasks.workflows.snapshots import list_snapshots, prune_snapshots

    project = find_project(c, lock_wait=lock_wait_flag(lock_wait))
    if not prune:
        found = list_snapshots(project)
        if found.problem is None or found.dumps:
            _show_list(found)
        if found.problem is not None:
            raise Exit(f"hop: {found.problem}", code=found.problem.exit_code)
        return
    if is_dry(c, "snapshots"):
        return
    dropped = prune_snapshots(project, reporter=ConsoleReporter())
    show(f"dropped {listed(dropped)}" if dropped else "there was nothing to drop", "good")


def _show_list(found: SnapshotList) -> None:
    rows = [(entry.name, _size(entry), _age(entry.at), _what(entry)) for entry in (*found.databases, *found.dumps)]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for row in rows:
        show("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]))
    if not rows:
        show(f"there is nothing beside {found.database}")
    if found.free is not None:
        show(f"{shown_size(found.free)} are free on the server's disk")
    if found.no_spare is not None:
        show(f"there is no spare: {found.no_spare}")


def what_it_is(kind: str, release: str | None) -> str:
    """A kind of database that hop keeps beside another one, with the release that it is at, in a person's words."""
    return KINDS.get(kind, kind).format(release or "no release")


def _what(entry: ListedDatabase) -> str:
    text = what_it_is(entry.kind, entry.release)
    return text if entry.kind != "snapshot" or entry.needed else f"{text}, not needed: hop snapshots --prune"


def _size(entry: ListedDatabase) -> str:
    return "unknown size" if entry.size is None else shown_size(entry.size)


def _age(at: str | None) -> str:
    """How long ago a time in ISO 8601 was, as a person says it."""
    try:
        seconds = (datetime.now(timezone.utc) - datetime.fromisoformat(at or "")).total_seconds()
    except ValueError:
        return "unknown age"
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
