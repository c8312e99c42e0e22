"""COMMIT, also when the connection is lost in the middle of it: the server is asked what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from hop_tasks.database.engines import Database, driver_connection
from hop_tasks.database.statements import is_standby
from hop_tasks.database.transactions import commit, has_answered, is_over
from hop_tasks.errors import DatabaseError, PatchError
from hop_tasks.report import Reporter
from hop_tasks.scripts import ROLLED_BACK

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

PATIENCE = 60.0
"""Seconds to wait for a server that went away during COMMIT: it may be starting again, or still be at it."""

PAUSE = 0.2

INVALID_PARAMETER_VALUE = "22023"

Finish = Callable[["Connection"], None]
"""What is done in a transaction just before its COMMIT."""

IsThere = Callable[["Connection"], bool]
"""Whether what a transaction has written is in the database."""


def commit_surely(
    connection: Connection,
    database: Database,
    transaction: str,
    what: str,
    is_there: IsThere,
    reporter: Reporter,
    *,
    closing: str = "",
) -> None:
    """Commit; when the connection is lost before the server has answered, find out whether it did.

    Args:
        connection: a connection in a transaction.
        database: its database, to connect to again.
        transaction: the transaction's id, of pg_current_xact_id().
        what: what is committed, for a person.
        is_there: whether something that the transaction has written is in the database.
        reporter: told when the connection is lost.
        closing: the last statements in it, which are run together with COMMIT.

    Returns when it is committed. Raises PatchError when it was rolled back, DatabaseError when the server does not say;
    with `closing` the driver's error when the server has refused that, or COMMIT.
    """
    from psycopg2 import Error

    raw = driver_connection(connection)
    try:
        if commit(connection, closing):
            return
    except Error as error:
        if closing and has_answered(raw):
            raise
        lines = str(error).strip().splitlines() or ["the connection was lost"]
        if is_over(raw):
            raise PatchError(f"{what}: at COMMIT: {lines[0]}; {ROLLED_BACK}", sqlstate=error.pgcode) from error
        reporter.warn(f"the connection was lost during COMMIT of {what} ({lines[0]}): asking the server for its fate")
        if not _committed(database, transaction, what, is_there):
            raise PatchError(f"{what}: the connection was lost during COMMIT; {ROLLED_BACK}") from error
        reporter.step(f"the server says that {what} is committed")
        return
    raise PatchError(f"{what}: the server did not take the COMMIT, since a statement had failed; {ROLLED_BACK}")


def _committed(database: Database, transaction: str, what: str, is_there: IsThere) -> bool:
    deadline = time.monotonic() + PATIENCE
    while True:
        answer = "does not answer"
        with suppress(DatabaseError), database.connect(autocommit=True) as connection:
            if is_standby(connection):
                answer = "is a standby, which need not know it yet,"
            elif not _in_progress(connection, transaction):
                # What it has written decides: after a crash another transaction may have been given its number.
                return is_there(connection)
            else:
                answer = "is still at it"
        if time.monotonic() > deadline:
            raise DatabaseError(
                f"the connection was lost during COMMIT of {what}, and the server {answer} after {PATIENCE:.0f} s: "
                "it is not known yet whether it is in the database",
                hint="when the server is back: hop shows it, and the same command goes on from there",
            )
        time.sleep(PAUSE)


def _in_progress(connection: Connection, transaction: str) -> bool:
    """Whether the transaction is neither committed nor rolled back."""
    from psycopg2 import Error

    try:
        status = connection.exec_driver_sql("SELECT pg_xact_status(%s::xid8)", (transaction,)).scalar_one()
    except Error as error:
        if error.pgcode != INVALID_PARAMETER_VALUE:
            raise
        return False  # "in the future": the server crashed before it had written anything of the transaction
    return bool(status == "in progress")
