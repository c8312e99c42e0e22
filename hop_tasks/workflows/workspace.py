"""What every workflow works with: the project, its repository, its database, and who is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hop_tasks.database.admin import database_exists, drop_database, mark_of
from hop_tasks.database.engines import Database
from hop_tasks.database.locks import locked
from hop_tasks.database.sessions import end_orphans
from hop_tasks.database.urls import reach_target
from hop_tasks.errors import DatabaseError
from hop_tasks.project import Project
from hop_tasks.registry import RegistryState, read_state
from hop_tasks.report import Reporter
from hop_tasks.repository import Repository
from hop_tasks.snapshots import discard_database, end_maker, way_out

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


@dataclass(frozen=True)
class Workspace:
    """The parts that a workflow works with."""

    project: Project
    repository: Repository
    database: Database
    reporter: Reporter

    @classmethod
    def open(cls, project: Project, reporter: Reporter, repository: Repository | None = None) -> Workspace:
        """The workspace of a project, whose `repository` may be open already, with the embedded server started if that
        is the one."""
        repository = repository or Repository.open(project.root)
        return cls(project, repository, reach_database(project, reporter), reporter)

    @property
    def programs(self) -> Path | None:
        """The folder of the client programs, where the settings name one."""
        return programs_folder(self.project)

    @contextmanager
    def locked(self, verb: str) -> Iterator[Connection]:
        """The lock of the database, and a connection in autocommit to the maintenance database.

        In a place of development, raises ModeError for a database that is production, or may be: before anything of
        it is touched, and also what an interrupted hop has left running there.
        """
        if not self.project.settings.production:
            state = registry_of(self.database)
            if state is not None and state.exists:
                state.require_development(self.database.name, verb)
        with locked_database(
            self.database, verb, wait=self.project.settings.lock_wait, reporter=self.reporter
        ) as admin:
            yield admin

    @property
    def has_spares(self) -> bool:
        """Whether databases are copied ahead and dropped later here, in the background."""
        return self.project.settings.spare and not self.project.settings.production

    def discard(self, name: str) -> None:
        """Get rid of a database that was worked in, after a failure too: on a connection of its own, for others may
        be lost.

        If that fails as well, the next command does it.
        """
        with suppress(DatabaseError), self.database.administer() as admin:
            self.drop(admin, name)

    def drop(self, admin: Connection, name: str) -> None:
        """Drop a database beside the project's own; in the background where that is done."""
        if self.has_spares:
            discard_database(admin, name, self.database.name)
        else:
            drop_database(admin, name)

    def drop_snapshot(self, admin: Connection, name: str) -> None:
        """Drop a snapshot; in the background where that is done, with its name free at once."""
        end_maker(admin, self.database.name)
        if self.has_spares:
            discard_database(admin, name, self.database.name, rename=True)
        else:
            drop_database(admin, name)

    def read_state(self, admin: Connection) -> RegistryState | None:
        """The registry of the database; None if the database does not exist."""
        if not database_exists(admin, self.database.name):
            return None
        with self.database.connect() as connection:
            return read_state(connection)


@contextmanager
def locked_database(database: Database, verb: str, *, wait: float, reporter: Reporter) -> Iterator[Connection]:
    """The lock of a database, and a connection in autocommit to the maintenance database.

    What a hop that was killed left running is ended first. Raises LockedError after `wait` seconds.
    """
    with locked(database, verb, wait=wait, tell=reporter.note), database.administer() as admin:
        for session in end_orphans(admin, database.name):
            reporter.warn(f"ended what a hop that was killed had left running: {session}")
        require_no_copy(admin, database.name)
        yield admin


def registry_of(database: Database) -> RegistryState | None:
    """The registry of a database; None if the database does not exist."""
    with database.administer() as admin:
        if not database_exists(admin, database.name):
            return None
        require_no_copy(admin, database.name)
    with database.connect() as connection:
        return read_state(connection)


def require_no_copy(admin: Connection, name: str) -> None:
    """Raises DatabaseError for a database that hop made or keeps beside another one: no project's own."""
    mark = mark_of(admin, name)
    if mark is not None:
        raise DatabaseError(
            f"database {name} is not {mark.of} but one that hop keeps beside it (kind: {mark.kind}); "
            "nothing was changed",
            hint=way_out(name, mark.of),
        )


def reach_database(project: Project, reporter: Reporter) -> Database:
    """The database of a project, with the embedded server started if that is the one; it need not exist."""
    return Database(reach_target(project, reporter), project.settings.maintenance_database)


def programs_folder(project: Project) -> Path | None:
    """The folder of the client programs, where the settings name one."""
    named = project.settings.client_programs
    return None if named is None else project.root / Path(named).expanduser()
