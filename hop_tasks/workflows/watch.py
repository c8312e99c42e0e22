"""Watching: each time that files of the release in preparation are saved, it is applied."""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hop_tasks.database.interrupts import Terminated
from hop_tasks.errors import DatabaseError, HopError, LockedError, ModeError, ProjectError
from hop_tasks.project import SETTINGS_FILE, Project, read_settings_file
from hop_tasks.report import DEFAULT_REPORTER, Reporter
from hop_tasks.repository import GitFolder, Repository
from hop_tasks.workflows.apply import AppliedRelease
from hop_tasks.workflows.looking import looks
from hop_tasks.workflows.warm import Job, WarmProcess
from hop_tasks.workflows.watch_work import Applying, Command, Outcome, Probing, Told, find_program
from hop_tasks.workflows.watched import Look, Watched

FIRST = ("start",)
AGAIN = ("again",)

NEXT_SAVE = "waiting for the next save"
OTHER_HOP = "waiting until it is done"
SERVER = "waiting for the server"
BRANCH = "waiting for the branch of a release"

RETRY_SECONDS = 1.0
"""How often it is looked whether the lock is free, or the server is there again."""

GIT_SECONDS = 1.0
"""How long git may be at work before that is said: most of what it does takes much less."""

NEWER_SECONDS = 0.2
"""How often it is looked, while the command runs, whether something was saved."""


@dataclass(frozen=True)
class CommandRun:
    """What running the command after a round came to.

    Attributes:
        command: the command.
        code: its exit code, negative for a signal; None if it was ended, since something was saved meanwhile.
        seconds: its time.
    """

    command: str
    code: int | None
    seconds: float


@dataclass(frozen=True)
class WatchRound:
    """What one round came to.

    Attributes:
        at: when it began.
        changed: what was new, such as `01_customer.sql`, `02.sql removed` or `on hop_0.0.2`.
        applied: what was applied; None after an error, and where only code was new and the command was run again.
        command: what became of the command, if it was run.
        error: why nothing was applied.
        waiting: what is waited for then.
    """

    at: datetime
    changed: tuple[str, ...]
    applied: AppliedRelease | None = None
    command: CommandRun | None = None
    error: HopError | None = None
    waiting: str | None = None


def watch_release(
    project: Project, *, stop: threading.Event | None = None, reporter: Reporter = DEFAULT_REPORTER
) -> Generator[WatchRound, None, None]:
    """Apply the release in preparation now, and each time that one of its files is saved; then run `watch_command`.

    Files that are saved within a twentieth of a second of each other are one round. What is saved during a round makes
    one more after it, or ends its command. A round is done in a process of its own, of which nothing stays.

    Args:
        project: the project; its settings hold until the end.
        stop: ends the iteration when it is set, after the round that is on.
        reporter: told what is done in each round.

    An error is part of its round, and the next save begins another; also on a branch without a release, while another
    hop is at work, and while the server is away, which is waited for. Ctrl-C and SIGTERM, as KeyboardInterrupt, end a
    round that is on, which is rolled back and comes last; closing the generator ends it, too.

    Raises ModeError for production, RepositoryError outside a repository, ProjectError for a command that is not there.
    """
    project.require_development("watch")
    command = project.settings.watch_command
    if command and find_program(command, project) is None:
        raise ProjectError(
            f"there is no program {command[0]} that may be run after each round",
            hint="correct --run, or the setting watch_command; no shell is used",
        )
    git = GitFolder.of(Repository.open(project.root).git)
    watched = Watched(project, git, with_tests=bool(command))
    return _Watch(project, watched, stop or threading.Event(), reporter).rounds()


class _Watch:
    """The state between rounds."""

    def __init__(self, project: Project, watched: Watched, stop: threading.Event, reporter: Reporter) -> None:
        self.project = project
        self.watched = watched
        self.stop = stop
        self.reporter = reporter
        self.last: Look | None = None
        self.url: str | None = None
        self.obstacle: HopError | None = None
        self.retried = False
        self.probed_at = 0.0
        self.git_since: float | None = None
        self.settings = _settings_of(project)

    def rounds(self) -> Generator[WatchRound, None, None]:
        """The rounds, until `stop` is set."""
        with closing(WarmProcess(self.project.root)) as warm:
            for seen in looks(self.watched, self.stop):
                if seen.git_at_work:
                    yield from self._wait_for_git(seen.git_at_work)
                    continue
                self.git_since = None
                if self.last is None or not seen.is_as(self.last):
                    self.retried = False
                    yield from self._round(warm, seen)
                elif self._is_obstacle_gone(warm):
                    yield from self._round(warm, seen, again=True)

    def _wait_for_git(self, what: str) -> Iterator[WatchRound]:
        """Says it once."""
        now = time.monotonic()
        if self.git_since is None:
            self.git_since = now
        elif now > self.git_since + GIT_SECONDS:
            self.git_since = float("inf")
            yield WatchRound(_now(), (what,), waiting="waiting until it is over")

    def _is_obstacle_gone(self, warm: WarmProcess) -> bool:
        """Whether what stood in the way of the last round, the lock or the server, does so no more."""
        if self.obstacle is None or time.monotonic() < self.probed_at + RETRY_SECONDS:
            return False
        return self._probe(warm) is None

    def _probe(self, warm: WarmProcess) -> HopError | None:
        with closing(warm.start(Probing(self.project))) as job:
            found = list(job.messages())
        self.probed_at = time.monotonic()
        return found[0] if found else self.obstacle

    def _round(self, warm: WarmProcess, seen: Look, *, again: bool = False) -> Iterator[WatchRound]:
        before, self.last = self.last, seen
        changed = AGAIN if again else FIRST if before is None else seen.changed_since(before)
        round_ = WatchRound(_now(), changed)
        if again or before is None or not seen.applies_as(before):
            told_before, self.obstacle, self.url = self.obstacle, None, None
            self._compare_settings()
            outcome, interrupt = self._apply(warm)
            round_ = replace(round_, applied=outcome.applied, error=outcome.error)
            if interrupt is not None:
                yield round_
                raise interrupt
            if outcome.error is not None:
                waiting = self._after(warm, outcome.error)
                if not (again and isinstance(outcome.error, LockedError) and isinstance(told_before, LockedError)):
                    yield replace(round_, waiting=waiting)
                return
            self._take_over(outcome)
        elif self.url is None:
            return
        if not self.project.settings.watch_command:
            yield round_
            return
        run, interrupt = self._run_command(warm)
        yield replace(round_, command=run)
        if interrupt is not None:
            raise interrupt

    def _apply(self, warm: WarmProcess) -> tuple[Outcome, KeyboardInterrupt | None]:
        """The outcome; and what to raise, once that was told."""
        interrupt: KeyboardInterrupt | None = None
        outcome: Outcome | None = None
        with closing(warm.start(Applying(self.project))) as job:
            messages = job.messages()
            while True:
                try:
                    for message in messages:
                        outcome = self._heard(message) or outcome
                    break
                except KeyboardInterrupt as signalled:
                    interrupt = signalled
                    job.cancel(_number(signalled))
                    messages = job.messages()
        if outcome is None:
            outcome = Outcome(error=_ended_silently(job))
        if isinstance(outcome.error, ModeError):
            raise outcome.error
        return outcome, interrupt

    def _heard(self, message: Any) -> Outcome | None:
        if isinstance(message, Told):
            {"step": self.reporter.step, "note": self.reporter.note, "warn": self.reporter.warn}[message.kind](
                message.text
            )
            return None
        return message if isinstance(message, Outcome) else None

    def _after(self, warm: WarmProcess, error: HopError) -> str:
        """What is waited for after an error."""
        if error.hint:
            # As said by `hop apply`; here the save is what does it.
            error.hint = error.hint.removesuffix(", then hop apply")
        if isinstance(error, LockedError):
            self.obstacle, error.hint = error, None
            self.probed_at = time.monotonic()
            return OTHER_HOP
        if isinstance(error, DatabaseError) and not self.retried:
            self.obstacle = error
            if self._probe(warm) is not None:
                # Once: a patch file that brings the server down must not do so for ever.
                self.retried = True
                return SERVER
            self.obstacle = None
        return NEXT_SAVE if self._seen().version else BRANCH

    def _take_over(self, outcome: Outcome) -> None:
        """What hop itself has written into the package is nothing new."""
        self.url = outcome.url
        if outcome.applied is not None and self.last is not None:
            written = [path.relative_to(self.project.root).as_posix() for path in outcome.applied.package.written]
            if written:
                self.last = self.last.with_package_of(self.watched.look(), written)

    def _run_command(self, warm: WarmProcess) -> tuple[CommandRun, KeyboardInterrupt | None]:
        """What became of it; and what to raise, once that was told."""
        words = self.project.settings.watch_command
        started, is_newer = time.monotonic(), False
        interrupt: KeyboardInterrupt | None = None
        with closing(warm.start(Command(words, self.project, str(self.url)))) as job:
            try:
                for _ in job.messages(every=NEWER_SECONDS):
                    if not is_newer and (self.stop.is_set() or not self.watched.look().is_as(self._seen())):
                        is_newer = True
                        job.interrupt()
            except KeyboardInterrupt as signalled:
                interrupt, is_newer = signalled, True
                job.interrupt(_number(signalled))
        code = None if is_newer else job.code
        return CommandRun(shlex.join(words), code, time.monotonic() - started), interrupt

    def _seen(self) -> Look:
        assert self.last is not None
        return self.last

    def _compare_settings(self) -> None:
        """Says once that the settings are others now: of another branch, or written meanwhile."""
        now = _settings_of(self.project)
        if now != self.settings:
            self.settings = now
            self.reporter.warn(f"{SETTINGS_FILE} has other settings now: end hop watch and start it again for them")


def _settings_of(project: Project) -> object:
    try:
        return read_settings_file(project.root / SETTINGS_FILE)
    except ProjectError as error:
        return error.message


def _ended_silently(job: Job) -> HopError:
    how = f"signal {-job.code}" if job.code is not None and job.code < 0 else f"exit code {job.code}"
    return HopError(f"the process of the round ended with {how}; the server rolls back what was not committed")


def _number(interrupt: KeyboardInterrupt) -> int:
    """The signal that has raised it."""
    from signal import SIGINT, SIGTERM

    return SIGTERM if isinstance(interrupt, Terminated) else SIGINT


def _now() -> datetime:
    return datetime.now().astimezone()
