"""What the tasks share: where errors become exits, the project in the context, dry runs."""

from __future__ import annotations

import errno
import signal
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.parser.argument import Argument
from invoke.tasks import Task, task

from hop_tasks.errors import HopError, InterruptedByUser, ProjectError, UsageError
from hop_tasks.tasks.console import flush, require_output, show, show_error

if TYPE_CHECKING:
    from hop_tasks.database.interrupts import Interrupts
    from hop_tasks.project import Project

Body = TypeVar("Body", bound=Callable[..., Any])


OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)
"""What an operating system answers where the machine, and no program, is to be mended."""

LOCK_WAIT_HELP = "seconds to wait for another hop on the same database; the setting lock_wait by default"


class HopTask(Task):  # type: ignore[type-arg]
    """A task whose HopError becomes an exit with the error's code: the only place where that happens."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # Imported as a task runs: lists, help and completion need none of it.
        from hop_tasks.database.interrupts import Terminated, obeying_signals

        interrupts: Interrupts | None = None
        try:
            with obeying_signals() as interrupts:
                found = super().__call__(*args, **kwargs)
                require_output()
                return found
        except Exit:
            raise
        except KeyboardInterrupt as interrupt:
            number = signal.SIGTERM if isinstance(interrupt, Terminated) else signal.SIGINT
            raise _interrupted(number) from interrupt
        except Exception as error:
            # A statement that was cancelled fails, too.
            if interrupts is not None and interrupts.number is not None:
                raise _interrupted(interrupts.number) from error
            if isinstance(error, OSError) and error.errno in OF_THE_DISK:
                error = _refused_by_the_disk(error)
            if not isinstance(error, HopError):
                raise
            show_error(error)
            raise Exit(f"hop: {error}", code=error.exit_code) from error
        finally:
            # Before Invoke prints the error's line elsewhere.
            flush()

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
    from hop_tasks.project import Project

    return Project.find(configuration=configuration(context), **flags)


def configuration(context: Context) -> Mapping[str, Any]:
    """The settings below `hop` in Invoke's configuration; none for a task that was imported alone."""
    found = context.config.get("hop")
    if found is None:
        return {}
    if not hasattr(found, "items"):
        raise ProjectError(f"hop = {found!r} in Invoke's configuration is not a mapping", hint="correct invoke.yaml")
    return dict(found.items())


def is_dry(context: Context, name: str, asked: bool = False) -> bool:
    """Whether --dry was given, which a task that changes anything must obey, or `asked` is true; says so."""
    dry = asked or bool(context.config.run.dry)
    if dry:
        show(f"dry run: {name} was not run, nothing was changed")
    return dry


def is_interactive() -> bool:
    """Whether somebody can answer a question."""
    return bool(sys.stdin and sys.stdin.isatty() and sys.stdout.isatty())


def lock_wait_flag(text: str | None) -> float | None:
    """The seconds of --lock-wait; None if it was not given. Raises UsageError."""
    if text is None:
        return None
    from hop_tasks.settings import parse_seconds

    try:
        return parse_seconds(text)
    except ValueError as error:
        raise UsageError(f"--lock-wait {text!r}: {error}; nothing was changed", hint="--lock-wait 60") from None


def _refused_by_the_disk(error: OSError) -> HopError:
    place = f"{error.filename}: " if error.filename is not None else ""
    return HopError(
        f"{place}{error.strerror}; what was begun was rolled back, what was finished stays",
        hint="make room for it, or let hop write there, and try again; hop shows the state",
    )


def _interrupted(number: int) -> Exit:
    name = signal.Signals(number).name
    interrupted = InterruptedByUser(
        f"interrupted by {name}; what was begun was rolled back, what was finished stays",
        signal_number=number,
        hint="hop",
    )
    return Exit(f"hop: {interrupted}", code=interrupted.exit_code)
