"""invoke new"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.context import Context

from hop_tasks.tasks.base import LOCK_WAIT_HELP, hop_task, is_dry, lock_wait_flag
from hop_tasks.tasks.console import ConsoleReporter, show

if TYPE_CHECKING:
    from hop_tasks.workflows.founding import Founded


@hop_task(
    positional=["name"],
    help={
        "name": "the project: its folder, and its database where no URL names one",
        "devel": "track versions: registry, Git repository, first commit",
        "package": "the Python package; made from the name by default",
        "url": "the database's URL, postgresql://user@host:5432/database",
        "lock-wait": LOCK_WAIT_HELP,
        "generator": "what writes the package: tables, declarative, dataclasses, sqlmodel, half_orm, none, or your own",
    },
)
def new(
    c: Context,
    name: str,
    devel: bool = False,
    package: str = "",
    url: str = "",
    lock_wait: str | None = None,
    generator: str = "",
) -> None:
    """Make a new project from a PostgreSQL database."""
    from hop_tasks.workflows.new import create_project

    seconds = lock_wait_flag(lock_wait)
    if is_dry(c, "new"):
        return
    founded = create_project(
        name,
        devel=devel,
        package=package or None,
        url=url or None,
        generator=generator or None,
        lock_wait=seconds,
        reporter=ConsoleReporter(),
    )
    show_founded(founded)
    show(f"next: cd '{founded.project.root.name}' && hop")


def show_founded(founded: Founded) -> None:
    """What a new project consists of."""
    for path in founded.files:
        show(f"  {path}")
    for note in founded.notes:
        show(note, "warning")
    tracked = f"; its database is at release {founded.version}" if founded.commit else ", without version tracking"
    show(f"project {founded.project.name} from {founded.database}{tracked}", "good")
