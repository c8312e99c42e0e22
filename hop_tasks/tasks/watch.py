"""invoke watch"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from invoke.context import Context

from hop_tasks.tasks.base import find_project, hop_task, is_dry
from hop_tasks.tasks.console import ConsoleReporter, is_output_lost, listed, show

if TYPE_CHECKING:
    from hop_tasks.project import Project
    from hop_tasks.workflows.watch import WatchRound

RUN_HELP = "command to run after each round, such as 'pytest -q'; the setting watch_command by default, none for none"


@hop_task(help={"run": RUN_HELP})
def watch(c: Context, run: str | None = None) -> None:
    """Apply the release in preparation whenever one of its files is saved, until Ctrl-C."""
    from hop_tasks.database.interrupts import Terminated
    from hop_tasks.workflows.watch import watch_release

    project = find_project(c, watch_command=run)
    if is_dry(c, "watch"):
        return
    rounds = watch_release(project, reporter=_WatchReporter())
    show("  watching; Ctrl-C ends")
    stays = "the database stays as it was"
    try:
        with closing(rounds):
            for found in rounds:
                if found.applied is not None:
                    stays = f"what was applied last, at {_clock(found)}, is not taken back"
                _show_round(project, found)
                if is_output_lost():
                    return  # nobody is left who could end it
    except Terminated:
        raise
    except KeyboardInterrupt:
        # The way to end it, and no failure.
        show(f"  ended; {stays}")


class _WatchReporter(ConsoleReporter):
    """Leaves the steps out: there is a line for each round."""

    def step(self, text: str) -> None:
        """Nothing is shown."""


def _show_round(project: Project, found: WatchRound) -> None:
    """The round's line, below the place in the patch file where that has failed."""
    for line in found.error.details if found.error else ():
        show(line, "dim")
    parts = [f"{_clock(found)} {listed(found.changed, most=3)}"]
    if found.error is not None:
        show(f"{parts[0]}: {found.error}", "bad")
    else:
        told = [_applied(project, found), _command(found)]
        text = "; ".join(part for part in told if part)
        show(f"{parts[0]}: {text}" if text else parts[0], _style(found))
    if found.waiting is not None:
        show(f"  {found.waiting}", "dim")


def _applied(project: Project, found: WatchRound) -> str:
    applied = found.applied
    if applied is None:
        return ""
    files = f"{len(applied.files)} file{'' if len(applied.files) == 1 else 's'}"
    parts = [f"applied {applied.version}", f"{files} in {applied.seconds:.2f} s"]
    if applied.rebased_on is not None:
        parts.insert(0, f"rebased on {applied.rebased_on}")
    written = [path.relative_to(project.root).as_posix() for path in applied.package.written]
    parts.append(f"wrote {listed(written)}" if written else "package in step")
    return ", ".join(parts)


def _command(found: WatchRound) -> str:
    run = found.command
    if run is None:
        return ""
    if run.code is None:
        return f"{run.command} was ended"
    how = f"ended by signal {-run.code}" if run.code < 0 else f"exit code {run.code}"
    return f"{run.command}: {how} in {run.seconds:.2f} s"


def _style(found: WatchRound) -> str:
    return "warning" if found.command is not None and found.command.code != 0 else "good"


def _clock(found: WatchRound) -> str:
    return f"{found.at:%H:%M:%S}"
