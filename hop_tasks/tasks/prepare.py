"""invoke prepare"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.context import Context

from hop_tasks.errors import UsageError
from hop_tasks.tasks.base import find_project, hop_task, is_dry, is_interactive
from hop_tasks.tasks.console import ConsoleReporter, show

if TYPE_CHECKING:
    from hop_tasks.project import Project


@hop_task(
    help={
        "level": "patch, minor or major; asked for on a terminal when not given",
        "message": "what the release is about, one line",
        "push": "push the branch, which reserves the number at origin",
    }
)
def prepare(c: Context, level: str = "", message: str = "", push: bool = False) -> None:
    """Prepare the next release on a branch of its own."""
    from hop_tasks.workflows.prepare import prepare_release

    project = find_project(c)
    if is_dry(c, "prepare"):
        return
    project.require_development("prepare")
    if not level:
        level, message = _ask(project, message)
    prepared = prepare_release(project, level, message or None, push=push, reporter=ConsoleReporter())
    show(
        f"prepared {prepared.version} ({prepared.level}) on branch {prepared.branch}, based on {prepared.base}", "good"
    )
    if prepared.pushed:
        show(f"origin has {prepared.branch}: the number is taken")
    show(f"next: write SQL or Python files in {prepared.folder}, then hop apply")


def _ask(project: Project, message: str) -> tuple[str, str]:
    """Level and message, from a person."""
    from hop_tasks.workflows.prepare import next_releases

    needed = UsageError("a level is needed: patch, minor or major", hint="hop prepare --level=patch")
    if not is_interactive():
        raise needed
    for choice in next_releases(project):
        show(f"  {choice.level}: " + (f"taken by {choice.taken}" if choice.taken else str(choice.version)))
    try:
        level = input("level: ")
        return level, message or input("message: ")
    except EOFError:
        show("")
        raise needed from None
