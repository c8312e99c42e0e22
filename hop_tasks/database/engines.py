"""Connections to one database and to its server, with the driver's errors in a person's words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hop_tasks.database.addresses import Address
from hop_tasks.database.applications import APPLICATION, application_at_work
from hop_tasks.database.interrupts import cancellable
from hop_tasks.errors import DatabaseError

if TYPE_CHECKING:
    from sqlalchemy import URL

    from hop_tasks.database.connections import Connection, DriverConnection

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
        place: where it is.
        maintenance: the database to connect to for creating, renaming and dropping databases.
    """

    place: Address | URL
    maintenance: str = "postgres"

    @property
    def address(self) -> Address:
        """Where it is, as the driver is told."""
        return Address.of(self.place)

    @property
    def url(self) -> URL:
        """The same for SQLAlchemy."""
        return self.address.url

    @property
    def name(self) -> str:
        """The database's name."""
        return self.address.database

    @property
    def shown(self) -> str:
        """The URL as a person writes it, with its password masked."""
        return self.address.shown

    def beside(self, name: str) -> Database:
        """Another database of the same server."""
        return Database(self.address.beside(name), self.maintenance)

    @contextmanager
    def connect(self, *, autocommit: bool = False, application: str | None = None) -> Iterator[Connection]:
        """A connection of its own, closed at the end; nothing is committed unless the caller does so.

        Its application_name is `application`, or what fits what is being done. Raises DatabaseError if the
        server cannot be reached, or for an error of the driver that nobody else explains.
        """
        import psycopg2

        from hop_tasks.database.connections import Connection, DriverConnection

        address = self.address
        arguments = {**address.arguments, **connect_arguments(address.query, application)}

        def open_driver() -> DriverConnection:
            driver: DriverConnection = psycopg2.connect(**arguments, connection_factory=DriverConnection)
            driver.set_session(isolation_level=None if autocommit else "READ COMMITTED", autocommit=autocommit)
            return driver

        with explain_errors(self.shown):
            driver = open_driver()
            connection = Connection(driver, address, open_driver)
            try:
                with cancellable(driver):
                    yield connection
            except BaseException:
                # A rollback on a connection that is lost would hide why the body has failed.
                with suppress(psycopg2.Error):
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
    """psycopg2's connection below one of hop's."""
    return connection.driver


@contextmanager
def explain_errors(shown: str) -> Iterator[None]:
    """Turns what the driver raises into DatabaseError; `shown` is the URL without its password."""
    from psycopg2 import Error

    try:
        yield
    except Error as error:
        raise explained(error, shown) from error
    except Exception as error:
        # What people write for SQLAlchemy, and hop with it, gets the driver's errors in a cover.
        if not isinstance(covered := getattr(error, "orig", None), Error):
            raise
        raise explained(covered, shown) from error


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
