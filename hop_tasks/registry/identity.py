"""Which database it is, whatever its name: the id that its registry was given when it began."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection


def read_database_id(connection: Connection) -> str | None:
    """The id of the connection's database; None for one without a registry."""
    from sqlalchemy import select

    from hop_tasks.registry.tables import DATABASE

    if connection.exec_driver_sql("SELECT to_regclass('half_orm_meta.database') IS NULL").scalar_one():
        return None
    found: str | None = connection.execute(select(DATABASE.c.id).limit(1)).scalar()
    return found
