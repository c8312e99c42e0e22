"""A lock that a backup, or what comes before it, waits for in vain: who holds it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hop_tasks.backups import LOCK_WAIT
from hop_tasks.database.blockers import watch_blockers
from hop_tasks.database.engines import driver_connection
from hop_tasks.errors import BackupError, DatabaseError, HopError
from hop_tasks.workflows.insisting import LOCK_NOT_AVAILABLE

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

DUMP_WAITED = "LOCK TABLE"
"""In what pg_dump says when it could not lock a table, in whatever language it says the rest."""


@contextmanager
def naming_blockers(
    admin: Connection, connection: Connection, doing: str, *, as_error: type[BackupError] | type[DatabaseError]
) -> Iterator[None]:
    """While the body runs, a lock that is not had in time is an error that names who holds it.

    Args:
        admin: a connection in autocommit that nobody else uses meanwhile.
        connection: the one that may wait; or another of this command may, such as pg_dump's.
        doing: what cannot be done, such as `back up shop`.
        as_error: the class of the error.
    """
    from psycopg2 import Error

    with watch_blockers(admin, driver_connection(connection).info.backend_pid) as watch:
        try:
            yield
        except (Error, HopError) as error:
            if not _is_for_a_lock(error, dumps=bool(watch.seen)):
                raise
            names = "; ".join(map(str, watch.seen[:5])) or "sessions that hop did not get to see"
            raise as_error(
                f"hop cannot {doing}: it waited {LOCK_WAIT} for a lock on a table; blocked by {names}; "
                "nothing was changed",
                hint="try again when they are done, or end them: SELECT pg_terminate_backend(pid)",
            ) from error


def _is_for_a_lock(error: BaseException | None, *, dumps: bool) -> bool:
    """Whether a lock could not be had, also by pg_dump: that must have been seen, for it fails there otherwise too."""
    while error is not None:
        if getattr(getattr(error, "orig", error), "pgcode", None) == LOCK_NOT_AVAILABLE:
            return True
        if dumps and isinstance(error, HopError) and any(DUMP_WAITED in line for line in error.details):
            return True
        error = error.__cause__
    return False
