"""How large a database is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection


def database_size(connection: Connection) -> int:
    """Bytes of the connection's database, with its indexes."""
    return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())


def tables_size(connection: Connection) -> int:
    """Bytes of the tables and large objects of the connection's database, without indexes."""
    return int(
        connection.exec_driver_sql(
            """
            SELECT coalesce(sum(pg_table_size(c.oid)), 0)::bigint FROM pg_class c
            WHERE c.relkind = 'r' AND c.relpersistence <> 't'
              AND (c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
                   OR c.oid = 'pg_largeobject'::regclass)
            """
        ).scalar_one()
    )
