"""Doing a transaction again that could not have a lock, after ever longer pauses, and naming who held it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from hop_tasks.database.blockers import Blocker, BlockerWatch, end_idle
from hop_tasks.errors import BlockedError, PatchError
from hop_tasks.report import Reporter

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

T = TypeVar("T")

LOCK_NOT_AVAILABLE = "55P03"

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
"""Seconds. Exponential backoff with full jitter, as in Marc Brooker's "Exponential Backoff And Jitter" (AWS
Architecture Blog, 2015): a pause is anything between 0 and a limit that doubles up to a cap, so that two who got in
each other's way do not meet again. Most transactions of an application are over within the first; with the default of 5
retries the limits come to half a minute, and the cap keeps more retries from waiting longer than a person would."""


def insist(
    act: Callable[[], T],
    *,
    retries: int,
    watch: BlockerWatch,
    terminate: bool,
    admin: Connection,
    reporter: Reporter,
    first_pause: float = FIRST_PAUSE,
) -> T:
    """Do `act`, and again whenever it fails for a lock that others hold (SQLSTATE 55P03), and for nothing else.

    Args:
        act: something that leaves nothing behind when it raises PatchError.
        retries: how often it is done again at most.
        watch: has seen the blockers.
        terminate: end those that are idle in a transaction.
        admin: a connection in autocommit to the maintenance database.
        reporter: told who blocks, and what is done about it.
        first_pause: the limit of the first pause, in seconds; it doubles each time, up to 30.

    Returns what `act` does. Raises its error, or BlockedError that names the blockers after the last attempt.
    """
    limit = first_pause
    for left in range(retries, -1, -1):
        watch.seen = ()
        try:
            return act()
        except PatchError as error:
            if error.sqlstate != LOCK_NOT_AVAILABLE:
                raise
            blockers: Sequence[Blocker] = watch.seen
            if not left:
                raise _blocked(error, blockers, attempts=retries + 1, terminate=terminate) from error
            reporter.warn(f"a lock could not be had: {error.message}")
        for blocker in blockers:
            reporter.warn(f"blocked by {blocker}")
            if terminate and blocker.is_idle:
                _end(admin, blocker, reporter)
        # The choice is not a secret.
        pause = random.uniform(0, min(limit, LONGEST_PAUSE))
        reporter.note(f"trying again in {pause:.1f} s, {left} {'times' if left > 1 else 'time'} at most")
        time.sleep(pause)
        limit = min(limit * 2, LONGEST_PAUSE)
    raise AssertionError("unreachable")


def _end(admin: Connection, blocker: Blocker, reporter: Reporter) -> None:
    reason = end_idle(admin, blocker)
    if reason is None:
        reporter.warn(f"ended pid {blocker.pid}, which was idle in its transaction, as --terminate-blockers says")
    else:
        reporter.warn(f"pid {blocker.pid} was not ended: {reason}")


def _blocked(error: PatchError, blockers: Sequence[Blocker], *, attempts: int, terminate: bool) -> BlockedError:
    names = "; ".join(str(blocker) for blocker in blockers) or "sessions that hop did not get to see"
    times = "once" if attempts == 1 else f"{attempts} times, and rolled back each time"
    idle = next((blocker for blocker in blockers if blocker.is_idle), None)
    settings = "or raise the settings lock_timeout and lock_retries"
    if idle is not None and not terminate:
        by_hand = f"SELECT pg_terminate_backend({idle.pid})"
        hint = f"hop upgrade --terminate-blockers ends what is idle in transaction, as {by_hand} does; {settings}"
    elif any(not blocker.pid for blocker in blockers):
        hint = "COMMIT PREPARED or ROLLBACK PREPARED ends a prepared transaction"
    else:
        hint = f"try again when they are done, {settings}"
    return BlockedError(
        f"{error.message}; it was tried {times}; blocked by {names}",
        hint=hint,
        details=error.details,
        sqlstate=error.sqlstate,
    )
