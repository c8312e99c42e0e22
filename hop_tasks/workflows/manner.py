"""How releases are brought into a database."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hop_tasks.errors import UsageError
from hop_tasks.versions import Version
from hop_tasks.workflows.workspace import Workspace

INTERRUPTED_STEP = re.compile(r"(?P<version>[^/=]+)/(?P<number>[1-9][0-9]{0,8})=(?P<answer>done|repeat)")


@dataclass(frozen=True)
class InterruptedStep:
    """What a person has found out of a step that was interrupted, where the server cannot tell.

    Attributes:
        version: the release.
        number: the step's place in it, from 1.
        was_done: whether it was done; otherwise it is to be repeated.
    """

    version: Version
    number: int
    was_done: bool

    @classmethod
    def parse(cls, text: str) -> InterruptedStep:
        """Read `X.Y.Z/N=done` or `X.Y.Z/N=repeat`. Raises UsageError for any other text."""
        found = INTERRUPTED_STEP.fullmatch(text)
        if found is None:
            raise UsageError(
                f"{text!r} does not say of which step it is, or what became of that",
                hint="--interrupted-step=X.Y.Z/N=done or =X.Y.Z/N=repeat, for step N of release X.Y.Z",
            )
        return cls(Version.parse(found["version"]), int(found["number"]), found["answer"] == "done")


def as_interrupted_step(given: InterruptedStep | str | None) -> InterruptedStep | None:
    """What a person says of a step, given as a text or as what it is."""
    return InterruptedStep.parse(given) if isinstance(given, str) else given


@dataclass(frozen=True)
class Manner:
    """How releases are brought into a database.

    Attributes:
        lock_timeout: seconds that a statement waits for a lock.
        lock_retries: how often a transaction that could not have a lock is tried again.
        programs: the folder of psql; searched for when None.
        terminate_blockers: whether sessions that are idle in transaction and hold such a lock are ended.
        interrupted_step: what a person says of a step that was interrupted.
        kept: whether the database stays when a release fails, as in production; else it is a copy, which is dropped.
    """

    lock_timeout: float
    lock_retries: int
    programs: Path | None
    terminate_blockers: bool = False
    interrupted_step: InterruptedStep | None = None
    kept: bool = False

    @classmethod
    def of(
        cls,
        workspace: Workspace,
        *,
        terminate_blockers: bool = False,
        interrupted_step: InterruptedStep | None = None,
        kept: bool = False,
    ) -> Manner:
        """The manner that the settings of a project want."""
        settings = workspace.project.settings
        return cls(
            settings.lock_timeout,
            settings.lock_retries,
            workspace.programs,
            terminate_blockers,
            interrupted_step,
            kept,
        )
