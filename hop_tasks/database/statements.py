"""Statements about databases and roles, with identifiers and literals quoted by the driver."""

from __future__ import annotations

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


def server_version(connection: Connection) -> int:
    """libpq's server_version number, such as 180006."""
    raw = connection.connection.driver_connection
    assert raw is not None
    return int(raw.server_version)


def is_standby(connection: Connection) -> bool:
    """Whether the server only follows another one."""
    return bool(connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar_one())
