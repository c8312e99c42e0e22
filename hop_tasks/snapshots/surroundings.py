"""What there is beside a database, and what that one is itself, by one question to the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hop_tasks.database.admin import Mark, all_marks
from hop_tasks.snapshots.replaced import kept_among
from hop_tasks.snapshots.working import snapshots_among
from hop_tasks.versions import Version

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


@dataclass(frozen=True)
class Surroundings:
    """What hop noted about a database and those beside it.

    Attributes:
        mark: what it noted about the database itself; None for a project's own.
        snapshots: the releases that there is a snapshot of, lowest first.
        kept: the databases that were replaced and kept.
    """

    mark: Mark | None
    snapshots: tuple[Version, ...]
    kept: tuple[Mark, ...]


def look_around(connection: Connection, name: str) -> Surroundings:
    """What hop noted about the database `name`, which need not exist, and those beside it."""
    marks = all_marks(connection)
    beside = [mark for mark in marks if mark.of == name]
    own = next((mark for mark in marks if mark.database == name), None)
    return Surroundings(own, tuple(sorted(snapshots_among(beside))), kept_among(beside))
