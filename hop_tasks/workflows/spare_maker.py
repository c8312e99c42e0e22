"""The process in the background: it drops what commands have discarded, and makes the next spare.

Begun by `hop_tasks.workflows.spares`, which tells it what to do through a pipe, and nobody's child. It may be killed at
any time, and so may its session and the server: what it leaves half-made has no mark, and the next one drops it.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hop_tasks.database.admin import mark_of
from hop_tasks.database.engines import Database
from hop_tasks.database.sizes import free_space, size_of
from hop_tasks.database.statements import server_version
from hop_tasks.database.urls import read_address
from hop_tasks.errors import DatabaseError
from hop_tasks.report import shown_size
from hop_tasks.snapshots import (
    drop_discarded,
    drop_spares,
    find_discarded,
    find_spares,
    fits,
    make_spare,
    making_application,
    making_spares,
)
from hop_tasks.workflows.spare_notes import SpareNote

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

CLIENT_CHECK_SINCE = 140000
CLIENT_CHECK = "1s"
"""How soon the server sees that this process is gone while it copies, and stops."""

COPIES_FREE = 2
"""So many times the snapshot must fit into what is free: the spare, and what a patch file writes that changes every
table."""

RESERVE = 1 << 30
"""Bytes that must be free besides: PostgreSQL's max_wal_size, in which the server's log may grow, is 1 GB."""

NOTED = frozenset({"42501", "53100", "55006"})
"""What a person can do something about: insufficient_privilege, disk_full, object_in_use. A session or a server that
was ended is no reason to have no spare the next time."""


@dataclass(frozen=True)
class Request:
    """What is to be done: the development database, the snapshot that a spare is to be made of, or None, and where
    the note goes that says why there is none."""

    database: Database
    snapshot: str | None
    note: SpareNote

    @classmethod
    def parse(cls, text: str) -> Request:
        """From the JSON that comes through the pipe. Raises ValueError if it was cut off."""
        data = json.loads(text)
        database = Database(read_address(data["url"], "the request", default_database=""), data["maintenance"])
        return cls(database, data["snapshot"], SpareNote(Path(data["root"])))


def make_spares(request: Request) -> None:
    """Do what is asked, unless somebody else is at it. Raises DatabaseError."""
    database = request.database
    with database.administer(application=making_application(database.name)) as connection:
        if server_version(connection) >= CLIENT_CHECK_SINCE:
            connection.exec_driver_sql(
                "SELECT set_config('client_connection_check_interval', %s, false)", (CLIENT_CHECK,)
            )
        wanted = request.snapshot
        while True:
            with making_spares(connection, database.name) as held:
                if not held:
                    return
                if not _make(connection, request, wanted):
                    wanted = None
            # Who came meanwhile has left at once: what they want is done too.
            if not _is_wanted(connection, database.name, wanted):
                return


def _make(connection: Connection, request: Request, wanted: str | None) -> bool:
    """Drop what is not needed, and make the spare if it is not there; False if there can be none."""
    of = request.database.name
    drop_discarded(connection, of)
    snapshot = None if wanted is None else mark_of(connection, wanted)
    drop_spares(connection, of, but=snapshot)
    if snapshot is None or find_spares(connection, of):
        return snapshot is not None
    lacking = _lacking_space(connection, snapshot.database)
    if lacking is not None:
        request.note.write(lacking)
        return False
    made = make_spare(connection, snapshot.database, snapshot.oid, of)
    if made:
        request.note.clear()
    return made


def _is_wanted(connection: Connection, of: str, snapshot: str | None) -> bool:
    """Whether there is something to do, for all that can be seen without the lock."""
    if find_discarded(connection, of):
        return True
    source = None if snapshot is None else mark_of(connection, snapshot)
    return source is not None and not any(fits(spare, source) for spare in find_spares(connection, of))


def _lacking_space(connection: Connection, snapshot: str) -> str | None:
    """What to say if there is too little room for a spare; None if there is enough, or that cannot be known."""
    size, free = size_of(connection, snapshot), free_space(connection, snapshot)
    if size is None or free is None or free >= COPIES_FREE * size + RESERVE:
        return None
    return (
        f"{shown_size(free)} are free on the server's disk, and hop leaves {shown_size(COPIES_FREE * size + RESERVE)} "
        f"for a database of {shown_size(size)} (hop snapshots --prune makes room)"
    )


def main() -> None:
    """The entry point of `python -m hop_tasks.workflows.spare_maker`; nobody reads what it says."""
    with suppress(ValueError, KeyError):
        request = Request.parse(sys.stdin.read())
        # Where libpq finds files that variables name by a relative path.
        with suppress(OSError):
            os.chdir(request.note.root)
        try:
            make_spares(request)
        except DatabaseError as error:
            if getattr(error.__cause__, "pgcode", None) in NOTED:
                request.note.write(error.message)


if __name__ == "__main__":
    main()
