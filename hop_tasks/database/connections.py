"""One connection: the driver's own, with those methods of SQLAlchemy's Connection that hop uses.

SQLAlchemy takes longer to import than all that a short command does. So it is loaded only for what it is needed for:
its Core and what people write for it work on the same session, in the same transaction, by `Connection.core`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from psycopg2 import Error, OperationalError
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, TRANSACTION_STATUS_UNKNOWN
from psycopg2.extensions import connection as PsycopgConnection

if TYPE_CHECKING:
    import sqlalchemy

    from hop_tasks.database.addresses import Address

Row = tuple[Any, ...]
Parameters = Sequence[Any] | Mapping[str, Any]

LOST = "the connection was lost"


class DriverConnection(PsycopgConnection):
    """psycopg2's connection. As SQLAlchemy gets to know a server it rolls back, which here is left out while `held`."""

    held = False

    def rollback(self) -> None:
        """Roll back, unless held."""
        if not self.held:
            super().rollback()


class Rows:
    """The rows of a statement, all of them, with those methods of SQLAlchemy's results that hop uses.

    `rowcount` is the number of rows that it returned or changed.
    """

    def __init__(self, rows: Sequence[Row], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def all(self) -> Sequence[Row]:
        """All rows."""
        return self._rows

    def first(self) -> Row | None:
        """The first row; None if there is none."""
        return self._rows[0] if self._rows else None

    def one(self) -> Row:
        """The only row."""
        (row,) = self._rows
        return row

    def scalar(self) -> Any:
        """The first column of the first row; None if there is none."""
        return self._rows[0][0] if self._rows else None

    def scalar_one(self) -> Any:
        """The first column of the only row."""
        return self.one()[0]

    def scalars(self) -> Sequence[Any]:
        """The first column of all rows."""
        return [row[0] for row in self._rows]


class Connection:
    """A connection to one database. Its errors are the driver's, those of `core` SQLAlchemy's.

    Unless it is in autocommit, a transaction begins with the first statement, and ends with `commit` or `rollback`.

    Args:
        driver: psycopg2's connection.
        address: where it leads.
        another: opens one like it.
    """

    def __init__(self, driver: DriverConnection, address: Address, another: Callable[[], DriverConnection]) -> None:
        self.driver = driver
        self.address = address
        self._another = another
        self._core: sqlalchemy.Connection | None = None

    def exec_driver_sql(self, statement: str, parameters: Parameters | None = None, *, as_is: bool = False) -> Rows:
        """Run a statement, and fetch its rows.

        Args:
            statement: SQL, with the driver's placeholders; a percent sign is written twice.
            parameters: for the placeholders.
            as_is: send the statement as it is, with single percent signs; there are no parameters then.
        """
        if self.driver.closed:
            raise OperationalError(LOST)
        with self.driver.cursor() as cursor:
            cursor.execute(statement, None if as_is else parameters or ())
            return Rows(cursor.fetchall() if cursor.description is not None else (), cursor.rowcount)

    def execute(self, statement: sqlalchemy.Executable, parameters: Any = None) -> sqlalchemy.CursorResult[Any]:
        """Run a statement of SQLAlchemy's Core. Raises the driver's errors."""
        from sqlalchemy.exc import DBAPIError

        try:
            return self.core.execute(statement, parameters)
        except DBAPIError as error:
            if isinstance(error.orig, Error):
                raise error.orig from None
            raise

    @property
    def core(self) -> sqlalchemy.Connection:
        """SQLAlchemy's connection over this one, in the same transaction; it ends with it."""
        if self._core is None or self._core.closed:
            self._core = self._make_core()
        if self.in_transaction() and not self._core.in_transaction():
            # So that SQLAlchemy knows of it too.
            self._core.begin()
        return self._core

    def _make_core(self) -> sqlalchemy.Connection:
        from sqlalchemy import create_engine
        from sqlalchemy.pool import NullPool

        own = [self.driver]

        def connect() -> DriverConnection:
            """Give this connection first; others to whoever asks its engine for more."""
            return own.pop() if own else self._another()

        engine = create_engine(
            self.address.url,
            poolclass=NullPool,
            creator=connect,
            # It is looked for in a transaction, which not every pooler allows.
            use_native_hstore=not self.driver.autocommit,
        )
        begun = self.in_transaction()
        self.driver.held = True
        try:
            core = engine.connect()
        finally:
            self.driver.held = False
        if not begun:
            # What SQLAlchemy asked the server has begun a transaction.
            self.driver.rollback()
        return core

    @property
    def is_lost(self) -> bool:
        """Whether there is no session any more."""
        return bool(self.driver.closed)

    def in_transaction(self) -> bool:
        """Whether a transaction has begun, as far as the driver knows."""
        over = (TRANSACTION_STATUS_IDLE, TRANSACTION_STATUS_UNKNOWN)
        return not self.driver.closed and self.driver.info.transaction_status not in over

    @contextmanager
    def begin(self) -> Iterator[None]:
        """A transaction for the body: committed at its end, rolled back if it fails."""
        try:
            yield
        except BaseException:
            with suppress(Error):
                self.rollback()
            raise
        self.commit()

    def commit(self) -> None:
        """Commit what the driver has begun."""
        if self._core is not None and self._core.in_transaction():
            self._by_core(self._core.commit)
        self.driver.commit()

    def rollback(self) -> None:
        """Roll back what the driver has begun; nothing is to be done where the connection is lost."""
        if self.driver.closed:
            return
        if self._core is not None and self._core.in_transaction():
            self._by_core(self._core.rollback)
        self.driver.rollback()

    def _by_core(self, act: Any) -> None:
        from sqlalchemy.exc import DBAPIError

        try:
            act()
        except DBAPIError as error:
            raise error.orig or error from None

    def give_up(self) -> None:
        """Close it without a word to the server, which may not answer any more."""
        with suppress(Error):
            self.driver.close()

    def close(self) -> None:
        """Roll back what was not committed, and close."""
        try:
            if not self.driver.closed:
                self.driver.rollback()
        finally:
            if self._core is not None:
                self._close_core(self._core)
            self.driver.close()

    def _close_core(self, core: sqlalchemy.Connection) -> None:
        from sqlalchemy.exc import SQLAlchemyError

        with suppress(SQLAlchemyError, Error):
            if self.driver.closed:
                # SQLAlchemy would try to roll back, and log at length that it cannot.
                core.invalidate()
            core.close()
        self._core = None
