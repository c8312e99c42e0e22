"""What the tables of a package are made from, read from the catalog in few queries."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

from hop_tasks.database.statements import with_placeholders
from hop_tasks.package.sessions import neutral_session

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hop_tasks.database.connections import Connection as HopConnection

EXCLUDED_SCHEMAS = ("information_schema", "half_orm_meta", "half_orm_meta.view")

BY_SCHEMA = ("columns.sql", "constraints.sql", "indexes.sql", "shapes.sql")


def read_relations(connection: Connection | HopConnection) -> list[Any]:
    """The user's relations, by schema and name."""
    return sorted(query(connection, "relations.sql", excluded=list(EXCLUDED_SCHEMAS)))


def query(connection: Connection | HopConnection, resource: str, **parameters: Sequence[str]) -> Sequence[Any]:
    """The rows of a query in a file of this package."""
    statement = resources.files(__package__).joinpath(resource).read_text(encoding="utf-8")
    return connection.exec_driver_sql(with_placeholders(statement), parameters).all()


def digest_inputs(connection: HopConnection) -> str:
    """A SHA-256, in hexadecimal, over all that `reflect_tables` reads: it differs where the tables may.

    SQLAlchemy's own queries are slow to compile; what they would read is read in another form.
    """
    with neutral_session(connection):
        relations = read_relations(connection)
        schemas = sorted({schema for schema, *_ in relations})
        found = [relations, *(query(connection, resource, schemas=schemas) for resource in BY_SCHEMA)]
    texts = [repr(_foreign_types()), *["\n".join(sorted(repr(tuple(row)) for row in rows)) for rows in found]]
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()


def _foreign_types() -> list[str]:
    """The types that SQLAlchemy knows from others: who imports a library of types has them registered there."""
    base = sys.modules.get("sqlalchemy.dialects.postgresql.base")
    names: Mapping[str, type] = getattr(base, "ischema_names", {})
    return sorted(name for name, kind in names.items() if not kind.__module__.startswith("sqlalchemy."))
