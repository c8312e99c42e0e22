"""Statements about databases and roles, with identifiers and literals quoted by the driver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection


def execute(connection: Connection, statement: str, *identifiers: str, **literals: Any) -> None:
    """Run a statement; `{}` become quoted identifiers, `{name}` quoted literals, both by the driver."""
    from psycopg2 import sql

    composed = sql.SQL(statement).format(
        *(sql.Identifier(name) for name in identifiers), **{key: sql.Literal(value) for key, value in literals.items()}
    )
    raw = connection.connection.driver_connection
    assert raw is not None
    connection.exec_driver_sql(composed.as_string(raw).replace("%", "%%"))


@contextmanager
def in_transaction(connection: Connection) -> Iterator[None]:
    """One transaction on a connection in autocommit: committed at the end of the body, rolled back if that fails.

    Nothing more is raised where the connection is lost: the server rolls back then.
    """
    from sqlalchemy.exc import SQLAlchemyError

    connection.exec_driver_sql("BEGIN")
    try:
        yield
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        with suppress(SQLAlchemyError):
            connection.exec_driver_sql("ROLLBACK")
        raise


def server_version(connection: Connection) -> int:
    """libpq's server_version number, such as 180006."""
    raw = connection.connection.driver_connection
    assert raw is not None
    return int(raw.server_version)


def is_standby(connection: Connection) -> bool:
    """Whether the server only follows another one."""
    return bool(connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar_one())
