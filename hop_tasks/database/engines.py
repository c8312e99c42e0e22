"""Connections to one database and to its server, with the driver's errors in a person's words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hop_tasks.database.applications import APPLICATION, application_at_work
from hop_tasks.database.interrupts import cancellable
from hop_tasks.errors import DatabaseError

if TYPE_CHECKING:
    from psycopg2.extensions import connection as DriverConnection
    from sqlalchemy import URL, Connection

CONNECT_TIMEOUT = 10
"""Seconds to wait for a connection where the URL does not say; libpq itself would wait for ever."""

IDLE_SESSION_SINCE = 140000
"""idle_session_timeout exists since PostgreSQL 14."""

INSUFFICIENT_PRIVILEGE = "42501"
INVALID_CATALOG_NAME = "3D000"
NO_SUCH_DATABASE = re.compile(r'database "[^"]*" does not exist|no such database|bouncer config error')
"""What PostgreSQL and PgBouncer say; libpq gives no SQLSTATE for a connection that was never made."""

CLOSED = "server closed the connection"
"""What libpq says when a server dies, or PgBouncer in statement mode gets a BEGIN."""

DIRECT_URL = "give hop a direct URL of the server in HOP_DATABASE_URL"
"""What to do about a connection pooler in between."""

KEEPALIVES = {"tcp_keepalives_idle": "15", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
"""A session whose machine is gone ends within half a minute, with the lock that it may hold, and not in two hours."""


@dataclass(frozen=True)
class Database:
    """One database on one server.

    Attributes:
        url: how to reach it.
        maintenance: the database to connect to for creating, renaming and dropping databases.
    """

    url: URL
    maintenance: str = "postgres"

    @property
    def name(self) -> str:
        """The database's name."""
        return str(self.url.database)

    @property
    def shown(self) -> str:
        """The URL as a person writes it, with its password masked."""
        return shown_url(self.url)

    def beside(self, name: str) -> Database:
        """Another database of the same server."""
        return Database(self.url.set(database=name), self.maintenance)

    @contextmanager
    def connect(self, *, autocommit: bool = False, application: str | None = None) -> Iterator[Connection]:
        """A connection of its own, closed at the end; nothing is committed unless the caller does so.

        Its application_name is `application`, or what fits what is being done. Raises DatabaseError if the
        server cannot be reached, or for an error of the driver that nobody else explains.
        """
        from sqlalchemy import create_engine
        from sqlalchemy.exc import SQLAlchemyError
        from sqlalchemy.pool import NullPool

        engine = create_engine(
            self.url,
            poolclass=NullPool,
            connect_args=connect_arguments(self.url.query, application),
            isolation_level="AUTOCOMMIT" if autocommit else "READ COMMITTED",
            # It is looked for in a transaction, which not every pooler allows.
            use_native_hstore=not autocommit,
        )
        with explain_errors(self.shown):
            connection = engine.connect()
            try:
                with cancellable(driver_connection(connection)):
                    yield connection
            except BaseException:
                # A rollback on a connection that is lost would hide why the body has failed.
                with suppress(SQLAlchemyError):
                    connection.close()
                raise
            connection.close()

    @contextmanager
    def administer(self, *, application: str | None = None) -> Iterator[Connection]:
        """A connection in autocommit to the maintenance database."""
        with ExitStack() as stack:
            try:
                connection = stack.enter_context(
                    self.beside(self.maintenance).connect(autocommit=True, application=application)
                )
            except DatabaseError as error:
                if is_missing(error):
                    error.hint = maintenance_hint(self.maintenance)
                raise
            settle_session(connection)
            yield connection


def connect_arguments(query: Mapping[str, Any], application: str | None = None) -> dict[str, str | int]:
    """What the driver is told besides what a URL says, `query` being that part of it."""
    # In the start-up packet, so that RESET ALL returns to it.
    arguments: dict[str, str | int] = {"client_encoding": "utf8"}
    if "connect_timeout" not in query:
        arguments["connect_timeout"] = CONNECT_TIMEOUT
    named = application or application_at_work()
    if named is not None or "application_name" not in query:
        arguments["application_name"] = named or APPLICATION
    return arguments


def is_missing(error: DatabaseError) -> bool:
    """Whether a connection was not made because the server, or a pooler, has no such database."""
    return NO_SUCH_DATABASE.search(error.message) is not None


def maintenance_hint(name: str) -> str:
    """What to do about a maintenance database that is not there."""
    return (
        f"hop locks and creates databases from {name}: name one that is there in the setting maintenance_database; "
        f"behind a pooler such as PgBouncer, {DIRECT_URL}"
    )


def settle_session(connection: Connection, *, pooled: bool = False) -> None:
    """The settings of a session that is idle while others work, and may hold the lock meanwhile.

    Behind a pooler nothing is set, since others would get it, unless `pooled` says that the session is ours alone.
    """
    raw = driver_connection(connection)
    settings = dict(KEEPALIVES)
    if raw.server_version >= IDLE_SESSION_SINCE:
        settings["idle_session_timeout"] = "0"
    connection.exec_driver_sql(
        "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS wanted (name, value) "
        "WHERE %s OR pg_backend_pid() = %s",
        (list(settings), list(settings.values()), pooled, raw.info.backend_pid),
    )


def driver_connection(connection: Connection) -> DriverConnection:
    """psycopg2's connection below one of SQLAlchemy."""
    raw: DriverConnection = connection.connection.driver_connection  # type: ignore[assignment]
    return raw


def shown_url(url: URL) -> str:
    """A URL as a person writes it: without the driver, with the password masked, and with plain slashes."""
    return url.set(drivername="postgresql").render_as_string(hide_password=True).replace("%2F", "/")


@contextmanager
def explain_errors(shown: str) -> Iterator[None]:
    """Turns what the driver raises into DatabaseError; `shown` is the URL without its password."""
    from psycopg2 import Error
    from sqlalchemy.exc import DBAPIError, PendingRollbackError

    try:
        yield
    except DBAPIError as error:
        raise explained(error.orig, shown) from error
    except PendingRollbackError as error:
        # SQLAlchemy's word for a connection that is used again after it was lost.
        raise explained(Error("the connection was lost"), shown) from error
    except Error as error:
        raise explained(error, shown) from error


def explained(error: BaseException | None, shown: str) -> DatabaseError:
    """The DatabaseError that says what the driver's `error` means for a person."""
    code = getattr(error, "pgcode", None)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or ["unknown error"]
    text = lines[0].removeprefix("FATAL:").strip()
    if code == INSUFFICIENT_PRIVILEGE:
        return DatabaseError(f"a privilege is missing on {shown}: {text}", hint="ask the database's owner to GRANT it")
    if code is not None:
        return DatabaseError(f"the server refused ({code}) on {shown}: {text}", details=lines[1:])
    # libpq gives no SQLSTATE for a connection that was never made or was lost.
    hint = "see whether the server runs and HOP_DATABASE_URL is right"
    if CLOSED in str(error):
        hint += f"; behind a pooler such as PgBouncer in statement mode, {DIRECT_URL}"
    return DatabaseError(f"no connection to {shown}: {' '.join(lines)}", hint=hint)
