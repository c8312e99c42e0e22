"""Apply and undo for a role that may not create databases: in the database itself, from a dump of the base.

The base is loaded and the patch files run in one transaction, so that a file that fails leaves everything as it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from hop_tasks.checkpoints import checkpoint
from hop_tasks.database.activity import note_own_writes, note_writes
from hop_tasks.database.engines import driver_connection
from hop_tasks.database.interrupts import cancelled_by_signals
from hop_tasks.database.locks import require_lock
from hop_tasks.database.sessions import sessions_on
from hop_tasks.database.statements import execute
from hop_tasks.errors import DatabaseError, HopError
from hop_tasks.package import Synchronised, find_generator, synchronise
from hop_tasks.registry import complete_registry, insert_release
from hop_tasks.scripts import FileRun, TransactionStep, run_transaction
from hop_tasks.snapshots import hold_tables, load_dump
from hop_tasks.versions import Version
from hop_tasks.workflows.deploying import Deployed, deploy
from hop_tasks.workflows.dumping import keep_what_was_written
from hop_tasks.workflows.manner import Manner
from hop_tasks.workflows.reading import Deployable
from hop_tasks.workflows.registering import registry_row
from hop_tasks.workflows.replacing import Replaced
from hop_tasks.workflows.sync_package import synchronise_database
from hop_tasks.workflows.workspace import Workspace

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED = "55P03", "40P01"


def apply_in_place(
    workspace: Workspace, admin: Connection, base: Path, release: Deployable
) -> tuple[Deployed, Synchronised, Replaced]:
    """The base and a release in the database itself, as one transaction.

    A release that cannot be one comes after the base: where it fails, the steps before stay. Raises PatchError.
    """
    started_at, started = datetime.now(timezone.utc), time.perf_counter()
    manner = Manner.of(workspace)
    files: list[FileRun] = []

    def bring(connection: Connection) -> None:
        for step in release.scripts.steps:
            assert isinstance(step, TransactionStep)
            run = run_transaction(
                connection,
                step,
                root=release.root,
                lock_timeout=manner.lock_timeout,
                reporter=workspace.reporter,
                begun=True,
            )
            files.extend(run.files)
        row = registry_row(
            release.version,
            release.message,
            commit=release.commit,
            author=release.author,
            checksum=release.checksum,
            started_at=started_at,
            seconds=time.perf_counter() - started,
        )
        insert_release(connection, row)

    if release.scripts.is_one_transaction:
        package, kept = _load(workspace, admin, base, release.version, bring)
        deployed = Deployed(release.version, release.message, tuple(files), time.perf_counter() - started)
    else:
        _, kept = _load(workspace, admin, base, None, lambda _: None)
        try:
            deployed = deploy(workspace.database, release, manner, admin, workspace.reporter)
        except HopError:
            # The steps that were done are hop's work, which need not be kept when it is done again.
            with suppress(DatabaseError):
                note_writes(admin, workspace.database)
            raise
        package = synchronise_database(workspace.project, workspace.database, release.version)
    assert package is not None
    note_writes(admin, workspace.database)
    return deployed, package, Replaced(kept, ())


def undo_in_place(
    workspace: Workspace, admin: Connection, base: Path, version: Version, *, package: bool
) -> tuple[Synchronised | None, Replaced]:
    """The base alone in the database itself, as one transaction; and the package in step with it if that is asked."""
    synchronised, kept = _load(workspace, admin, base, version if package else None, lambda _: None)
    note_writes(admin, workspace.database)
    return synchronised, Replaced(kept, ())


def _load(
    workspace: Workspace,
    admin: Connection,
    base: Path,
    version: Version | None,
    then: Callable[[Connection], None],
) -> tuple[Synchronised | None, str | None]:
    """Load the base and do something more, in one transaction; before its end bring the package in step, for a
    release that is given. What was written by hand is kept before that. Returns what became of both.

    From the first statement to the last nobody else can write to a table, so that nothing is lost in between.
    """
    from psycopg2 import Error

    project, name = workspace.project, workspace.database.name
    package = None
    with workspace.database.connect() as connection, cancelled_by_signals(connection):
        execute(
            connection, "SET LOCAL lock_timeout = {timeout}", timeout=f"{project.settings.lock_timeout * 1000:.0f}ms"
        )
        # A dump may take long.
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        own = driver_connection(connection).info.backend_pid
        try:
            hold_tables(connection)
            kept = keep_what_was_written(workspace, admin, connection, own)
            checkpoint("load.kept")
            workspace.reporter.step(f"loading {base.name} into {name}")
            load_dump(connection, base)
        except Error as error:
            if error.pgcode not in (LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED):
                raise
            others = ", ".join(str(session) for session in sessions_on(admin, name) if session.pid != own)
            raise DatabaseError(
                f"other sessions hold locks in {name}: {others}; rolled back, the database is as it was",
                hint="end their transactions, and try again",
            ) from error
        with _alone_noted(workspace, admin, connection, own, kept):
            complete_registry(connection)
            note_own_writes(connection)
            then(connection)
            if version is not None:
                generator = find_generator(project.settings.generator)
                package = synchronise(project.package_folder, connection, generator, version)
        require_lock()
        checkpoint("load.before_commit")
        connection.commit()
        checkpoint("load.after_commit")
    return package, kept


@contextmanager
def _alone_noted(
    workspace: Workspace, admin: Connection, connection: Connection, own: int, kept: str | None
) -> Iterator[None]:
    """Where this fails, have what is rolled back, which counts as written, not be taken for written by hand.

    Only if nobody had written before, and nobody waits to write as soon as this is rolled back.
    """
    try:
        yield
    except HopError:
        if kept is None and all(session.pid == own for session in sessions_on(admin, workspace.database.name)):
            connection.close()
            with suppress(DatabaseError):
                note_writes(admin, workspace.database)
        raise
