"""Running the steps of a release: files in one transaction, or a statement by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

from hop_tasks.checkpoints import checkpoint
from hop_tasks.database.engines import driver_connection, settle_session
from hop_tasks.database.transactions import begin
from hop_tasks.report import Reporter
from hop_tasks.scripts.files import PSQL, PYTHON, PatchFile, ReleaseScripts
from hop_tasks.scripts.guards import Commit, TransactionGuard, session_settings
from hop_tasks.scripts.psql_files import check_psql
from hop_tasks.scripts.python_files import compile_python, run_python
from hop_tasks.scripts.sql_files import parse_sql, run_sql
from hop_tasks.scripts.steps import Part, StatementStep, Step, TransactionStep, cut_steps

if TYPE_CHECKING:
    from psycopg2.extensions import connection as DriverConnection

    from hop_tasks.database.connections import Connection
    from hop_tasks.scripts.statements import Statement


SEARCHED_SCHEMAS = """
    SELECT coalesce(string_agg(quote_ident(name), ', ' ORDER BY place), '')
    FROM unnest(current_schemas(false)) WITH ORDINALITY AS searched (name, place)
"""
"""The search path as it is in force: what "$user" stands for depends on the role, which a file may have set too."""


DRIVER_STYLE = "SET DateStyle TO ISO"
"""As the driver has it when it connects, whatever the role's or the database's is: it can read times in no other."""


@dataclass(frozen=True)
class FileRun:
    """What running one file came to: its path, seconds, and rows inserted, updated or deleted (SQL files only)."""

    path: str
    seconds: float
    rows: int


@dataclass(frozen=True)
class TransactionRun:
    """What running files in a transaction came to, and the transaction's id as the server has it."""

    files: tuple[FileRun, ...]
    transaction: str | None


@dataclass(frozen=True)
class CheckedScripts:
    """The scripts of a release that were read and parsed as far as that is possible without a database."""

    scripts: ReleaseScripts
    steps: tuple[Step, ...]

    @property
    def is_one_transaction(self) -> bool:
        """Whether all of it can be in one transaction."""
        return len(self.steps) <= 1 and all(isinstance(step, TransactionStep) for step in self.steps)


def check_scripts(scripts: ReleaseScripts) -> CheckedScripts:
    """Read and parse all files before the first is run. Raises PatchError with the place of the first fault."""
    return CheckedScripts(scripts, cut_steps([(file, _program(file)) for file in scripts.files]))


def check_schema(file: PatchFile) -> TransactionStep:
    """The statements of a schema file, which are one transaction. Raises PatchError with the place of a fault."""
    return TransactionStep((Part(file, parse_sql(file)),))


def run_transaction(
    connection: Connection,
    step: TransactionStep,
    *,
    root: Callable[[], Path],
    lock_timeout: float,
    reporter: Reporter,
    closing: Callable[[], str] | None = None,
    commit: Commit | None = None,
    settled: bool = False,
    begun: bool = False,
) -> TransactionRun:
    """Run files in a transaction, which is begun here unless it has `begun`; it is committed by `commit` or by the
    caller, who rolls back too, by `database.transactions`.

    Besides the statements of the files this is one round trip for BEGIN with what precedes the first file, one
    between two files, and one after the last, which is that of COMMIT with `commit`.

    Args:
        connection: a SQLAlchemy connection in no transaction; or with `begun` in one that the driver has begun.
        step: the files, or parts of them.
        root: gives the folder from which Python files import; asked only if there are any.
        lock_timeout: seconds that a statement waits for a lock.
        reporter: gets each file, its rows, and what the server said meanwhile.
        closing: makes a statement that runs together with the last check, and not at all if that fails.
        commit: commits together with the last check, and not at all if that fails.
        settled: whether all that the connection has done is another such transaction, to its end.
        begun: whether the files are to be part of the transaction that the connection is in.

    Raises PatchError with the place of what failed, LockedError if the command has lost its lock.
    """
    raw = driver_connection(connection)
    has_python = any(isinstance(part.program, CodeType) for part in step.parts)
    opening = "" if begun else begin(connection, by_driver=has_python)
    if has_python:
        # What Python files need takes long to import: it is there before the first file takes locks.
        _ = connection.core
    guard = TransactionGuard(connection, opening, lock_timeout, settled=settled)
    runs = []
    for part in step.parts:
        guard.begin_file(part.file)
        checkpoint("file.before")
        started = time.perf_counter()
        rows = 0
        if isinstance(part.program, CodeType):
            connection.exec_driver_sql(DRIVER_STYLE)
            run_python(connection.core, part.file, part.program, root())
        else:
            if part.settings:
                run_sql(raw, part.file, part.settings)
            rows = run_sql(raw, part.file, part.program)
        run = FileRun(part.file.path, time.perf_counter() - started, rows)
        checkpoint("file.after")
        _show_run(part.title, run, reporter)
        show_notices(raw, reporter)
        runs.append(run)
    guard.end(closing, commit)
    return TransactionRun(tuple(runs), guard.transaction)


def run_statement(connection: Connection, step: StatementStep, *, lock_timeout: float, reporter: Reporter) -> FileRun:
    """Run one statement by itself on a connection in autocommit. Raises PatchError with its place if it fails.

    A statement that keeps nobody waiting is not subject to `lock_timeout`, in seconds, itself.
    """
    raw = connection.driver
    settings = session_settings(raw.server_version, 0.0 if step.solo.waits_politely else lock_timeout)
    _freshen(connection)
    try:
        with raw.cursor() as cursor:
            for name, value in settings.items():
                cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
        run_sql(raw, step.file, step.settings)
        started = time.perf_counter()
        rows = run_sql(raw, step.file, (step.statement,))
    finally:
        _freshen(connection)
    run = FileRun(step.file.path, time.perf_counter() - started, rows)
    _show_run(step.title, run, reporter)
    show_notices(raw, reporter)
    return run


@contextmanager
def names_as_in(connection: Connection, step: StatementStep) -> Iterator[None]:
    """While the body runs, a name without a schema means on `connection` what it means in the step.

    Nothing else that its file has set is in force meanwhile. Raises PatchError if it cannot be set.
    """
    if not step.settings:
        yield
        return
    try:
        run_sql(driver_connection(connection), step.file, step.settings)
        path = connection.exec_driver_sql(SEARCHED_SCHEMAS).scalar_one()
    finally:
        _freshen(connection)
    connection.exec_driver_sql("SELECT set_config('search_path', %s, false)", (path,))
    try:
        yield
    finally:
        _freshen(connection)


def show_notices(connection: DriverConnection, reporter: Reporter) -> None:
    """Report what the server said since it was last asked, warnings as such."""
    notices: Sequence[str] = list(connection.notices)
    del connection.notices[:]
    for notice in notices:
        text = " ".join(notice.split())
        (reporter.warn if text.startswith("WARNING") else reporter.note)(text)


def _freshen(connection: Connection) -> None:
    """The session as it was when it began, and not ended for being idle: others may work for long before it goes on."""
    if not driver_connection(connection).closed:
        connection.exec_driver_sql("DISCARD ALL")
        connection.exec_driver_sql(DRIVER_STYLE)
        settle_session(connection, pooled=True)


def _show_run(title: str, run: FileRun, reporter: Reporter) -> None:
    reporter.step(f"{title} ({run.seconds:.2f} s{f', {run.rows} rows' if run.rows else ''})")


def _program(file: PatchFile) -> tuple[Statement, ...] | CodeType | None:
    if file.kind == PYTHON:
        return compile_python(file)
    if file.kind == PSQL:
        check_psql(file)
        return None
    return parse_sql(file)
