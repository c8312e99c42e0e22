"""Looking into a database with nothing but the driver: what only reads, and is to answer at once, needs no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from hop_tasks.database.engines import Database, connect_arguments, explained
from hop_tasks.database.interrupts import cancellable

if TYPE_CHECKING:
    from psycopg2.extensions import connection as DriverConnection

    from hop_tasks.database.urls import Target


class Reading(Protocol):
    """What reads: a connection of SQLAlchemy, or a `Look`."""

    def exec_driver_sql(self, statement: str, parameters: Any = None, /) -> Any:
        """The rows of a statement, in the form of SQLAlchemy's results; parameters as the driver takes them."""


class Rows:
    """The rows of a statement, with those methods of SQLAlchemy's results that hop uses."""

    def __init__(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self._rows)

    def all(self) -> Sequence[tuple[Any, ...]]:
        """All rows."""
        return self._rows

    def first(self) -> tuple[Any, ...] | None:
        """The first row; None if there is none."""
        return self._rows[0] if self._rows else None

    def one(self) -> tuple[Any, ...]:
        """The only row."""
        (row,) = self._rows
        return row

    def scalar_one(self) -> Any:
        """The first column of the only row."""
        return self.one()[0]


class Look:
    """A connection in autocommit that only reads."""

    def __init__(self, connection: DriverConnection) -> None:
        self._connection = connection

    def exec_driver_sql(self, statement: str, parameters: Any = None, /) -> Rows:
        """The rows of a statement."""
        with closing(self._connection.cursor()) as cursor:
            cursor.execute(statement, parameters or ())
            return Rows(cursor.fetchall())


@contextmanager
def look_into(target: Target, database: str | None = None) -> Iterator[Reading]:
    """A connection in autocommit to the database that is meant, or to another one of its server.

    Raises DatabaseError if it cannot be reached, or for an error of the driver. There must be an URL.
    """
    address = target.address
    if address is None:
        assert target.url is not None
        meant = Database(target.url)
        with meant.beside(database or meant.name).connect(autocommit=True) as connection:
            yield connection
        return
    import psycopg2

    address = replace(address, database=database or address.database)
    arguments: dict[str, Any] = {**address.arguments, **connect_arguments(address.query)}
    try:
        with closing(psycopg2.connect(**arguments)) as raw, cancellable(raw):
            raw.autocommit = True
            yield Look(raw)
    except psycopg2.Error as error:
        raise explained(error, address.shown) from error
