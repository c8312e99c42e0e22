"""invoke sync-package"""

from invoke.context import Context

from hop_tasks.tasks.base import find_project, hop_task, is_dry
from hop_tasks.tasks.console import ConsoleReporter, show


@hop_task(name="sync-package")
def sync_package(c: Context) -> None:
    """Bring the Python package in step with the database."""
    from hop_tasks.workflows.sync_package import synchronise_package

    project = find_project(c)
    if is_dry(c, "sync-package"):
        return
    done = synchronise_package(project, reporter=ConsoleReporter())
    for path in done.written:
        show(f"wrote {path.relative_to(project.root)}", "good")
    if not done.written:
        show(f"package {project.settings.package} is in step with the database", "good")
