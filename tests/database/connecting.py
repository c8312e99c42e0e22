"""Connections of the tests, by the driver alone."""

from __future__ import annotations

from contextlib import closing

import psycopg2
from psycopg2 import sql
from sqlalchemy import URL


def connect(url: URL) -> psycopg2.extensions.connection:
    arguments = url.translate_connect_args(username="user", database="dbname")
    return psycopg2.connect(**arguments, **url.query)


def execute(url: URL, statement: sql.Composable) -> list[tuple[object, ...]]:
    with closing(connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
