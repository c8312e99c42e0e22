"""invoke upgrade"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.context import Context

from hop_tasks.report import shown_size
from hop_tasks.tasks.base import LOCK_WAIT_HELP, find_project, hop_task, lock_wait_flag
from hop_tasks.tasks.console import ConsoleReporter, listed, show

if TYPE_CHECKING:
    from hop_tasks.project import Project


@hop_task(
    help={
        "to": "the release to stop at, X.Y.Z; the newest one by default",
        "baseline": "the release, X.Y.Z, that a database without registry is at",
        "schema": "the release, X.Y.Z, whose schema an empty database begins with, instead of the first",
        "dry-run": "print what would be run",
        "fetch": "fetch from origin first (--no-fetch: do not)",
        "lock-wait": LOCK_WAIT_HELP,
        "terminate-blockers": "end sessions that are idle in transaction and hold a lock that a release waits for",
        "interrupted-step": "X.Y.Z/N=done or X.Y.Z/N=repeat: what became of a step of which the server cannot tell",
    }
)
def upgrade(
    c: Context,
    to: str = "",
    baseline: str = "",
    schema: str = "",
    dry_run: bool = False,
    fetch: bool = True,
    lock_wait: str | None = None,
    terminate_blockers: bool = False,
    interrupted_step: str = "",
) -> None:
    """Bring the production database to the newest release, after a backup."""
    from hop_tasks.workflows.upgrade import upgrade_database

    project = find_project(c, lock_wait=lock_wait_flag(lock_wait))
    if dry_run or c.config.run.dry:
        _show_plan(project, to or None, baseline or None, schema or None, fetch)
        return
    done = upgrade_database(
        project,
        to=to or None,
        baseline=baseline or None,
        schema=schema or None,
        fetch=fetch,
        terminate_blockers=terminate_blockers,
        interrupted_step=interrupted_step or None,
        reporter=ConsoleReporter(),
    )
    if done.backup:
        where = f"elsewhere, by {done.backup.program}" if done.backup.is_elsewhere else shown_size(done.backup.size)
        show(f"backup: {done.backup.path} ({where})")
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


def _show_plan(project: Project, to: str | None, baseline: str | None, schema: str | None, fetch: bool) -> None:
    from hop_tasks.workflows.planning import plan_upgrade

    plan = plan_upgrade(project, to=to, baseline=baseline, schema=schema, fetch=fetch, reporter=ConsoleReporter())
    if plan.unknown is not None:
        show(f"what {plan.database} lacks can be told after a fetch only: {plan.unknown}", "warning")
    elif plan.baseline is not None:
        show(f"{plan.database} would be declared to be at {plan.baseline}, once its catalog has proved that")
    elif plan.current is None:
        show(f"{plan.database} is empty: the schema of {plan.schema} would be loaded")
    else:
        show(f"{plan.database} is at {plan.current}")
    for planned in plan.releases:
        show(f"{planned.version}: {planned.message}")
        if planned.steps:
            show(f"  in {len(planned.steps)} steps, each of which stays when a later one fails:")
        for number, title in enumerate(planned.steps, 1):
            show(f"  {number}. {title}")
        for path in () if planned.steps else planned.files:
            show(f"  {path}")
    if plan.unfetched:
        show(f"origin also has {listed(plan.unfetched)}, which the upgrade would fetch")
    if not plan.releases and not plan.unfetched and plan.unknown is None:
        show("no release is missing")
    show("dry run: nothing was changed")
