"""The audit of a production database: one row for each time that a command began to change it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from hop_tasks.registry.states import INTERRUPTED, PLANNED, RUNNING
from hop_tasks.versions import Version

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


@dataclass(frozen=True)
class Attempt:
    """One attempt, as the database has it.

    Attributes:
        id: its number, higher for a later one.
        command: upgrade, baseline or restore.
        from_release, to_release: where it began and what it was to reach, X.Y.Z; None for an empty database.
        state: running, done, failed, or interrupted.
        detail: why it failed.
        backup: the backup that was made before.
        started_at, ended_at: when.
        applied_by, applied_from: the database role; the operating system's user and host.
    """

    id: int
    command: str
    from_release: str | None
    to_release: str | None
    state: str
    detail: str | None
    backup: str | None
    started_at: datetime
    ended_at: datetime | None
    applied_by: str
    applied_from: str | None


def begin_attempt(
    connection: Connection,
    command: str,
    *,
    from_release: str | None,
    to_release: str | None,
    applied_from: str,
    hop_version: str,
) -> int:
    """Note in the caller's transaction that a command begins to change the database; the number of the attempt.

    The caller holds the lock: attempts that are still running are those of commands that died, and are marked so.
    """
    mark_interrupted(connection)
    # No sequence: one that was copied with its database may fall back in a crash.
    number: int = connection.exec_driver_sql(
        """
        INSERT INTO half_orm_meta.hop_attempt (id, command, from_release, to_release, applied_from, hop_release)
        SELECT coalesce(max(id), 0) + 1, %s, %s, %s, %s, %s FROM half_orm_meta.hop_attempt RETURNING id
        """,
        (command, from_release, to_release, applied_from, hop_version),
    ).scalar_one()
    return number


def mark_interrupted(connection: Connection) -> None:
    """Mark the attempts that are still running: the caller holds the lock, so whoever made them is gone."""
    connection.exec_driver_sql(
        """
        UPDATE half_orm_meta.hop_attempt SET state = %s, ended_at = clock_timestamp(), detail = %s WHERE state = %s
        """,
        (INTERRUPTED, "it died, or lost its server", RUNNING),
    )


def note_backup(connection: Connection, number: int, backup: str) -> None:
    """Note the backup that was made for an attempt."""
    connection.exec_driver_sql("UPDATE half_orm_meta.hop_attempt SET backup = %s WHERE id = %s", (backup, number))


def backup_before(connection: Connection, begun: Version) -> str | None:
    """The backup of the attempt that ran the first step of a release which was begun; None if it had none."""
    # A step that is a transaction has the time of its end only.
    found: str | None = connection.exec_driver_sql(
        """
        SELECT backup FROM half_orm_meta.hop_attempt WHERE started_at <= (
            SELECT min(coalesce(started_at, ended_at)) FROM half_orm_meta.hop_step
            WHERE (major, minor, patch) = (%s, %s, %s) AND state <> %s
        ) ORDER BY id DESC LIMIT 1
        """,
        (begun.major, begun.minor, begun.patch, PLANNED),
    ).scalar()
    return found


def end_attempt(connection: Connection, number: int, state: str, detail: str | None = None) -> None:
    """Note how an attempt ended: DONE, FAILED or INTERRUPTED; one that has ended already stays as it is."""
    connection.exec_driver_sql(
        """
        UPDATE half_orm_meta.hop_attempt SET state = %s, detail = %s, ended_at = clock_timestamp()
        WHERE id = %s AND state = %s
        """,
        (state, detail, number, RUNNING),
    )


def last_attempt(connection: Connection) -> Attempt | None:
    """The newest attempt on a database; None if there was none, or its registry has no such table yet."""
    if connection.exec_driver_sql("SELECT to_regclass('half_orm_meta.hop_attempt') IS NULL").scalar_one():
        return None
    row = connection.exec_driver_sql(
        """
        SELECT id, command, from_release, to_release, state, detail, backup, started_at, ended_at, applied_by,
               applied_from
        FROM half_orm_meta.hop_attempt ORDER BY id DESC LIMIT 1
        """
    ).first()
    return None if row is None else Attempt(*row)
