"""The embedded server of a project, by hand."""

from __future__ import annotations

from hop_tasks.database import embedded
from hop_tasks.database.urls import Source, reach_target, resolve_target
from hop_tasks.errors import UsageError
from hop_tasks.project import Project
from hop_tasks.report import DEFAULT_REPORTER, Reporter


def start_server(project: Project, *, reporter: Reporter = DEFAULT_REPORTER) -> str:
    """Start the embedded server if it does not run; the URL of the project's database, as psql takes it.

    Raises UsageError in a project whose database is on another server.
    """
    target = resolve_target(project)
    if target.source is not Source.EMBEDDED:
        raise UsageError(
            f"this project does not use the embedded server: {target.source.value} names {target}",
            hint="psql with that",
        )
    return reach_target(project, reporter).text


def stop_server(project: Project) -> bool:
    """Stop the embedded server; False if it was not running."""
    return embedded.stop(project.embedded_data)
