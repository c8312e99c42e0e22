"""invoke sync-package"""

from invoke.context import Context

from hop_tasks.tasks.base import find_project, hop_task, is_dry
from hop_tasks.tasks.console import ConsoleReporter, show, show_package


@hop_task(name="sync-package")
def sync_package(c: Context) -> None:
    """Bring the Python package in step with the database."""
    from hop_tasks.workflows.sync_package import synchronise_package

    project = find_project(c)
    if is_dry(c, "sync-package"):
        return
    done = synchronise_package(project, reporter=ConsoleReporter())
    show_package(done, project.root)
    if not done.written and not done.removed:
        show(f"package {project.settings.package} is in step with the database", "good")
