"""Connections to one database and to its server, with the driver's errors in a person's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hop_tasks.errors import DatabaseError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

APPLICATION = "hop"
"""The application_name of hop's sessions."""

CONNECT_TIMEOUT = 10
"""Seconds to wait for a connection where the URL does not say; libpq itself would wait for ever."""

IDLE_SESSION_SINCE = 140000
"""idle_session_timeout exists since PostgreSQL 14."""

INSUFFICIENT_PRIVILEGE = "42501"
INVALID_CATALOG_NAME = "3D000"


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
    def connect(self, *, autocommit: bool = False) -> Iterator[Connection]:
        """A connection of its own, closed at the end; nothing is committed unless the caller does so.

        Raises DatabaseError if the server cannot be reached, or for an error of the driver that nobody else explains.
        """
        from sqlalchemy import create_engine
        from sqlalchemy.pool import NullPool

        # In the start-up packet, so that RESET ALL returns to it.
        arguments: dict[str, Any] = {"client_encoding": "utf8"}
        if "connect_timeout" not in self.url.query:
            arguments["connect_timeout"] = CONNECT_TIMEOUT
        if "application_name" not in self.url.query:
            arguments["application_name"] = APPLICATION
        engine = create_engine(
            self.url,
            poolclass=NullPool,
            connect_args=arguments,
            isolation_level="AUTOCOMMIT" if autocommit else "READ COMMITTED",
        )
        with explain_errors(self.shown), engine.connect() as connection:
            yield connection

    @contextmanager
    def administer(self) -> Iterator[Connection]:
        """A connection in autocommit to the maintenance database."""
        with self.beside(self.maintenance).connect(autocommit=True) as connection:
            raw = connection.connection.driver_connection
            if raw is not None and raw.server_version >= IDLE_SESSION_SINCE:
                # It is idle while patch files run, and may hold the lock meanwhile.
                connection.exec_driver_sql("SET idle_session_timeout = 0")
            yield connection


def shown_url(url: URL) -> str:
    """A URL as a person writes it: without the driver, with the password masked, and with plain slashes."""
    return url.set(drivername="postgresql").render_as_string(hide_password=True).replace("%2F", "/")


@contextmanager
def explain_errors(shown: str) -> Iterator[None]:
    """Turns what the driver raises into DatabaseError; `shown` is the URL without its password."""
    from psycopg2 import Error
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except DBAPIError as error:
        raise explained(error.orig, shown) from error
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
    return DatabaseError(
        f"no connection to {shown}: {' '.join(lines)}",
        hint="see whether the server runs and HOP_DATABASE_URL is right",
    )
