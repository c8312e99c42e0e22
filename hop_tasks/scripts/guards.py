"""The same session state for each file, no file that ends the transaction, and no release without the lock."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from hop_tasks.database.engines import IDLE_SESSION_SINCE, driver_connection
from hop_tasks.database.locks import lock_condition, lost_lock
from hop_tasks.errors import PatchError
from hop_tasks.scripts.files import PatchFile
from hop_tasks.scripts.outcomes import ROLLED_BACK

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

CONNECTION_CHECK_SINCE = 140000
"""client_connection_check_interval exists since PostgreSQL 14: a server that lost its client stops the statement."""

FRESH_SESSION = (
    "SET SESSION AUTHORIZATION DEFAULT",
    "RESET ALL",
    "DISCARD TEMP",
    "CLOSE ALL",
    "DEALLOCATE ALL",
    "UNLISTEN *",
)
"""What DISCARD ALL does, as far as a transaction allows it."""


def session_settings(server_version: int, lock_timeout: float) -> dict[str, str]:
    """The settings that a statement of a release runs with; `lock_timeout` in seconds."""
    settings = {"lock_timeout": str(round(lock_timeout * 1000))}
    if server_version >= CONNECTION_CHECK_SINCE:
        settings["client_connection_check_interval"] = "1s"
    return settings


LEXICAL = ("client_encoding", "standard_conforming_strings")
"""What the server goes by as it takes a message apart: before the first statement of the message has run."""

CHECK = """
    SELECT CASE WHEN pg_catalog.pg_stat_clear_snapshot() IS NULL THEN NULL
           WHEN pg_catalog.pg_current_xact_id() = '{transaction}' AND {held} THEN 0
           ELSE ('hop is in ' || pg_catalog.pg_current_xact_id()::text)::integer END
"""
"""What is no number fails, and whatever is run together with this is not done; the error says why. CASE gives the
order: PostgreSQL forgets its picture of the sessions, of which the condition asks, and has a fresh one then."""

Commit = Callable[[str, str], None]
"""Commits the transaction with this id, together with statements that are run just before."""

FOUND = re.compile(r"hop is in (\d+)")


@cache
def _fresh(server_version: int, lock_timeout: float) -> str:
    settings = {"idle_session_timeout": "0"} if server_version >= IDLE_SESSION_SINCE else {}
    settings |= session_settings(server_version, lock_timeout)
    return "; ".join([*FRESH_SESSION, *(f"SET {name} = '{value}'" for name, value in settings.items()), ""])


class TransactionGuard:
    """Gives each file the same session state, finds a file that ended the transaction by whatever means, and lets
    nothing be committed once the lock of the command is lost: one round trip a file.

    The transaction's id is compared, and not a transaction-local setting, since RESET ALL, which dumps and careful
    scripts contain, would remove a setting.

    Args:
        connection: a connection in a transaction that is about to begin.
        opening: what must stand before the first statement in it.
        lock_timeout: in seconds.
        settled: whether the session is as another guard has left it at its end.
    """

    def __init__(self, connection: Connection, opening: str, lock_timeout: float, *, settled: bool = False) -> None:
        self._connection = driver_connection(connection)
        self._lexical = self._read_lexical()
        self._last: PatchFile | None = None
        self.transaction: str | None = None
        """The transaction's id, once a file has begun."""
        self._fresh = _fresh(self._connection.server_version, lock_timeout)
        self._opening = opening if settled else f"{opening}{self._fresh}"

    def begin_file(self, upcoming: PatchFile | None) -> None:
        """The state that a file begins with. Raises PatchError for what the file before it has left behind."""
        found = self._run(f"{self._opening}SELECT pg_catalog.pg_current_xact_id()::text")
        if self.transaction is not None:
            self._require_same(found)
        self._opening, self.transaction, self._last = self._fresh, found, upcoming

    def end(self, closing: Callable[[], str] | None = None, commit: Commit | None = None) -> None:
        """Raises PatchError for what the last file has left behind, LockedError if the lock is lost.

        The statement that `closing` makes is run together with that check, and not at all if it fails; so is the COMMIT
        of `commit`.
        """
        if self.transaction is None:
            self.begin_file(None)
        if self._read_lexical() != self._lexical:
            self._run(f"{self._fresh}SELECT ''")
        check = CHECK.format(transaction=self.transaction, held=lock_condition())
        # What was deferred to the end of the transaction fails here, while it can still be told from where.
        ending = f"SET CONSTRAINTS ALL IMMEDIATE; {self._fresh}{check}; "
        if closing is not None:
            ending += f"{closing()}; "
        if commit is None:
            self._run(ending)
            return
        with self._explained():
            commit(str(self.transaction), ending)

    def _read_lexical(self) -> list[str | None]:
        """What the server has told the driver without being asked."""
        return [self._connection.info.parameter_status(name) for name in LEXICAL]

    def _run(self, statement: str) -> str | None:
        """Run it; the first thing in its row."""
        with self._explained(), self._connection.cursor() as cursor:
            cursor.execute(statement)
            row = cursor.fetchone() if cursor.description else None
            return str(row[0]) if row else None

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """The driver's errors, by the file that is to blame."""
        from psycopg2 import Error

        try:
            yield
        except Error as error:
            reason = error.diag.message_primary or (str(error).strip().splitlines() or ["the connection was lost"])[0]
            if found := FOUND.search(reason):
                self._require_same(found[1])
                raise lost_lock() from error
            detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
            raise PatchError(
                f"{self._where}: at the end of the file: {reason}{detail}; {ROLLED_BACK}", sqlstate=error.pgcode
            ) from error

    def _require_same(self, transaction: str | None) -> None:
        if transaction != self.transaction:
            raise PatchError(
                f"{self._where}: it ended the release's transaction, what it had done before that is committed",
                hint="remove the COMMIT or ROLLBACK",
            )

    @property
    def _where(self) -> str:
        return self._last.path if self._last else "the release"
