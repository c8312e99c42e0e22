"""invoke server"""

from invoke.context import Context

from hop_tasks.tasks.base import find_project, hop_task, is_dry
from hop_tasks.tasks.console import ConsoleReporter, show


@hop_task(help={"stop": "stop it"})
def server(c: Context, stop: bool = False) -> None:
    """Start the project's embedded PostgreSQL server and show its URL; or stop it."""
    from hop_tasks.workflows.server import start_server, stop_server

    project = find_project(c)
    if is_dry(c, "server"):
        return
    if stop:
        stopped = stop_server(project)
        show("the embedded server was stopped" if stopped else "the embedded server was not running", "good")
        return
    show(start_server(project, reporter=ConsoleReporter()))
