"""The tree of errors. Each class has the exit code that the command line gives for it.

::

    HopError (1)
    ├── UsageError (2)             a name, version, level or flag that makes no sense
    ├── ProjectError (3)           no project here, or its settings are wrong
    ├── RepositoryError (4)        the state of the Git repository or of its origin forbids it
    ├── DatabaseError (5)          server, database, privilege or client program
    ├── ModeError (6)              a production command in development, or the other way round
    ├── StateError (7)             the releases of repository and database forbid it
    ├── LockedError (8)            another hop is at work on the same database
    ├── PatchError (1)             a patch file failed; it was rolled back
    ├── ChecksError (9)            the project's tests failed
    ├── BackupError (10)           a backup could not be made, or must not be trusted
    └── InterruptedByUser (130)    Ctrl-C (143 for SIGTERM)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class HopError(Exception):
    """An error that a person can do something about.

    Args:
        message: what happened, where, and what was rolled back; one line, no final period.
        hint: the next command to type, or what to change.
        details: lines to be shown above the message, such as the place in a patch file.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = tuple(details)

    def __str__(self) -> str:
        text = " ".join(self.message.split())
        if not self.hint:
            return text
        return f"{text}{'' if text.endswith(('.', '?', '!')) else '.'} Next: {self.hint}"


class UsageError(HopError):
    """A name, version, level or flag that makes no sense."""

    exit_code = 2


class ProjectError(HopError):
    """There is no project here, or its settings are wrong."""

    exit_code = 3


class RepositoryError(HopError):
    """The state of the Git repository or of its origin forbids it."""

    exit_code = 4


class DatabaseError(HopError):
    """Server, database, privilege or client program is not as it must be."""

    exit_code = 5


class ModeError(HopError):
    """A production command in development, or the other way round."""

    exit_code = 6


class StateError(HopError):
    """The releases of repository and database forbid it."""

    exit_code = 7


class LockedError(HopError):
    """Another hop is at work on the same database."""

    exit_code = 8


class PatchError(HopError):
    """A patch file failed and was rolled back."""

    exit_code = 1


class ChecksError(HopError):
    """The project's tests failed."""

    exit_code = 9


class BackupError(HopError):
    """A backup could not be made, or must not be trusted."""

    exit_code = 10


class InterruptedByUser(HopError):
    """Ctrl-C or SIGTERM; the exit code is 128 + the signal's number."""

    exit_code = 130

    def __init__(self, message: str, *, signal_number: int = 2, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = 128 + signal_number


@contextmanager
def hinting(hint: str) -> Iterator[None]:
    """Gives a PatchError that has no hint of its own the one that fits the command it came up in."""
    try:
        yield
    except PatchError as error:
        error.hint = error.hint or hint
        raise
