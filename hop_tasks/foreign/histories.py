"""Which other tools have noted their migrations in a database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hop_tasks.foreign.migrations import Tool

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

TABLES = {
    "flyway_schema_history": ("Flyway", (Tool.FLYWAY,)),
    "schema_migrations": ("dbmate or golang-migrate", (Tool.DBMATE, Tool.PLAIN)),
    "sqitch.changes": ("Sqitch", (Tool.SQITCH,)),
    "_yoyo_migration": ("yoyo", (Tool.YOYO,)),
    "graphile_migrate.migrations": ("graphile-migrate", (Tool.GRAPHILE,)),
    "alembic_version": ("Alembic", ()),
    "django_migrations": ("Django", ()),
    "databasechangelog": ("Liquibase", ()),
    "goose_db_version": ("goose", ()),
}
"""Table, with its schema where that is always the same -> the tool's name, and what `hop import` calls it."""

FIND = """
    SELECT nspname, relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind IN ('r', 'p') AND (relname = ANY (%(names)s) OR nspname || '.' || relname = ANY (%(names)s))
    ORDER BY 1, 2
"""


@dataclass(frozen=True)
class History:
    """A table in which a tool has noted migrations: the tool's name, what hop calls it, the table, and how many."""

    name: str
    tools: tuple[Tool, ...]
    table: str
    migrations: int


def read_histories(connection: Connection) -> tuple[History, ...]:
    """The histories of other tools that have at least one migration, in the connection's database."""
    from psycopg2 import sql

    found = []
    rows = connection.exec_driver_sql(FIND, {"names": list(TABLES)}).all()
    for schema, relation in rows:
        name, tools = TABLES.get(relation) or TABLES[f"{schema}.{relation}"]
        statement = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, relation))
        count = connection.exec_driver_sql(statement.as_string(connection.driver), as_is=True).scalar_one()
        if count:
            found.append(History(name, tools, f"{schema}.{relation}", count))
    return tuple(found)
