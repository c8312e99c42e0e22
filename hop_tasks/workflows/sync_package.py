"""The Python package in step with the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from hop_tasks.database.admin import database_exists
from hop_tasks.database.engines import Database
from hop_tasks.errors import DatabaseError, ProjectError
from hop_tasks.package import (
    COMMAND,
    EARLIER_MODULE,
    HALF_ORM,
    Generator,
    Memory,
    Synchronised,
    differences,
    find_generator,
    half_orm_connection,
    synchronise,
)
from hop_tasks.project import SETTINGS_FILE, Project
from hop_tasks.registry import read_state
from hop_tasks.report import DEFAULT_REPORTER, Reporter
from hop_tasks.versions import Version
from hop_tasks.workflows.project_files import with_subpackages
from hop_tasks.workflows.workspace import reach_database, require_no_copy

if TYPE_CHECKING:
    from hop_tasks.database.addresses import Address


def synchronise_package(project: Project, *, reporter: Reporter = DEFAULT_REPORTER) -> Synchronised:
    """Write the generated modules of the package anew where they differ from the database.

    Raises ProjectError for a file in the way that hop did not write, DatabaseError if there is no database.
    """
    database = reach_database(project, reporter)
    with database.administer() as admin:
        if not database_exists(admin, database.name):
            raise DatabaseError(f"there is no database {database.name}", hint="hop apply builds it in development")
        require_no_copy(admin, database.name)
    with database.connect() as connection:
        state = read_state(connection)
    return synchronise_database(project, database, state.last.version if state.last else None, anew=True)


def synchronise_database(
    project: Project, database: Database, release: Version | None, *, anew: bool = False
) -> Synchronised:
    """The same from any database, for the release that it is at.

    Unless `anew`, what was made from the same before is not made again.
    """
    memory = None
    if not anew:
        project.make_state_folder()
        memory = Memory(project.package_memory, project.package_folder)
    with database.connect() as connection:
        done = synchronise(project.package_folder, connection, _generator(project), release, memory=memory)
    if project.package_folder / EARLIER_MODULE not in done.removed:
        return done
    # What hop wrote when all tables were in one module would leave the folder with theirs out of a wheel.
    settings = project.root / SETTINGS_FILE
    before = settings.read_bytes().decode()
    after = with_subpackages(before, project.settings.package)
    if after == before:
        return done
    settings.write_bytes(after.encode())
    return replace(done, written=(*done.written, settings))


def package_differences(project: Project, database: Database, release: Version | None) -> tuple[str, ...]:
    """The generated files, from the project's root, that are not in step with a database."""
    with database.connect() as connection:
        found = differences(project.package_folder, connection, _generator(project), release)
    return tuple(path.relative_to(project.root).as_posix() for path in found)


@contextmanager
def leaving_database(name: str, verb: str) -> Iterator[None]:
    """Has an error about a file of the package say that the database is as it was, and that `verb` is the way on."""
    try:
        yield
    except ProjectError as error:
        error.message += f"; database {name} is as it was"
        error.hint = error.hint and error.hint.replace(COMMAND, f"hop {verb}")
        raise


@contextmanager
def variables_for_tests(project: Project, address: Address) -> Iterator[Mapping[str, str]]:
    """What else than its URL tells the package of a project to which database it is to connect, in its tests."""
    if project.settings.generator != HALF_ORM:
        yield {}
        return
    with half_orm_connection(project.settings.package, address) as variables:
        yield variables


def _generator(project: Project) -> Generator:
    return find_generator(project.settings.generator, project.root)
