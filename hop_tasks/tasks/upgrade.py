"""invoke upgrade"""

from invoke.context import Context

from hop_tasks.project import Project
from hop_tasks.report import shown_size
from hop_tasks.tasks.base import find_project, hop_task
from hop_tasks.tasks.console import ConsoleReporter, listed, show


@hop_task(
    help={
        "to": "the release to stop at, X.Y.Z; the newest one by default",
        "baseline": "the release, X.Y.Z, that a database without registry is at",
        "dry-run": "print what would be run",
        "fetch": "fetch from origin first (--no-fetch: do not)",
    }
)
def upgrade(c: Context, to: str = "", baseline: str = "", dry_run: bool = False, fetch: bool = True) -> None:
    """Bring the production database to the newest release, after a backup."""
    from hop_tasks.workflows.upgrade import upgrade_database

    project = find_project(c)
    if dry_run or c.config.run.dry:
        _show_plan(project, to or None, baseline or None, fetch)
        return
    done = upgrade_database(project, to=to or None, baseline=baseline or None, fetch=fetch, reporter=ConsoleReporter())
    if done.backup:
        show(f"backup: {done.backup.path} ({shown_size(done.backup.size)})")
    if done.releases:
        versions = listed(release.version for release in done.releases)
        seconds = sum(release.seconds for release in done.releases)
        before = done.before or "an empty database"
        show(f"upgraded {done.database} from {before} to {done.after}: {versions} in {seconds:.2f} s", "good")
    elif done.before is None:
        show(f"{done.database} was empty and has the schema of {done.after} now", "good")
    else:
        show(f"{done.database} is at {done.after}: nothing to do", "good")
    if done.code.moved:
        show(f"the code was brought to {done.after}")
    elif done.code.reason:
        show(f"code: {done.code.reason}", "warning")


def _show_plan(project: Project, to: str | None, baseline: str | None, fetch: bool) -> None:
    from hop_tasks.workflows.planning import plan_upgrade

    plan = plan_upgrade(project, to=to, baseline=baseline, fetch=fetch, reporter=ConsoleReporter())
    if plan.baseline is not None:
        show(f"{plan.database} would be declared to be at {plan.baseline}")
    elif plan.current is None:
        show(f"{plan.database} is empty: the schema of 0.0.0 would be loaded")
    else:
        show(f"{plan.database} is at {plan.current}")
    for planned in plan.releases:
        show(f"{planned.version}: {planned.message}")
        for path in planned.files:
            show(f"  {path}")
    if plan.unfetched:
        show(f"origin also has {listed(plan.unfetched)}, which the upgrade would fetch")
    if not plan.releases and not plan.unfetched:
        show("no release is missing")
    show("dry run: nothing was changed")
