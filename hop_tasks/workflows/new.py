"""A new project from a database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hop_tasks.database import embedded
from hop_tasks.errors import ProjectError
from hop_tasks.names import MAIN_BRANCH, check_package_name, check_project_name, package_for
from hop_tasks.project import Project
from hop_tasks.report import DEFAULT_REPORTER, Reporter
from hop_tasks.repository import Repository
from hop_tasks.workflows.founding import (
    Founded,
    begin_history,
    founding_database,
    history_notes,
    meant_database,
    stored_url,
    write_founding_release,
)
from hop_tasks.workflows.project_files import HopTable, new_files

PASSWORD_NOTE = "the password of --url is not stored: keep it in ~/.pgpass, or set HOP_DATABASE_URL"


def create_project(
    name: str,
    *,
    folder: Path | str | None = None,
    devel: bool = False,
    package: str | None = None,
    url: str | None = None,
    generator: str | None = None,
    lock_wait: float | None = None,
    reporter: Reporter = DEFAULT_REPORTER,
) -> Founded:
    """Make a project's folder from a PostgreSQL database.

    Args:
        name: the project, its folder, and its database where no URL names one.
        folder: where to make it; the current directory by default.
        devel: also the registry at 0.0.0, a Git repository on `hop_main`, and its first commit; a database that does
            not exist is then created.
        package: the Python package; by default made from the name.
        url: the database's URL; otherwise as in any project.
        generator: what writes the package; `tables` by default.
        lock_wait: seconds to wait for another hop on the same database; otherwise the setting.
        reporter: told what is done.

    Raises UsageError for a name that cannot be used, ProjectError if the folder exists, DatabaseError, StateError.
    Folder, database and registry are then as before.
    """
    check_project_name(name)
    package = check_package_name(package if package is not None else package_for(name))
    root = Path(folder or Path.cwd()).resolve() / name
    kept_url, had_password = stored_url(url, name)
    notes: tuple[str, ...] = (PASSWORD_NOTE,) if had_password else ()
    files = new_files(HopTable(name, package, devel, kept_url, generator=generator))
    with _new_folder(root):
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, "utf-8")
        project = Project.find(root, lock_wait=lock_wait)
        project.require_not_production("new")
        repository = None
        if devel:
            repository = Repository.create(root, MAIN_BRANCH)
            repository.require_identity()
        database = meant_database(project, url, reporter)
        with founding_database(project, database, verb="new", reporter=reporter) as created:
            if created:
                reporter.step(f"created the empty database {database.name}")
            written = (*files, *write_founding_release(project, database))
            commit = None
            if repository is not None:
                notes += history_notes(database)
                commit = repository.commit_files(written, f"Begin {name} at 0.0.0\n")
                begin_history(repository, database, commit, reporter)
    return Founded(project, database.shown, created, tuple(sorted(written)), commit, notes)


@contextmanager
def _new_folder(root: Path) -> Iterator[None]:
    try:
        root.mkdir()
    except FileExistsError:
        raise ProjectError(
            f"{root} exists already and was not touched", hint="choose another name, or hop init in that folder"
        ) from None
    except OSError as error:
        raise ProjectError(f"{root} cannot be made: {error.strerror}") from error
    try:
        yield
    except BaseException:
        embedded.stop(root / ".hop" / "pgdata")
        shutil.rmtree(root)
        raise
