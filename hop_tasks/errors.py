"""The tree of errors. Each class has the exit code that the command line gives for it.

::

    HopError (1)
    ├── UsageError (2)             a name, version, level or flag that makes no sense
    ├── ProjectError (3)           no project here, or its settings are wrong
    ├── RepositoryError (4)        the state of the Git repository or of its origin forbids it
    ├── DatabaseError (5)          server, database, privilege or client program
    ├── ModeError (6)              a production command in development, or the other way round
    ├── StateError (7)             the releases of repository and database forbid it
    │   ├── MovedTagError (11)         a tag is not the one whose release the database has
    │   ├── StrayTagError (12)         a tag is not in the history of the main branch
    │   ├── SealError (13)             the files of a release are not those that were sealed
    │   ├── IncompleteError (14)       the folder, manifest or a file of a release is missing
    │   ├── UnknownReleaseError (15)   the database is at a release that this repository does not know
    │   ├── AheadError (16)            the database is ahead of this repository
    │   ├── SkippedError (17)          a release would be skipped, or has been
    │   └── UncertainError (18)        a step was interrupted, and the server cannot tell whether it was done
    ├── LockedError (8)            another hop is at work on the same database
    ├── PatchError (1)             a patch file failed; it was rolled back
    │   └── BlockedError (19)          other sessions hold a lock that a patch file needs
    ├── ChecksError (9)            the project's tests failed
    ├── BackupError (10)           a backup could not be made, or must not be trusted
    ├── OutputError (20)           done, but what there was to say could not be written
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


class MovedTagError(StateError):
    """A tag is not the one whose release the database has: it was moved after it was applied."""

    exit_code = 11


class StrayTagError(StateError):
    """A tag is not in the history of the main branch, so that nobody released it."""

    exit_code = 12


class SealError(StateError):
    """The files of a release are not those whose checksums its manifest was sealed with."""

    exit_code = 13


class IncompleteError(StateError):
    """The folder, the manifest or a file of a release is missing at its tag."""

    exit_code = 14


class UnknownReleaseError(StateError):
    """The database says that it is at a release that this repository does not know."""

    exit_code = 15


class AheadError(StateError):
    """The database is at a release above all those that this repository knows."""

    exit_code = 16


class SkippedError(StateError):
    """A release would be skipped, or has been."""

    exit_code = 17


class UncertainError(StateError):
    """A step was interrupted, and not even the server can tell whether it was done."""

    exit_code = 18


class LockedError(HopError):
    """Another hop is at work on the same database."""

    exit_code = 8


class PatchError(HopError):
    """A patch file failed and was rolled back.

    Args:
        sqlstate: PostgreSQL's code for what failed, where the server said so.
        message, hint, details: those of HopError.
    """

    exit_code = 1

    def __init__(
        self, message: str, *, hint: str | None = None, details: Sequence[str] = (), sqlstate: str | None = None
    ) -> None:
        super().__init__(message, hint=hint, details=details)
        self.sqlstate = sqlstate


class BlockedError(PatchError):
    """Other sessions hold a lock that a patch file needs, through all retries."""

    exit_code = 19


class ChecksError(HopError):
    """The project's tests failed."""

    exit_code = 9


class BackupError(HopError):
    """A backup could not be made, or must not be trusted."""

    exit_code = 10


class OutputError(HopError):
    """The command has done what it was to do; what it said could not be written."""

    exit_code = 20


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
