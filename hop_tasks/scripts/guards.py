"""The same session state for each file, and no file that ends the transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hop_tasks.database.engines import IDLE_SESSION_SINCE
from hop_tasks.errors import PatchError
from hop_tasks.scripts.files import PatchFile
from hop_tasks.scripts.outcomes import ROLLED_BACK

if TYPE_CHECKING:
    from psycopg2.extensions import connection as DriverConnection

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


class TransactionGuard:
    """Gives each file the same session state, and finds a file that ended the transaction by whatever means.

    The transaction's id is compared, and not a transaction-local setting, since RESET ALL, which dumps and careful
    scripts contain, would remove a setting.
    """

    def __init__(self, connection: DriverConnection, lock_timeout: float) -> None:
        self._connection = connection
        self._last: PatchFile | None = None
        self.transaction: str | None = None
        """The transaction's id, once a file has begun."""
        settings = session_settings(connection.server_version, lock_timeout)
        # For after the commit: the next step, on another connection, may take long.
        idle = ["SET idle_session_timeout = 0"] if connection.server_version >= IDLE_SESSION_SINCE else []
        # One round trip a file.
        self._statement = "; ".join(
            [
                *FRESH_SESSION,
                *idle,
                *(f"SET LOCAL {name} = '{value}'" for name, value in settings.items()),
                "SELECT pg_current_xact_id()::text",
            ]
        )

    def begin_file(self, upcoming: PatchFile) -> None:
        """The state that a file begins with. Raises PatchError for what the file before it has left behind."""
        self._reset(self._statement)
        self._last = upcoming

    def end(self) -> None:
        """Raises PatchError for what the last file has left behind."""
        # What was deferred to the end of the transaction fails here, while it can still be told from where.
        self._reset(f"SET CONSTRAINTS ALL IMMEDIATE; {self._statement}")

    def _reset(self, statement: str) -> None:
        from psycopg2 import Error

        try:
            with self._connection.cursor() as cursor:
                cursor.execute(statement)
                row = cursor.fetchone()
        except Error as error:
            where = self._last.path if self._last else "the release"
            reason = error.diag.message_primary or (str(error).strip().splitlines() or ["the connection was lost"])[0]
            detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
            raise PatchError(
                f"{where}: at the end of the file: {reason}{detail}; {ROLLED_BACK}", sqlstate=error.pgcode
            ) from error
        transaction = str(row[0]) if row else None
        if self._last is not None and transaction != self.transaction:
            raise PatchError(
                f"{self._last.path}: it ended the release's transaction, what it had done before that is committed",
                hint="remove the COMMIT or ROLLBACK",
            )
        self.transaction = transaction
