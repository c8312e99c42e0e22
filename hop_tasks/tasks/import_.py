"""invoke import"""

from __future__ import annotations

from invoke.context import Context

from hop_tasks.tasks.base import find_project, hop_task
from hop_tasks.tasks.console import ConsoleReporter, show


@hop_task(
    name="import",  # which Python has for itself
    positional=["folder"],
    help={
        "folder": "the folder of the migrations",
        "tool": "flyway, dbmate, sqitch, yoyo, graphile or plain; found out by default",
        "dry-run": "only say what would be written",
    },
)
def import_(c: Context, folder: str, tool: str = "", dry_run: bool = False) -> None:
    """Make patch files of the release in preparation from another tool's migrations."""
    from hop_tasks.workflows.import_ import import_migrations, plan_import

    dry = dry_run or bool(c.config.run.dry)
    act = plan_import if dry else import_migrations
    plan = act(find_project(c), folder, tool=tool or None, reporter=ConsoleReporter())
    for file in plan.files:
        show(f"  {file.path}  from {file.source}")
    for file in plan.set_aside:
        show(f"  {file.path}  from {file.source}; not run", "dim")
    for note in plan.notes:
        show(note, "warning")
    count = f"{len(plan.files)} migration{'s' if len(plan.files) != 1 else ''} of {plan.tool}"
    if dry:
        show(f"dry run: {count} would become patch files of {plan.version}; nothing was changed")
    else:
        show(f"{count} became patch files of {plan.version}; next: hop apply", "good")
