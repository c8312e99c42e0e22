"""How large a database is, and how much room there is for more."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


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


def size_of(admin: Connection, name: str) -> int | None:
    """Bytes of a database of the server; None for one that is not there, or for a role that may not connect to it."""
    row = admin.exec_driver_sql(
        "SELECT CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_database_size(oid) END "
        "FROM pg_database WHERE datname = %s",
        (name,),
    ).first()
    return None if row is None or row[0] is None else int(row[0])


def free_space(admin: Connection, name: str) -> int | None:
    """Bytes that are free where the files of a database are; None where that cannot be known.

    It is known of a server on this machine, which a Unix socket tells, to a role that may see the server's folder.
    """
    from psycopg2 import Error

    try:
        folder = admin.exec_driver_sql(
            "SELECT coalesce(nullif(pg_tablespace_location(dattablespace), ''), current_setting('data_directory')) "
            "FROM pg_database WHERE datname = %s AND inet_server_addr() IS NULL",
            (name,),
        ).scalar()
    except Error:
        return None
    try:
        return None if folder is None else shutil.disk_usage(Path(folder)).free
    except OSError:
        return None
