"""Transactions whose BEGIN travels with the first statement in them: a round trip less than by the driver's own way.

The driver does not know of such a transaction, so that it must be ended here too, and not by its methods. Where code of
users gets the connection, the driver begins and ends it as always, and they find what they expect.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from hop_tasks.database.engines import driver_connection

if TYPE_CHECKING:
    from psycopg2.extensions import connection as DriverConnection

    from hop_tasks.database.connections import Connection

BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED; "


def begin(connection: Connection, *, by_driver: bool) -> str:
    """Begin a transaction on a connection that is in none; what must stand before the first statement in it.

    That is nothing with `by_driver`: the driver sends its own BEGIN before that statement.
    """
    raw = driver_connection(connection)
    if raw.autocommit == by_driver:
        raw.autocommit = not by_driver
    return "" if by_driver else BEGIN


def commit(connection: Connection, closing: str = "") -> bool:
    """Commit; False if the server rolled back instead, since a statement had failed. Raises the driver's errors.

    `closing`, which ends with a semicolon, is run just before COMMIT, with it where that is possible. If it fails there
    is no COMMIT, and the transaction is still to be rolled back.
    """
    raw = driver_connection(connection)
    done = True
    with _given_up_if_lost(connection, raw):
        if raw.autocommit:
            with raw.cursor() as cursor:
                cursor.execute(f"{closing}COMMIT")
                done = cursor.statusmessage == "COMMIT"
        else:
            if closing:
                with raw.cursor() as cursor:
                    cursor.execute(closing)
            connection.commit()
    return done


def rollback(connection: Connection) -> None:
    """Roll back what was not committed, and wait until that is done; a lost connection raises the driver's errors."""
    from psycopg2.extensions import TRANSACTION_STATUS_INERROR, TRANSACTION_STATUS_INTRANS

    if connection.is_lost:
        return
    raw = driver_connection(connection)
    with _given_up_if_lost(connection, raw):
        if raw.autocommit and raw.info.transaction_status in (TRANSACTION_STATUS_INERROR, TRANSACTION_STATUS_INTRANS):
            with raw.cursor() as cursor:
                cursor.execute("ROLLBACK")
        else:
            connection.rollback()


def is_over(connection: DriverConnection) -> bool:
    """Whether the server has said that there is no transaction any more.

    Where it went away without a word, the driver may not know yet that the connection is lost.
    """
    from psycopg2.extensions import TRANSACTION_STATUS_IDLE

    return not connection.closed and connection.info.transaction_status == TRANSACTION_STATUS_IDLE


def has_answered(connection: DriverConnection) -> bool:
    """Whether the server has said what became of the last statement: that it failed, or ended the transaction."""
    from psycopg2.extensions import TRANSACTION_STATUS_IDLE, TRANSACTION_STATUS_INERROR

    answers = (TRANSACTION_STATUS_IDLE, TRANSACTION_STATUS_INERROR)
    return not connection.closed and connection.info.transaction_status in answers


@contextmanager
def _given_up_if_lost(connection: Connection, raw: DriverConnection) -> Iterator[None]:
    """A connection on which the server does not answer the body is lost; nobody tries to put it in order."""
    try:
        yield
    finally:
        if not has_answered(raw):
            connection.give_up()


@contextmanager
def rolled_back_on_failure(connection: Connection) -> Iterator[None]:
    """Rolls back what the body has not committed if it fails, where the connection is still there."""
    from psycopg2 import Error

    try:
        yield
    except BaseException:
        with suppress(Error):
            rollback(connection)
        raise
