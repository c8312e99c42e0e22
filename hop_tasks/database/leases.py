"""Leases: who made a database for a while holds one on its name, and a database whose lease nobody holds is left over.

A lease is a session-level advisory lock of PostgreSQL, which is gone with the program that holds it, however it ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from hop_tasks.database.applications import holder_application
from hop_tasks.database.engines import Database
from hop_tasks.database.locks import lock_key
from hop_tasks.database.poolers import require_own_session

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


class Leases:
    """The leases of one program, on one connection in autocommit to the maintenance database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._held: set[str] = set()

    def take(self, name: str) -> bool:
        """Take the lease of a database; False if another program has it, or if this one has."""
        # A session is given a lock that it holds once more.
        if name in self._held or not self._ask("pg_try_advisory_lock", name):
            return False
        self._held.add(name)
        return True

    def give_back(self, name: str) -> None:
        """Give a lease back."""
        self._ask("pg_advisory_unlock", name)
        self._held.discard(name)

    def _ask(self, function: str, name: str) -> bool:
        # A key of its own: the lock of the same database is another matter.
        key = lock_key(f"lease of {name}")
        return bool(self._connection.exec_driver_sql(f"SELECT {function}(%s)", (key,)).scalar_one())


@contextmanager
def leasing(database: Database, purpose: str) -> Iterator[tuple[Connection, Leases]]:
    """A connection in autocommit to the maintenance database, and the leases that are held on it while the body runs.

    Its application_name says the `purpose`, a verb, and who it is, as that of a lock does. Raises DatabaseError behind
    a pooler that gives each statement another session.
    """
    from psycopg2 import Error

    with database.administer(application=holder_application(purpose, database.name)) as connection:
        require_own_session(database, connection)
        yield connection, Leases(connection)
        # A pooler keeps the session.
        with suppress(Error):
            connection.exec_driver_sql("SELECT pg_advisory_unlock_all()")
