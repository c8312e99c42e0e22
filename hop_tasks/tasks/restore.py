"""invoke restore"""

from invoke.context import Context

from hop_tasks.tasks.base import find_project, hop_task, is_dry
from hop_tasks.tasks.console import ConsoleReporter, show


@hop_task(
    positional=["version"],
    help={"version": "the release, X.Y.Z", "force": "in production, end the sessions that are open on the database"},
)
def restore(c: Context, version: str, force: bool = False) -> None:
    """Bring the database back to how it was at a release; the state it replaces is kept."""
    from hop_tasks.workflows.restore import restore_database

    project = find_project(c)
    if is_dry(c, "restore"):
        return
    restored = restore_database(project, version, force=force, reporter=ConsoleReporter())
    show(f"restored {restored.database} to {restored.version} from {restored.source}", "good")
    if restored.kept_as:
        show(
            f'the state before is kept as {restored.kept_as}; when nobody needs it: DROP DATABASE "{restored.kept_as}"'
        )
    show(
        f"the code in the work tree was left alone; to have that of the release: git switch --detach {restored.version}"
    )
