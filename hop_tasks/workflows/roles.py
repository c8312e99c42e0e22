"""Whether the role that hop connects as can make databases, and what is said if it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hop_tasks.errors import DatabaseError

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

GRANT = "ALTER ROLE {} CREATEDB, by a superuser; or the embedded server, without HOP_DATABASE_URL"
"""What to do about a role that may not create databases."""


def may_create_databases(admin: Connection) -> bool:
    """Whether the role can make copies of databases."""
    return bool(
        admin.exec_driver_sql("SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user").scalar_one()
    )


def require_databases(admin: Connection, verb: str) -> None:
    """Raises DatabaseError for a verb that needs a database of its own and a role that may not create one."""
    if not may_create_databases(admin):
        role = role_of(admin)
        raise DatabaseError(
            f"{verb} needs a database of its own, and role {role} may not create one (CREATEDB); nothing was changed",
            hint=GRANT.format(role),
        )


def role_of(connection: Connection) -> str:
    """The role's name."""
    return str(connection.exec_driver_sql("SELECT current_user").scalar_one())
