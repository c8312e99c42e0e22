"""Making the meta tables and views, from SQL that was written before: SQLAlchemy takes long to import."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


def create_tables(connection: Connection) -> None:
    """Create the meta tables and views in the caller's transaction; what is there stays, with our columns added."""
    connection.exec_driver_sql(tables_statement(), as_is=True)


@cache
def tables_statement() -> str:
    """The SQL of `registry.tables.definition`, from its file."""
    return (files("hop_tasks.registry") / "tables.sql").read_text(encoding="utf-8")
