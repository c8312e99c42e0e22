"""invoke release"""

from invoke.context import Context

from hop_tasks.tasks.base import LOCK_WAIT_HELP, find_project, hop_task, is_dry, lock_wait_flag
from hop_tasks.tasks.console import ConsoleReporter, show


@hop_task(
    help={
        "push": "push main branch and tag to origin, both or none",
        "fetch": "ask origin what was released meanwhile (--no-fetch: do not)",
        "lock-wait": LOCK_WAIT_HELP,
    }
)
def release(c: Context, push: bool = False, fetch: bool = True, lock_wait: str | None = None) -> None:
    """Prove the release in preparation on a scratch copy, run the tests, seal and tag it."""
    from hop_tasks.workflows.release import release_prepared

    project = find_project(c, lock_wait=lock_wait_flag(lock_wait))
    if is_dry(c, "release"):
        return
    published = release_prepared(project, push=push, fetch=fetch, reporter=ConsoleReporter())
    if published.resumed:
        show("no tests were run: they had passed before the release was published")
    elif published.checks is None:
        show("no tests were run: the setting tests is none")
    elif published.checks.found_none:
        show("no tests were found")
    show(f"wrote {published.schema}")
    show(f"released {published.version}: {published.message}", "good")
    main = project.settings.main_branch
    if published.pushed:
        show(f"pushed {main} and tag {published.version}")
    else:
        show(f"not pushed: git push origin {main} {published.version}")
