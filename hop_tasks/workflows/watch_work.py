"""What `hop watch` has done, each in a process of its own: applying, looking for the server, the command."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from hop_tasks.checks import checks_arguments, checks_environment
from hop_tasks.database.engines import Database
from hop_tasks.database.interrupts import obeying_signals
from hop_tasks.database.locks import find_holder
from hop_tasks.database.urls import resolve_target
from hop_tasks.errors import DatabaseError, HopError, InterruptedByUser, LockedError
from hop_tasks.project import Project
from hop_tasks.workflows.apply import AppliedRelease, apply_release
from hop_tasks.workflows.workspace import reach_database

Send = Callable[[object], None]

NOT_FOUND = 127
"""The exit code that shells have for a command that cannot be run."""


@dataclass(frozen=True)
class Told:
    """What a reporter was told: `kind` is step, note or warn."""

    kind: str
    text: str


@dataclass(frozen=True)
class Outcome:
    """How an apply ended: what was applied and the database's URL with its password, or the error."""

    applied: AppliedRelease | None = None
    url: str = ""
    error: HopError | None = None


@dataclass(frozen=True)
class Applying:
    """Applies the release in preparation, and sends each Told and at last an Outcome."""

    project: Project

    def run(self, send: Send) -> None:
        """Do it. What the user's own code raises is part of the outcome, whatever it is."""
        reporter = _Sending(send)
        with obeying_signals(announced=False) as interrupts:
            try:
                applied = apply_release(self.project, reporter=reporter)
                outcome = Outcome(applied, reach_database(self.project, reporter).address.text)
            except (Exception, KeyboardInterrupt) as error:
                outcome = Outcome(error=_explained(error, interrupts.number))
        send(outcome)


@dataclass(frozen=True)
class Probing:
    """Sends the error that an apply would end with at once, for want of the server or of the lock; None without one."""

    project: Project

    def run(self, send: Send) -> None:
        """Do it. Nothing is started, and no lock is taken, which others may want."""
        try:
            target = resolve_target(self.project)
            if target.place is None:
                raise DatabaseError(f"the database is {target}")
            database = Database(target.place, self.project.settings.maintenance_database)
            holder = find_holder(database)
            send(None if holder is None else LockedError(f"another hop is at work on {database.name}: {holder}"))
        except HopError as error:
            send(error)


@dataclass(frozen=True)
class Command:
    """Becomes the user's command, in the project's folder, with variables that name the database."""

    words: tuple[str, ...]
    project: Project
    url: str

    def run(self, _send: Send) -> None:
        """Do it."""
        os.chdir(self.project.root)
        # Python ignores it, and what it starts would.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        arguments = checks_arguments(self.words)
        try:
            os.execvpe(arguments[0], arguments, checks_environment(os.environ, self.url))
        except OSError as error:
            with contextlib.suppress(OSError):
                os.write(2, f"hop: {arguments[0]} cannot be run: {error.strerror}\n".encode())
            os._exit(NOT_FOUND)


def find_program(command: tuple[str, ...], project: Project) -> str | None:
    """The program of a command, as it would be found from the project's folder; None if there is none."""
    name = checks_arguments(command)[0]
    return shutil.which(str(project.root / name) if "/" in name else name)


class _Sending:
    """A reporter that sends what it is told."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def step(self, text: str) -> None:
        self._send(Told("step", text))

    def note(self, text: str) -> None:
        self._send(Told("note", text))

    def warn(self, text: str) -> None:
        self._send(Told("warn", text))


def _explained(error: BaseException, number: int | None) -> HopError:
    if number is not None or isinstance(error, KeyboardInterrupt):
        name = signal.Signals(number or signal.SIGINT).name
        return InterruptedByUser(f"interrupted by {name}; what was begun was rolled back", signal_number=number or 2)
    if isinstance(error, HopError):
        return error
    traceback.print_exception(error, file=sys.stderr)
    return HopError(f"an error that nobody expected, see above: {type(error).__name__}: {error}")
