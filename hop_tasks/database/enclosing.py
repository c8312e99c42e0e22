"""A connection of the driver whose commits and rollbacks stay inside one transaction, which is never committed.

What a program commits is a savepoint that is released, what it rolls back is rolled back to it: code under test may do
both, and in the end nothing of it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from psycopg2 import InterfaceError, OperationalError
from psycopg2.errors import InvalidSavepointSpecification, NoActiveSqlTransaction
from psycopg2.extensions import TRANSACTION_STATUS_INERROR
from psycopg2.extensions import connection as DriverConnection
from sqlalchemy import URL, Connection, Engine, create_engine
from sqlalchemy.pool import StaticPool

from hop_tasks.errors import StateError

SAVEPOINT = "hop_enclosed"

DEFERRED = """
    SELECT string_agg(format('%I.%I', nspname, conname), ', ')
    FROM pg_constraint JOIN pg_namespace ON pg_namespace.oid = connamespace
    WHERE condeferred
"""
"""The constraints that are checked at COMMIT, quoted by the server."""


class EnclosedConnection(DriverConnection):
    """A connection of psycopg2, made with it as `connection_factory`; an ordinary one until `enclose`."""

    _enclosed = False

    def enclose(self) -> None:
        """Begin the transaction in which all that follows stays."""
        super().rollback()
        self._run(f"SAVEPOINT {SAVEPOINT}")
        self._enclosed = True

    def commit(self) -> None:
        """Keep what was done for the rest of the enclosing transaction; what is checked at COMMIT is checked now."""
        if not self._enclosed:
            super().commit()
        elif self.info.transaction_status == TRANSACTION_STATUS_INERROR:
            # As the server answers COMMIT in a transaction that has failed.
            self.rollback()
        else:
            try:
                self._check_deferred()
            except BaseException:
                # A COMMIT that fails has rolled back.
                self.rollback()
                raise
            self._run(f"RELEASE SAVEPOINT {SAVEPOINT}; SAVEPOINT {SAVEPOINT}")

    def rollback(self) -> None:
        """Undo what was done since the last commit."""
        if self._enclosed:
            self._run(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")
        else:
            super().rollback()

    def disclose(self) -> None:
        """Roll the enclosing transaction back, whole; it is an ordinary connection again.

        Raises StateError if a COMMIT or ROLLBACK in SQL has ended that transaction before.
        """
        self._enclosed = False
        # Of a session that was lost the server has rolled everything back.
        with suppress(InterfaceError, OperationalError):
            try:
                self._run(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")
            finally:
                super().rollback()

    def _check_deferred(self) -> None:
        with self.cursor() as cursor:
            cursor.execute(DEFERRED)
            row = cursor.fetchone()
            if row and row[0]:
                # Deferred again after the check, as they are in a new transaction.
                cursor.execute(f"SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS {row[0]} DEFERRED")

    def _run(self, statements: str) -> None:
        try:
            with self.cursor() as cursor:
                cursor.execute(statements)
        except (InvalidSavepointSpecification, NoActiveSqlTransaction):
            raise StateError(
                "a COMMIT or ROLLBACK in SQL has ended the transaction that this connection was in; what was written "
                "may stay in the database",
                hint="use the methods commit and rollback, which stay inside; or take a database of its own for this",
            ) from None


def enclosing_engine(url: URL) -> Engine:
    """An engine for `enclosed`: at any time it has one connection, which all who ask for one share."""
    return create_engine(url, poolclass=StaticPool, connect_args={"connection_factory": EnclosedConnection})


@contextmanager
def enclosed(engine: Engine) -> Iterator[Connection]:
    """A new connection whose commits stay inside a transaction that is rolled back at the end.

    So do those of all connections that its engine gives meanwhile. Raises StateError if SQL has ended the transaction.
    """
    connection = engine.connect()
    try:
        raw = connection.connection.driver_connection
        assert isinstance(raw, EnclosedConnection)
        raw.enclose()
        try:
            yield connection
        finally:
            raw.disclose()
    finally:
        connection.close()
        engine.dispose()
