"""Bringing releases into a database: each in one transaction with its row in the registry, unless it cannot be."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from hop_tasks.checkpoints import checkpoint
from hop_tasks.database.blockers import BlockerWatch, watch_blockers
from hop_tasks.database.engines import Database, driver_connection, explain_errors, settle_session
from hop_tasks.database.interrupts import cancelled_by_signals
from hop_tasks.database.locks import require_lock
from hop_tasks.database.transactions import is_over, rollback, rolled_back_on_failure
from hop_tasks.errors import DatabaseError, LockedError, PatchError
from hop_tasks.registry import (
    ReleaseRow,
    complete_registry,
    create_registry,
    has_release,
    insert_release,
    is_noted_already,
    noting_statement,
    read_database_id,
)
from hop_tasks.report import Reporter
from hop_tasks.scripts import FileRun, PatchFile, TransactionStep, check_schema, run_transaction
from hop_tasks.versions import ORIGIN_VERSION, Version
from hop_tasks.workflows.committing import Finish, IsThere, commit_surely
from hop_tasks.workflows.insisting import LOCK_NOT_AVAILABLE, insist
from hop_tasks.workflows.manner import Manner
from hop_tasks.workflows.reading import Deployable
from hop_tasks.workflows.registering import registry_row, row_of

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

Result = TypeVar("Result")

WATCH_SECONDS = 0.5
"""How often it is looked whether the server waits for a lock; more often for a shorter lock_timeout."""

Closing = Callable[[], str]
"""Makes the last statement of a transaction."""


@dataclass(frozen=True)
class Deployed:
    """A release that was brought into a database: its files with their times, and the seconds of the whole."""

    version: Version
    message: str
    files: tuple[FileRun, ...]
    seconds: float


class Deployer:
    """Brings releases into one database, over one connection as long as nothing fails."""

    def __init__(
        self, database: Database, manner: Manner, admin: Connection, watch: BlockerWatch, reporter: Reporter
    ) -> None:
        self._database = database
        self._manner = manner
        self._admin = admin
        self._watch = watch
        self._reporter = reporter
        self._stack = ExitStack()
        self._connection: Connection | None = None
        self._database_id: str | None = None
        self._settled = False

    def deploy(self, release: Deployable, finish: Finish | None = None) -> Deployed:
        """Bring one release into the database: its files and its row in the registry.

        Args:
            release: the release; a lower one must be there already.
            finish: done in the same transaction as the registry's row.

        Raises PatchError. A release that is one transaction is then rolled back; of one that is more, the steps
        that were done stay, and the next attempt goes on from there.
        """
        started_at, started = datetime.now(timezone.utc), time.perf_counter()

        def row() -> ReleaseRow:
            checkpoint("deploy.before_registry")
            return row_of(release, started_at, time.perf_counter() - started)

        def noting() -> str:
            return noting_statement(self._open(), row(), self._database_id)

        def note_release(connection: Connection) -> None:
            with _alone(release.version):
                insert_release(connection, row())
            if finish is not None:
                finish(connection)

        def is_registered(connection: Connection) -> bool:
            return has_release(connection, release.version)

        if release.scripts.is_one_transaction:
            step = release.scripts.steps[0] if release.scripts.steps else TransactionStep(())
            assert isinstance(step, TransactionStep)
            files = self._in_transaction(release, step, finish, is_registered, noting)
        else:
            from hop_tasks.workflows.stepping import Stepper

            self._open()  # whose registry has a journal then
            in_transaction = partial(self._in_transaction, release)
            stepper = Stepper(self._database, release, self._manner, in_transaction, self._insist, self._reporter)
            files = stepper.run(note_release, is_registered)
        return Deployed(release.version, release.message, files, time.perf_counter() - started)

    def close(self) -> None:
        """Close the connection; what was not committed is rolled back."""
        connection, self._connection, self._settled = self._connection, None, False
        # One that is lost cannot be closed in good order, and need not be.
        with suppress(DatabaseError), explain_errors(self._database.shown):
            if connection is not None:
                rollback(connection)
        with suppress(DatabaseError):
            self._stack.close()

    def _insist(self, act: Callable[[], Result], connection: Connection) -> Result:
        """Do what may have to wait for a lock, again if it could not have it, with an eye on who holds it."""
        with self._watch.over(driver_connection(connection).info.backend_pid):
            return insist(
                act,
                retries=self._manner.lock_retries,
                watch=self._watch,
                terminate=self._manner.terminate_blockers,
                admin=self._admin,
                reporter=self._reporter,
            )

    def _in_transaction(
        self,
        release: Deployable,
        step: TransactionStep,
        finish: Finish | None,
        is_there: IsThere,
        noting: Closing | None = None,
    ) -> tuple[FileRun, ...]:
        attempts = count()

        def act() -> tuple[FileRun, ...]:
            if next(attempts):
                require_lock()  # it may have been a long pause
            return self._transaction(release, step, finish, is_there, noting)

        return self._insist(act, self._open())

    def _transaction(
        self,
        release: Deployable,
        step: TransactionStep,
        finish: Finish | None,
        is_there: IsThere,
        noting: Closing | None,
    ) -> tuple[FileRun, ...]:
        try:
            checkpoint("deploy.before_begin")
            connection = self._open()
            raw = driver_connection(connection)

            def commit(transaction: str, closing: str = "") -> None:
                checkpoint("deploy.before_commit")
                what, reporter = str(release.version), self._reporter
                commit_surely(connection, self._database, transaction, what, is_there, reporter, closing=closing)

            with _alone(release.version):
                run = run_transaction(
                    connection,
                    step,
                    root=release.root,
                    lock_timeout=self._manner.lock_timeout,
                    reporter=self._reporter,
                    closing=noting,
                    commit=commit if finish is None else None,
                    settled=self._settled,
                )
            if finish is not None:
                finish(connection)
                require_lock()
                commit(str(run.transaction))
            self._settled = True
            if not is_over(raw):
                self.close()
            checkpoint("deploy.after_commit")
        except PatchError as error:
            if error.sqlstate == LOCK_NOT_AVAILABLE and self._connection is not None:
                self._settled = False
                with explain_errors(self._database.shown):
                    rollback(self._connection)
            else:
                self.close()
            raise
        except BaseException:
            self.close()
            raise
        return run.files

    def _open(self) -> Connection:
        if self._connection is None:
            require_lock()
            connection = self._stack.enter_context(self._database.connect())
            self._stack.enter_context(cancelled_by_signals(connection))
            settle_session(connection, pooled=True)
            complete_registry(connection)
            self._database_id = read_database_id(connection)
            connection.commit()
            self._connection = connection
        return self._connection


@contextmanager
def deployer(database: Database, manner: Manner, admin: Connection, reporter: Reporter) -> Iterator[Deployer]:
    """A Deployer for as long as the body runs, which does not use `admin` while a release is brought in."""
    with watch_blockers(admin, every=min(WATCH_SECONDS, manner.lock_timeout / 4 or WATCH_SECONDS)) as watch:
        made = Deployer(database, manner, admin, watch, reporter)
        try:
            yield made
        finally:
            made.close()


def deploy(database: Database, release: Deployable, manner: Manner, admin: Connection, reporter: Reporter) -> Deployed:
    """Bring one release into a database. Raises PatchError."""
    with deployer(database, manner, admin, reporter) as one:
        return one.deploy(release)


@contextmanager
def _alone(version: Version) -> Iterator[None]:
    """Says what it means if the registry has a release already that is about to be noted."""
    from psycopg2 import Error

    try:
        yield
    except (Error, PatchError) as error:
        if not is_noted_already(error if isinstance(error, Error) else error.__cause__):
            raise
        raise LockedError(
            f"{version} was applied by another hop meanwhile; here it was rolled back", hint="hop shows the state"
        ) from error


def found_registry(
    database: Database,
    schema: PatchFile | None,
    *,
    version: Version = ORIGIN_VERSION,
    message: str,
    commit: str | None = None,
    author: str | None = None,
    tag: str | None = None,
    production: bool = False,
    lock_timeout: float = 0.0,
    finish: Finish | None = None,
    reporter: Reporter,
) -> None:
    """Begin the registry of a database at a release, after loading a schema if one is given, in one transaction."""
    with database.connect() as connection, cancelled_by_signals(connection), rolled_back_on_failure(connection):
        started_at, started = datetime.now(timezone.utc), time.perf_counter()
        step = check_schema(schema) if schema is not None else TransactionStep(())
        run = run_transaction(connection, step, root=Path.cwd, lock_timeout=lock_timeout, reporter=reporter)
        create_registry(connection, production=production)
        row = registry_row(
            version,
            message,
            commit=commit,
            author=author,
            tag=tag,
            started_at=started_at,
            seconds=time.perf_counter() - started,
        )
        insert_release(connection, row)
        if finish is not None:
            finish(connection)
        checkpoint("found.before_commit")
        commit_surely(
            connection,
            database,
            str(run.transaction),
            f"the schema of {version}",
            lambda again: has_release(again, version),
            reporter,
        )
        checkpoint("found.after_commit")
