"""invoke init"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.context import Context

from hop_tasks.errors import UsageError
from hop_tasks.tasks.base import LOCK_WAIT_HELP, hop_task, is_dry, lock_wait_flag
from hop_tasks.tasks.console import ConsoleReporter, listed, show, show_table
from hop_tasks.tasks.new import show_founded

if TYPE_CHECKING:
    from hop_tasks.workflows.adopting_plan import AdoptionPlan


@hop_task(
    help={
        "devel": "track versions: registry, first commit, tag 0.0.0",
        "baseline": "the same for a database that is in use already, which is not created",
        "as": "the version, X.Y.Z, of the first release, instead of 0.0.0",
        "name": "the project; the folder's name by default",
        "package": "the Python package; made from the name by default",
        "url": "the database's URL, postgresql://user@host:5432/database",
        "lock-wait": LOCK_WAIT_HELP,
        "generator": "what writes the package: tables, declarative, dataclasses, sqlmodel, half_orm, none, or your own",
        "dry-run": "only say what would be done with a project of half_orm's own tool",
    }
)
def init(
    c: Context,
    devel: bool = False,
    name: str = "",
    package: str = "",
    url: str = "",
    lock_wait: str | None = None,
    generator: str = "",
    baseline: bool = False,
    as_: str = "",
    dry_run: bool = False,
) -> None:
    """Make the Git repository in the current directory a project; or go on with one of half_orm's own tool."""
    from hop_tasks.workflows.adopting_plan import is_adoptable
    from hop_tasks.workflows.init import initialise_project

    seconds = lock_wait_flag(lock_wait)
    if is_adoptable():
        if name or package or baseline or as_:
            raise UsageError(
                "this is a project of half_orm's tool, which has its name, package and release; nothing was changed",
                hint="hop init",
            )
        _adopt(url or None, devel, seconds, dry=dry_run or bool(c.config.run.dry))
        return
    if is_dry(c, "init", dry_run):
        return
    founded = initialise_project(
        name=name or None,
        devel=devel,
        baseline=baseline,
        first=as_ or None,
        package=package or None,
        url=url or None,
        generator=generator or None,
        lock_wait=seconds,
        reporter=ConsoleReporter(),
    )
    show_founded(founded)
    if founded.commit:
        show(f"releases go to branch {founded.project.settings.main_branch}; next: hop")


def _adopt(url: str | None, devel: bool, lock_wait: float | None, *, dry: bool) -> None:
    from hop_tasks.workflows.adopting import adopt_project, plan_adoption

    plan = plan_adoption(url=url, devel=devel)
    show_table(_rows(plan))
    adopted = None
    if not dry:
        adopted = adopt_project(url=url, devel=devel, lock_wait=lock_wait, reporter=ConsoleReporter())
    for note in plan.notes:
        show(note, "warning")
    if adopted is None:
        show("dry run: nothing was changed")
        return
    if adopted.commit is None:
        show(f"the database is one of development, at {plan.version}; next: hop", "good")
    else:
        show(
            f"hop has taken {plan.project.name} over at {plan.version}, commit {adopted.commit[:12]}; next: hop", "good"
        )


def _rows(plan: AdoptionPlan) -> list[tuple[str, str]]:
    rows = [("database", f"{plan.database} (from {plan.source})"), ("release", str(plan.version))]
    if plan.tool is None:
        return [*rows, ("registry", "is completed, and says that the database is development")]
    return [
        ("project", f"{plan.project.name}, of half_orm's tool {plan.tool}"),
        *rows,
        ("history", f"{listed(reversed(plan.history), most=5)}; not deployed by hop"),
        ("goes on", listed(plan.in_preparation)),
        ("one commit", "\n".join([*plan.files, f"without {plan.removed}"])),
        ("tagged", str(plan.tag)),
        ("registry", "is completed in one transaction, its rows stay, and says that the database is development"),
        ("package", f"{plan.project.settings.package} stays; hop apply writes it, but for what is between markers"),
    ]
