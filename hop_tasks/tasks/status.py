"""invoke status"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit

from hop_tasks.tasks.base import find_project, hop_task
from hop_tasks.tasks.console import listed, show, show_table
from hop_tasks.tasks.snapshots import what_it_is

if TYPE_CHECKING:
    from hop_tasks.workflows.status import DatabaseStatus, RepositoryStatus, Status


@hop_task()
def status(c: Context) -> None:
    """Show the state of the project and what to type next."""
    from hop_tasks.workflows.status import read_status

    found = read_status(find_project(c))
    show_table(_rows(found))
    problem = found.database.problem
    if problem is not None:
        raise Exit(f"hop: {problem}", code=problem.exit_code)
    show(f"next: {found.advice}", "strong")


def _rows(found: Status) -> list[tuple[str, str]]:
    settings = found.project.settings
    mode = "production" if settings.production else "development"
    rows = [
        ("project", f"{settings.name} in {found.project.root}"),
        ("mode", mode if settings.devel else f"{mode}, without version tracking"),
        ("database", _database(found.database)),
    ]
    if found.database.exists and settings.devel and found.database.mark is None:
        rows.append(("release", _release(found.database)))
        rows += _attempt(found.database)
    if found.repository is not None:
        rows += _repository(found.repository)
        if settings.production and found.database.mark is None:
            known = found.database.state is not None and found.database.state.last is not None
            rows.append(("lacking", listed(found.missing) if known else "not known before the first upgrade"))
        if found.repository.unpushed:
            rows.append(("not pushed", listed(found.repository.unpushed)))
    if found.database.snapshots:
        rows.append(("snapshots", listed(reversed(found.database.snapshots), most=5)))
    if found.database.kept:
        rows.append(("kept", "\n".join(found.database.kept)))
    return rows


def _database(database: DatabaseStatus) -> str:
    text = f"{database.shown} (from {database.source})"
    if database.server:
        text += f"\nPostgreSQL {database.server}" + ("" if database.exists else "; the database does not exist")
    if database.mark is not None:
        what = what_it_is(database.mark.kind, database.mark.release)
        text += f"\nnot a project's own: hop keeps it beside {database.mark.of} ({what})"
    return text


def _release(database: DatabaseStatus) -> str:
    state = database.state
    if state is None or state.last is None:
        return "none: the database has no registry"
    last = state.last
    text = f"{last.version}: {last.message}" if last.message else str(last.version)
    if last.applied_at:
        text += f"\napplied {last.applied_at:%Y-%m-%d %H:%M:%S %z} by {last.applied_by} ({last.applied_from})"
    if last.commit:
        text += f"\ncommit {last.commit[:12]} by {last.author}"
    stamps = {True: "\nstamped as production", None: "\nit is not known whether it is production"}
    return text + stamps.get(state.production, "")


def _attempt(database: DatabaseStatus) -> list[tuple[str, str]]:
    """The newest attempt to change the database, if it did not end well; and how far a release has come."""
    rows = []
    attempt = database.attempt
    if attempt is not None and attempt.state != "done":
        text = f"{attempt.command} to {attempt.to_release} {attempt.state}"
        text += f" since {attempt.started_at:%Y-%m-%d %H:%M:%S %z} by {attempt.applied_by} ({attempt.applied_from})"
        text += f"\n{attempt.detail}" if attempt.detail else ""
        text += f"\nbackup of before: {attempt.backup}" if attempt.backup else ""
        rows.append(("last attempt", text))
    if database.begun is not None:
        steps = (f"{step.number}. {step.state}: {step.title}" for step in database.begun.steps)
        rows.append(("begun", "\n".join([str(database.begun.version), *steps])))
    return rows


def _repository(repository: RepositoryStatus) -> list[tuple[str, str]]:
    clean = (
        f"{len(repository.changes)} changed: {listed(repository.changes, most=4)}" if repository.changes else "clean"
    )
    where = repository.branch or f"detached at {(repository.commit or '')[:12]}"
    return [
        ("branch", f"{where}, {clean}"),
        ("released", listed(reversed(repository.released), most=5)),
        ("in preparation", listed(repository.in_preparation)),
    ]
