"""What the tables of a package are made from, read from the catalog in few queries."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

from hop_tasks.package.sessions import neutral_session

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

EXCLUDED_SCHEMAS = ("information_schema", "half_orm_meta", "half_orm_meta.view")

BY_SCHEMA = ("columns.sql", "constraints.sql", "indexes.sql", "shapes.sql")


def read_relations(connection: Connection) -> list[Row[Any]]:
    """The user's relations, by schema and name."""
    return sorted(query(connection, "relations.sql", excluded=list(EXCLUDED_SCHEMAS)))


def query(connection: Connection, resource: str, **parameters: Sequence[str]) -> Sequence[Row[Any]]:
    """The rows of a query in a file of this package."""
    from sqlalchemy import text

    statement = resources.files(__package__).joinpath(resource).read_text(encoding="utf-8")
    return connection.execute(text(statement), parameters).all()


def digest_inputs(connection: Connection) -> str:
    """A SHA-256, in hexadecimal, over all that `reflect_tables` reads: it differs where the tables may.

    SQLAlchemy's own queries are slow to compile; what they would read is read in another form.
    """
    with neutral_session(connection):
        relations = read_relations(connection)
        schemas = sorted({relation.schema for relation in relations})
        found = [relations, *(query(connection, resource, schemas=schemas) for resource in BY_SCHEMA)]
    # Who imports a library of types has them registered with SQLAlchemy, which then knows them.
    known = sorted(getattr(connection.dialect, "ischema_names", ()))
    texts = [repr(known), *["\n".join(sorted(repr(tuple(row)) for row in rows)) for rows in found]]
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()
