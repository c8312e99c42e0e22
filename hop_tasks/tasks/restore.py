"""invoke restore"""

from invoke.context import Context

from hop_tasks.tasks.base import LOCK_WAIT_HELP, find_project, hop_task, is_dry, lock_wait_flag
from hop_tasks.tasks.console import ConsoleReporter, show


@hop_task(
    positional=["version"],
    help={
        "version": "the release, X.Y.Z; in production also a backup: its name in Backups, or a path",
        "force": "in production, end the sessions that are open on the database",
        "lock-wait": LOCK_WAIT_HELP,
        "drop-replaced": "drop the state that is replaced, once the other is in its place",
    },
)
def restore(
    c: Context, version: str, force: bool = False, lock_wait: str | None = None, drop_replaced: bool = False
) -> None:
    """Bring the database back to how it was at a release; the state it replaces is kept."""
    from hop_tasks.workflows.restore import restore_database

    project = find_project(c, lock_wait=lock_wait_flag(lock_wait))
    if is_dry(c, "restore"):
        return
    restored = restore_database(project, version, force=force, drop_replaced=drop_replaced, reporter=ConsoleReporter())
    show(f"restored {restored.database} to {restored.version} from {restored.source}", "good")
    if restored.kept_as:
        show(f"the state before is kept as {restored.kept_as}; when nobody needs it: hop backups --drop-replaced")
    if restored.dropped:
        show(f"the state before, {restored.dropped}, was dropped")
    show(
        f"the code in the work tree was left alone; to have that of the release: git switch --detach {restored.version}"
    )
