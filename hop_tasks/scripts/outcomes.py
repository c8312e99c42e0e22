"""What became of the database when a patch file failed, in the words of its error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hop_tasks.errors import PatchError

NOTHING_RUN = "nothing was run"
ROLLED_BACK = "rolled back, the database is as it was"


@contextmanager
def failing_with(outcome: str) -> Iterator[None]:
    """A PatchError that says ROLLED_BACK says `outcome` instead."""
    try:
        yield
    except PatchError as error:
        error.message = error.message.replace(ROLLED_BACK, outcome)
        error.args = (error.message,)
        raise
