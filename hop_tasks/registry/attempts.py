"""The audit of a production database: one row for each time that a command began to change it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from hop_tasks.registry.states import INTERRUPTED, PLANNED, RUNNING
from hop_tasks.versions import Version

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hop_tasks.database.looking import Reading


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
    from sqlalchemy import func, insert, select

    from hop_tasks.registry.tables import ATTEMPT

    mark_interrupted(connection)
    # No sequence: one that was copied with its database may fall back in a crash.
    following = select(func.coalesce(func.max(ATTEMPT.c.id), 0) + 1).scalar_subquery()
    values = {
        "id": following,
        "command": command,
        "from_release": from_release,
        "to_release": to_release,
        "applied_from": applied_from,
        "hop_release": hop_version,
    }
    number: int = connection.execute(insert(ATTEMPT).values(values).returning(ATTEMPT.c.id)).scalar_one()
    return number


def mark_interrupted(connection: Connection) -> None:
    """Mark the attempts that are still running: the caller holds the lock, so whoever made them is gone."""
    from sqlalchemy import func, update

    from hop_tasks.registry.tables import ATTEMPT

    connection.execute(
        update(ATTEMPT)
        .where(ATTEMPT.c.state == RUNNING)
        .values(state=INTERRUPTED, ended_at=func.clock_timestamp(), detail="it died, or lost its server")
    )


def note_backup(connection: Connection, number: int, backup: str) -> None:
    """Note the backup that was made for an attempt."""
    from sqlalchemy import update

    from hop_tasks.registry.tables import ATTEMPT

    connection.execute(update(ATTEMPT).where(ATTEMPT.c.id == number).values(backup=backup))


def backup_before(connection: Connection, begun: Version) -> str | None:
    """The backup of the attempt that ran the first step of a release which was begun; None if it had none."""
    from sqlalchemy import func, select

    from hop_tasks.registry.tables import ATTEMPT, STEP

    step = STEP.c
    # A step that is a transaction has the time of its end only.
    first = select(func.min(func.coalesce(step.started_at, step.ended_at))).where(
        step.major == begun.major, step.minor == begun.minor, step.patch == begun.patch, step.state != PLANNED
    )
    found: str | None = connection.execute(
        select(ATTEMPT.c.backup)
        .where(ATTEMPT.c.started_at <= first.scalar_subquery())
        .order_by(ATTEMPT.c.id.desc())
        .limit(1)
    ).scalar()
    return found


def end_attempt(connection: Connection, number: int, state: str, detail: str | None = None) -> None:
    """Note how an attempt ended: DONE, FAILED or INTERRUPTED; one that has ended already stays as it is."""
    from sqlalchemy import func, update

    from hop_tasks.registry.tables import ATTEMPT

    connection.execute(
        update(ATTEMPT)
        .where(ATTEMPT.c.id == number, ATTEMPT.c.state == RUNNING)
        .values(state=state, detail=detail, ended_at=func.clock_timestamp())
    )


def last_attempt(connection: Reading) -> Attempt | None:
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
