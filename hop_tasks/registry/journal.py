"""The journal of a release that is more than one transaction: how far each of its steps has come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hop_tasks.errors import LockedError
from hop_tasks.registry.states import DONE, PLANNED, RUNNING
from hop_tasks.versions import Version

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Update

    from hop_tasks.database.connections import Connection

TAKEN_OVER = "HOPST"
"""The SQLSTATE with which a statement for another program fails when the step is no longer of the run that made it."""

WITH_EFFECT = """DO $hop$ BEGIN
    {change};
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '{state}', MESSAGE = 'another hop has taken over this step';
    END IF;
END $hop$"""


@dataclass(frozen=True)
class StepRow:
    """A step of a release, as the database has it.

    Attributes:
        number: its place in the release, from 1.
        title: what it runs, for a person.
        checksum: over what it runs.
        state: planned, running or done.
        before: what its result is told by, as it was before it started.
        started_at: when it was last begun. Together with the state it tells one run of the step from any other.
    """

    number: int
    title: str
    checksum: str
    state: str
    before: Mapping[str, Any]
    started_at: datetime | None


@dataclass(frozen=True)
class BegunRelease:
    """A release some steps of which have run and which is not in the registry yet, with all its steps."""

    version: Version
    steps: tuple[StepRow, ...]


_STEPS = """
    SELECT major, minor, patch, step, title, checksum, state, coalesce(before, '{}'), started_at
    FROM half_orm_meta.hop_step AS own
    WHERE (major, minor, patch) = (%s)
    ORDER BY step
"""
_BEGUN = """
    SELECT major, minor, patch FROM half_orm_meta.hop_step AS step
    WHERE state <> 'planned' AND NOT EXISTS (
        SELECT FROM half_orm_meta.hop_release AS release
        WHERE (release.major, release.minor, release.patch) = (step.major, step.minor, step.patch)
    )
    LIMIT 1
"""


def read_steps(connection: Connection, version: Version) -> tuple[StepRow, ...]:
    """The steps of a release, in their order; none if it was not begun."""
    rows = connection.exec_driver_sql(_STEPS % "%s, %s, %s", (version.major, version.minor, version.patch))
    return tuple(StepRow(*row) for _, _, _, *row in rows)


def begun_release(connection: Connection) -> BegunRelease | None:
    """The release that was begun and is not whole; None if there is none."""
    if connection.exec_driver_sql("SELECT to_regclass('half_orm_meta.hop_step') IS NULL").scalar_one():
        return None
    rows = connection.exec_driver_sql(_STEPS % _BEGUN).all()
    if not rows:
        return None
    major, minor, patch = rows[0][:3]
    return BegunRelease(Version(major, minor, patch), tuple(StepRow(*row) for _, _, _, *row in rows))


def plan_steps(connection: Connection, version: Version, steps: Sequence[tuple[str, str]]) -> tuple[StepRow, ...]:
    """Note, in the caller's transaction, the steps of a release that is about to begin, as pairs of title and checksum.

    Those of an earlier attempt that did nothing are replaced.
    """
    from sqlalchemy import delete, insert

    from hop_tasks.registry.tables import STEP

    connection.execute(delete(STEP).where(_is_of(version)))
    key = {"major": version.major, "minor": version.minor, "patch": version.patch}
    rows = [
        {**key, "step": number, "title": title, "checksum": checksum}
        for number, (title, checksum) in enumerate(steps, 1)
    ]
    connection.execute(insert(STEP), rows)
    return read_steps(connection, version)


def start_step(connection: Connection, version: Version, row: StepRow, before: Mapping[str, Any]) -> StepRow:
    """Note, in the caller's transaction, that a step is RUNNING; its row as it is then.

    What an earlier run of the step may have left running has no right to it any more. `before` is what its result will
    be told by. Raises LockedError if the step is not as `row` says: somebody else is at work.
    """
    from sqlalchemy import func

    from hop_tasks.registry.tables import STEP

    started_at = func.clock_timestamp()
    marking = _change(version, row).values(state=RUNNING, started_at=started_at, ended_at=None, before=dict(before))
    found = connection.execute(marking.returning(STEP.c.started_at)).scalar()
    if found is None:
        raise _taken_over(version, row.number)
    return replace(row, state=RUNNING, before=before, started_at=found)


def finish_step(connection: Connection, version: Version, row: StepRow) -> None:
    """Note that the run of a step which `start_step` has begun is DONE. Raises LockedError if it is no longer ours."""
    if connection.execute(_done(_change(version, row))).rowcount == 0:
        raise _taken_over(version, row.number)


def finish_transaction(connection: Connection, version: Version, number: int) -> None:
    """Note that a step is DONE, in the transaction that is the step itself. LockedError if it was done before."""
    from sqlalchemy import update

    from hop_tasks.registry.tables import STEP

    change = update(STEP).where(_is_of(version), STEP.c.step == number, STEP.c.state != DONE)
    if connection.execute(_done(change)).rowcount == 0:
        raise _taken_over(version, number, "what this one did of it is rolled back")


def abandon_step(connection: Connection, version: Version, row: StepRow) -> bool:
    """Note that the run of a step has left nothing, so that it is planned again; whether it was done after all."""
    if connection.execute(_change(version, row).values(state=PLANNED)).rowcount:
        return False
    return any(found.number == row.number and found.state == DONE for found in read_steps(connection, version))


def claiming_statement(connection: Connection, version: Version, row: StepRow) -> str:
    """SQL for a program that runs a step itself: fails with TAKEN_OVER unless the step is of the run that `row` is of.

    Nobody else can take the step over before the end of the transaction that it is run in.
    """
    return _with_effect(connection, _change(version, row, literally=True).values(state=RUNNING))


def finishing_statement(connection: Connection, version: Version, row: StepRow) -> str:
    """SQL for such a program that notes that the step is DONE, and fails with TAKEN_OVER if it is no longer ours."""
    return _with_effect(connection, _done(_change(version, row, literally=True)))


def _with_effect(connection: Connection, change: Update) -> str:
    text = change.compile(connection.core, compile_kwargs={"literal_binds": True})
    return WITH_EFFECT.format(change=text, state=TAKEN_OVER)


def _change(version: Version, row: StepRow, *, literally: bool = False) -> Update:
    """A change of the step's row if it is still of the run that `row` is of."""
    from sqlalchemy import DateTime, cast, literal, update

    from hop_tasks.registry.tables import STEP

    started_at: Any = row.started_at
    if literally and row.started_at is not None:
        started_at = cast(literal(row.started_at.isoformat()), DateTime(timezone=True))
    columns = STEP.c
    same_run = (columns.state == row.state, columns.started_at.is_not_distinct_from(started_at))
    return update(STEP).where(_is_of(version), columns.step == row.number, *same_run)


def _done(change: Update) -> Update:
    from sqlalchemy import func

    return change.values(state=DONE, ended_at=func.clock_timestamp())


def _taken_over(version: Version, number: int, outcome: str = "this one stops") -> LockedError:
    return LockedError(
        f"step {number} of {version} was begun or done by another hop meanwhile; {outcome}",
        hint="hop shows how far it has come",
    )


def _is_of(version: Version) -> ColumnElement[bool]:
    from sqlalchemy import and_

    from hop_tasks.registry.tables import STEP

    columns = STEP.c
    return and_(columns.major == version.major, columns.minor == version.minor, columns.patch == version.patch)
