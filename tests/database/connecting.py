"""Connections of the tests, by the driver alone, or as hop has them."""

from __future__ import annotations

from contextlib import closing

import psycopg2
from psycopg2 import sql
from sqlalchemy import URL, Connection

from hop_tasks.database.addresses import Address
from hop_tasks.database.connections import Connection as HopConnection


def connect(url: URL) -> psycopg2.extensions.connection:
    arguments = url.translate_connect_args(username="user", database="dbname")
    return psycopg2.connect(**arguments, **url.query)


def execute(url: URL, statement: sql.Composable) -> list[tuple[object, ...]]:
    with closing(connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


def over(core: Connection) -> HopConnection:
    """A connection of SQLAlchemy as one of hop's."""
    driver = core.connection.driver_connection
    made = HopConnection(driver, Address.of(core.engine.url), core.engine.raw_connection)  # type: ignore[arg-type]
    made._core = core
    return made
