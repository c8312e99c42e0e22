"""The audit of a production database: a row for each time that a command began to change it, and how that ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hop_tasks.checkpoints import checkpoint
from hop_tasks.database.applications import whoami
from hop_tasks.database.engines import Database
from hop_tasks.errors import DatabaseError, HopError
from hop_tasks.installed import hop_version
from hop_tasks.registry import (
    DONE,
    FAILED,
    INTERRUPTED,
    begin_attempt,
    complete_registry,
    create_registry,
    end_attempt,
    note_backup,
)
from hop_tasks.versions import Version

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


@dataclass
class Audit:
    """The row of the command that is at work: its number, and the database, whose name may change meanwhile."""

    database: Database
    number: int

    def note_backup(self, backup: str) -> None:
        """Note the backup that was made before the first change."""
        with self.database.connect() as connection:
            note_backup(connection, self.number, backup)
            connection.commit()

    def finish(self, connection: Connection) -> None:
        """Note in the transaction of the last change that all is done."""
        end_attempt(connection, self.number, DONE)

    def end(self, state: str, detail: str | None = None) -> None:
        """Note how it ended, unless that has been noted already; a server that is gone cannot be told."""
        with suppress(DatabaseError), self.database.connect() as connection:
            end_attempt(connection, self.number, state, detail)
            connection.commit()


@contextmanager
def audited(
    database: Database,
    command: str,
    *,
    from_release: Version | None,
    to_release: Version | None,
    production: bool = False,
) -> Iterator[Audit]:
    """A row in the audit of `database` for as long as the body runs, which changes it; the caller holds the lock.

    Args:
        database: the database.
        command: upgrade or restore.
        from_release, to_release: where it is, and where it is to be.
        production: begin the registry of an empty database, and stamp it as production.
    """
    with database.connect() as connection:
        if production:
            create_registry(connection, production=True)
        number = _begin(connection, command, from_release, to_release)
        connection.commit()
    checkpoint("audit.begun")
    audit = Audit(database, number)
    try:
        yield audit
    except HopError as error:
        audit.end(FAILED, error.message)
        raise
    except BaseException:
        audit.end(INTERRUPTED, "by a signal, or by a fault of hop")
        raise
    audit.end(DONE)


def note_done(database: Database, command: str, *, from_release: Version | None, to_release: Version | None) -> None:
    """A row in the audit of `database` for a command that has made it what it is, before it is put in its place."""
    with database.connect() as connection:
        number = _begin(connection, command, from_release, to_release)
        end_attempt(connection, number, DONE)
        connection.commit()


def _begin(connection: Connection, command: str, from_release: Version | None, to_release: Version | None) -> int:
    complete_registry(connection)
    return begin_attempt(
        connection,
        command,
        from_release=None if from_release is None else str(from_release),
        to_release=None if to_release is None else str(to_release),
        applied_from=whoami(),
        hop_version=hop_version(),
    )
