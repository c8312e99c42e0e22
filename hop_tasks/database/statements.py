"""Statements about databases and roles, with identifiers and literals quoted by the driver."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlalchemy

    from hop_tasks.database.connections import Connection

    Execute = Connection | sqlalchemy.Connection

NAMED = re.compile(r"(?<![:\w]):([a-z]\w*)")
"""A parameter of a statement in a file; a cast has two colons."""


def execute(connection: Connection, statement: str, *identifiers: str, **literals: Any) -> None:
    """Run a statement; `{}` become quoted identifiers, `{name}` quoted literals, both by the driver."""
    from psycopg2 import sql

    composed = sql.SQL(statement).format(
        *(sql.Identifier(name) for name in identifiers), **{key: sql.Literal(value) for key, value in literals.items()}
    )
    connection.exec_driver_sql(composed.as_string(connection.driver), as_is=True)


def with_placeholders(text: str) -> str:
    """A statement that was written with parameters such as `:name`, in the form that the driver wants."""
    return NAMED.sub(r"%(\1)s", text.replace("%", "%%"))


def current_settings(connection: Execute, names: Iterable[str]) -> dict[str, str]:
    """The values of settings of the session."""
    wanted = tuple(names)
    calls = ", ".join("pg_catalog.current_setting(%s)" for _ in wanted)
    return dict(zip(wanted, connection.exec_driver_sql(f"SELECT {calls}", wanted).one(), strict=True))


def change_settings(connection: Execute, settings: Mapping[str, str], *, local: bool = True) -> None:
    """Change settings of the session; if `local`, until the transaction or savepoint ends."""
    calls = ", ".join("pg_catalog.set_config(%s, %s, %s)" for _ in settings)
    values = tuple(part for name, value in settings.items() for part in (name, value, local))
    connection.exec_driver_sql(f"SELECT {calls}", values)


@contextmanager
def in_transaction(connection: Connection) -> Iterator[None]:
    """One transaction on a connection in autocommit: committed at the end of the body, rolled back if that fails.

    Nothing more is raised where the connection is lost: the server rolls back then.
    """
    from psycopg2 import Error

    connection.exec_driver_sql("BEGIN")
    try:
        yield
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        with suppress(Error):
            connection.exec_driver_sql("ROLLBACK")
        raise


def server_version(connection: Connection) -> int:
    """libpq's server_version number, such as 180006."""
    return int(connection.driver.server_version)


def is_standby(connection: Connection) -> bool:
    """Whether the server only follows another one."""
    return bool(connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar_one())
