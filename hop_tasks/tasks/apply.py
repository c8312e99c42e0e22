"""invoke apply"""

from invoke.context import Context

from hop_tasks.tasks.base import LOCK_WAIT_HELP, find_project, hop_task, is_dry, lock_wait_flag
from hop_tasks.tasks.console import ConsoleReporter, show, show_package


@hop_task(help={"lock-wait": LOCK_WAIT_HELP})
def apply(c: Context, lock_wait: str | None = None) -> None:
    """Apply the release in preparation to the development database, from its base state."""
    from hop_tasks.workflows.apply import apply_release

    project = find_project(c, lock_wait=lock_wait_flag(lock_wait))
    if is_dry(c, "apply"):
        return
    applied = apply_release(project, reporter=ConsoleReporter())
    show_package(applied.package, project.root)
    files = f"{len(applied.files)} file{'' if len(applied.files) == 1 else 's'}"
    show(f"applied {applied.version} on top of {applied.base}: {files} in {applied.seconds:.2f} s", "good")
