"""invoke init"""

from invoke.context import Context

from hop_tasks.tasks.base import LOCK_WAIT_HELP, hop_task, is_dry, lock_wait_flag
from hop_tasks.tasks.console import ConsoleReporter, show
from hop_tasks.tasks.new import show_founded


@hop_task(
    help={
        "devel": "track versions: registry, first commit, tag 0.0.0",
        "baseline": "the same for a database that is in use already, which is not created",
        "as": "the version, X.Y.Z, of the first release, instead of 0.0.0",
        "name": "the project; the folder's name by default",
        "package": "the Python package; made from the name by default",
        "url": "the database's URL, postgresql://user@host:5432/database",
        "lock-wait": LOCK_WAIT_HELP,
    }
)
def init(
    c: Context,
    devel: bool = False,
    name: str = "",
    package: str = "",
    url: str = "",
    lock_wait: str | None = None,
    baseline: bool = False,
    as_: str = "",
) -> None:
    """Make the Git repository in the current directory a project."""
    from hop_tasks.workflows.init import initialise_project

    seconds = lock_wait_flag(lock_wait)
    if is_dry(c, "init"):
        return
    founded = initialise_project(
        name=name or None,
        devel=devel,
        baseline=baseline,
        first=as_ or None,
        package=package or None,
        url=url or None,
        lock_wait=seconds,
        reporter=ConsoleReporter(),
    )
    show_founded(founded)
    if founded.commit:
        show(f"releases go to branch {founded.project.settings.main_branch}; next: hop")
