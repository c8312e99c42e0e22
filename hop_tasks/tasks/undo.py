"""invoke undo"""

from invoke.context import Context

from hop_tasks.tasks.base import LOCK_WAIT_HELP, find_project, hop_task, is_dry, lock_wait_flag
from hop_tasks.tasks.console import ConsoleReporter, show, show_package


@hop_task(help={"database-only": "leave the Python package as it is", "lock-wait": LOCK_WAIT_HELP})
def undo(c: Context, database_only: bool = False, lock_wait: str | None = None) -> None:
    """Put the development database back to the base state of the release that was applied."""
    from hop_tasks.workflows.undo import undo_release

    project = find_project(c, lock_wait=lock_wait_flag(lock_wait))
    if is_dry(c, "undo"):
        return
    undone = undo_release(project, database_only=database_only, reporter=ConsoleReporter())
    if undone.package:
        show_package(undone.package, project.root)
    show(f"undone {undone.version}: the database is at {undone.base}; the patch files are still there", "good")
