"""The spare in the foreground: taken instead of a copy; and the process that makes the next one is begun."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hop_tasks.snapshots import (
    DISCARDED,
    clone_for_work,
    drop_discarded,
    drop_spares,
    making_spares,
    marked_as,
    remove_leftovers,
    take_spare,
)
from hop_tasks.workflows.spare_notes import SpareNote
from hop_tasks.workflows.workspace import Workspace

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

MAKER = "hop_tasks.workflows.spare_maker"

LEFT_AGAIN = 3
"""So many discarded databases, and nobody in the background who drops them, are dropped in the foreground."""

DETACHED = '"$@" <&3 3<&- >/dev/null 2>&1 &'
"""The shell leaves at once: who makes spares is nobody's child, and holds none of the caller's files open."""


@dataclass
class Spares:
    """Copies of base snapshots for one command.

    Attributes:
        workspace: what the command works with.
        again: whether another command is expected to want a copy of the same snapshot.
        snapshot: the one that was copied last; None so far.
    """

    workspace: Workspace
    again: bool
    snapshot: str | None = None

    def copy(self, admin: Connection, snapshot: str) -> str:
        """A copy of a snapshot to work in: the spare if there is one, or else one that is made now; its name."""
        workspace, of = self.workspace, self.workspace.database.name
        self.snapshot = snapshot
        if workspace.has_spares:
            taken = take_spare(admin, snapshot, of)
            if taken is not None:
                return taken
            reason = SpareNote(workspace.project.root).tell()
            if reason is not None:
                workspace.reporter.note(f"there is no spare, and hop has to copy {snapshot} each time: {reason}")
        work, _ = clone_for_work(admin, snapshot, of)
        return work


@contextmanager
def sparing(workspace: Workspace, *, again: bool = True) -> Iterator[Spares]:
    """Copies of snapshots for the command in the body; what was discarded meanwhile is dropped in the background.

    Args:
        workspace: what the command works with.
        again: make a spare of the same snapshot for the next command too.
    """
    spares = Spares(workspace, again)
    try:
        yield spares
    finally:
        if workspace.has_spares and spares.snapshot is not None:
            _begin_making(workspace, spares.snapshot if again else None)


def clear_leftovers(workspace: Workspace, admin: Connection) -> None:
    """Drop what an interrupted command left half-made; and spares where there are to be none."""
    remove_leftovers(admin, workspace.database.name)
    clear_spares(workspace, admin)


def clear_spares(workspace: Workspace, admin: Connection) -> None:
    """Where there are no spares, drop those of before, and what the process in the background has left to drop.

    Where there are, only what it has left again and again: it may be that it cannot run here.
    """
    of = workspace.database.name
    if workspace.has_spares and len(marked_as(admin, of, DISCARDED)) < LEFT_AGAIN:
        return
    with making_spares(admin, of) as held:
        if not held:
            return
        if not workspace.has_spares:
            drop_spares(admin, of)
        drop_discarded(admin, of)


def _begin_making(workspace: Workspace, snapshot: str | None) -> None:
    """Begin the process that drops what was discarded and makes a spare of a snapshot, and leave it to itself.

    It finds the database through a pipe: a command line is for everybody to read.
    """
    request: dict[str, Any] = {
        "url": workspace.database.address.text,
        "maintenance": workspace.database.maintenance,
        "snapshot": snapshot,
        "root": str(workspace.project.root),
    }
    # Not in the project's folder, whose modules would go before Python's own; it goes there by itself.
    command = ["/bin/sh", "-c", f"exec 3<&0; {DETACHED}", "sh", sys.executable, "-m", MAKER]
    with suppress(OSError, subprocess.SubprocessError):
        subprocess.run(
            command,
            input=json.dumps(request).encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=Path(os.sep),
            start_new_session=True,
            check=False,
        )
