"""Which database it is, whatever its name: the id that its registry was given when it began."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


def read_database_id(connection: Connection) -> str | None:
    """The id of the connection's database; None for one without a registry."""
    if connection.exec_driver_sql("SELECT to_regclass('half_orm_meta.database') IS NULL").scalar_one():
        return None
    found: str | None = connection.exec_driver_sql("SELECT id FROM half_orm_meta.database LIMIT 1").scalar()
    return found
