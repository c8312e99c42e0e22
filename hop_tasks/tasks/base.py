"""What the tasks share: where errors become exits, the project in the context, dry runs."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.parser.argument import Argument
from invoke.tasks import Task, task

from hop_tasks.errors import HopError, InterruptedByUser, ProjectError
from hop_tasks.project import Project
from hop_tasks.tasks.console import show, show_error

Body = TypeVar("Body", bound=Callable[..., Any])


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived; what Ctrl-C undoes is undone."""


class HopTask(Task):  # type: ignore[type-arg]
    """A task whose HopError becomes an exit with the error's code: the only place where that happens."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            with _sigterm_undoes():
                return super().__call__(*args, **kwargs)
        except HopError as error:
            show_error(error)
            raise Exit(f"hop: {error}", code=error.exit_code) from error
        except KeyboardInterrupt as interrupt:
            number = signal.SIGTERM if isinstance(interrupt, Terminated) else signal.SIGINT
            interrupted = InterruptedByUser(
                f"interrupted by {number.name}; what was begun was rolled back", signal_number=number, hint="hop"
            )
            raise Exit(f"hop: {interrupted}", code=interrupted.exit_code) from interrupt

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """The arguments. Invoke takes the help texts out of the task as it reads them; they are put back."""
        texts = dict(self.help)
        try:
            return super().get_arguments(ignore_unknown_help)
        finally:
            self.help = texts


def hop_task(**options: Any) -> Callable[[Body], Body]:
    """`invoke.task` with HopTask, that keeps the function's type for those who call it."""

    def decorate(body: Body) -> Body:
        decorated: Body = task(klass=HopTask, **options)(body)
        return decorated

    return decorate


def find_project(context: Context, **flags: Any) -> Project:
    """The project that the current directory is in, with the settings of Invoke's configuration and of flags."""
    return Project.find(configuration=configuration(context), **flags)


def configuration(context: Context) -> Mapping[str, Any]:
    """The settings below `hop` in Invoke's configuration; none for a task that was imported alone."""
    found = context.config.get("hop")
    if found is None:
        return {}
    if not hasattr(found, "items"):
        raise ProjectError(f"hop = {found!r} in Invoke's configuration is not a mapping", hint="correct invoke.yaml")
    return dict(found.items())


def is_dry(context: Context, name: str) -> bool:
    """Whether --dry was given, which a task that changes anything must obey; says so."""
    dry = bool(context.config.run.dry)
    if dry:
        show(f"dry run: {name} was not run, nothing was changed")
    return dry


def is_interactive() -> bool:
    """Whether somebody can answer a question."""
    return bool(sys.stdin and sys.stdin.isatty() and sys.stdout.isatty())


@contextmanager
def _sigterm_undoes() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(_number: int, _frame: object) -> None:
        raise Terminated

    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
