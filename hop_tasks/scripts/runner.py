"""Running all the files of a release in one transaction, each from the same session state."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

from hop_tasks.errors import PatchError
from hop_tasks.report import Reporter
from hop_tasks.scripts.files import PSQL, PYTHON, PatchFile, ReleaseScripts
from hop_tasks.scripts.python_files import compile_python, run_python
from hop_tasks.scripts.sql_files import NOTHING_RUN, ROLLED_BACK, parse_sql, run_sql

if TYPE_CHECKING:
    from psycopg2.extensions import connection as DriverConnection
    from sqlalchemy import Connection

    from hop_tasks.scripts.statements import Statement

CONNECTION_CHECK_SINCE = 140000
"""client_connection_check_interval exists since PostgreSQL 14: a server that lost its client stops the statement."""


@dataclass(frozen=True)
class FileRun:
    """What running one file came to: its path, seconds, and rows inserted, updated or deleted (SQL files only)."""

    path: str
    seconds: float
    rows: int


@dataclass(frozen=True)
class CheckedScripts:
    """The scripts of a release that were read and parsed as far as that is possible without a database."""

    scripts: ReleaseScripts
    programs: tuple[tuple[PatchFile, tuple[Statement, ...] | CodeType], ...]


def check_scripts(scripts: ReleaseScripts) -> CheckedScripts:
    """Read and parse all files before the first is run. Raises PatchError with the place of the first fault."""
    return CheckedScripts(scripts, tuple((file, _program(file)) for file in scripts.files))


def run_scripts(
    connection: Connection,
    checked: CheckedScripts,
    *,
    root: Callable[[], Path],
    lock_timeout: float,
    reporter: Reporter,
) -> tuple[FileRun, ...]:
    """Run the files of a release in the transaction that `connection` is in; the caller commits or rolls back.

    Args:
        connection: a SQLAlchemy connection in a transaction.
        checked: the files.
        root: gives the folder from which Python files import; asked only if there are any.
        lock_timeout: seconds that a statement waits for a lock.
        reporter: gets each file, its rows, and what the server said meanwhile.

    Raises PatchError with the place of what failed.
    """
    raw: DriverConnection = connection.connection.driver_connection  # type: ignore[assignment]
    guard = _TransactionGuard(raw, lock_timeout)
    runs = []
    for file, program in checked.programs:
        guard.reset_session(file)
        started = time.perf_counter()
        rows = 0
        if isinstance(program, CodeType):
            run_python(connection, file, program, root())
        else:
            rows = run_sql(raw, file, program)
        run = FileRun(file.path, time.perf_counter() - started, rows)
        reporter.step(f"{run.path} ({run.seconds:.2f} s{f', {rows} rows' if rows else ''})")
        _show_notices(raw, reporter)
        runs.append(run)
    guard.reset_session(None)
    return tuple(runs)


class _TransactionGuard:
    """Gives each file the same session state, and finds a file that ended the transaction by whatever means.

    The transaction's id is compared, and not a transaction-local setting, since RESET ALL, which dumps and careful
    scripts contain, would remove a setting.
    """

    def __init__(self, connection: DriverConnection, lock_timeout: float) -> None:
        self._connection = connection
        self._transaction: str | None = None
        self._last: PatchFile | None = None
        milliseconds = round(lock_timeout * 1000)
        local = [f"SET LOCAL lock_timeout = {milliseconds:d}"]
        if connection.server_version >= CONNECTION_CHECK_SINCE:
            local.append("SET LOCAL client_connection_check_interval = '1s'")
        # One round trip a file.
        self._statement = "; ".join(
            [
                "SET SESSION AUTHORIZATION DEFAULT",
                "RESET ALL",
                *("DISCARD TEMP", "CLOSE ALL", "DEALLOCATE ALL", "UNLISTEN *"),
                *local,
                "SELECT pg_current_xact_id()::text",
            ]
        )

    def reset_session(self, upcoming: PatchFile | None) -> None:
        from psycopg2 import Error

        # What was deferred to the end of the transaction fails here, while it can still be told from where.
        statement = self._statement if upcoming else f"SET CONSTRAINTS ALL IMMEDIATE; {self._statement}"
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(statement)
                row = cursor.fetchone()
        except Error as error:
            where = self._last.path if self._last else "the release"
            reason = error.diag.message_primary or (str(error).strip().splitlines() or ["the connection was lost"])[0]
            detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
            raise PatchError(f"{where}: at the end of the file: {reason}{detail}; {ROLLED_BACK}") from error
        transaction = str(row[0]) if row else None
        if self._last is not None and transaction != self._transaction:
            raise PatchError(
                f"{self._last.path}: it ended the release's transaction, what it had done before that is committed",
                hint="remove the COMMIT or ROLLBACK",
            )
        self._transaction, self._last = transaction, upcoming


def _program(file: PatchFile) -> tuple[Statement, ...] | CodeType:
    if file.kind == PYTHON:
        return compile_python(file)
    if file.kind == PSQL:
        raise PatchError(
            f"{file.path}: a psql script cannot be part of the release's transaction; {NOTHING_RUN}",
            hint="write it as plain SQL in a .sql file",
        )
    return parse_sql(file)


def _show_notices(connection: DriverConnection, reporter: Reporter) -> None:
    notices: Sequence[str] = list(connection.notices)
    del connection.notices[:]
    for notice in notices:
        text = " ".join(notice.split())
        (reporter.warn if text.startswith("WARNING") else reporter.note)(text)
