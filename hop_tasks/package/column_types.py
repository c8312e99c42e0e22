"""Which SQLAlchemy type a column gets, so that rows can be written and read as a user expects."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Dialect, Row
from sqlalchemy.dialects.postgresql import ARRAY, DOMAIN
from sqlalchemy.types import NULLTYPE, NullType, String, TypeEngine

READABLE_ITEMS = frozenset(
    (
        *("bool", "bpchar", "bytea", "char", "cidr", "date", "daterange", "float4", "float8", "inet", "int2", "int4"),
        *("int4range", "int8", "int8range", "interval", "json", "jsonb", "macaddr", "name", "numeric", "numrange"),
        *("oid", "text", "time", "timestamp", "timestamptz", "timetz", "tsrange", "tstzrange", "uuid", "varchar"),
    )
)
"""The built-in types whose arrays psycopg2 reads as lists. It reads every other array as one text, of which
SQLAlchemy would make a list of characters."""


@dataclass(frozen=True)
class TypeFacts:
    """What the catalog says about a column's type.

    Attributes:
        declared: the type as PostgreSQL writes it.
        base: the type beneath all domains, as PostgreSQL writes it.
        base_name: its bare name.
        base_of_extension: whether an extension brought it.
        collation: the bare name of the column's collation, where it is not the type's own.
        item_name: for an array, the bare name of the type of its items.
        item_schema: the schema of that type.
        item_kind: its `pg_type.typtype`: b for base, e for enum, d for domain, c for composite.
    """

    declared: str
    base: str
    base_name: str
    base_of_extension: bool
    collation: str | None
    item_name: str | None
    item_schema: str | None
    item_kind: str | None

    @classmethod
    def from_row(cls, row: Row[Any]) -> TypeFacts:
        """The facts in a row of `columns.sql`."""
        return cls(**{field.name: getattr(row, field.name) for field in fields(cls)})

    @property
    def readable_array(self) -> bool:
        """Whether an array of this type is read as a list."""
        built_in = self.item_schema == "pg_catalog" and self.item_name in READABLE_ITEMS
        return built_in or self.item_kind == "e"


def usable_type(
    reflected: TypeEngine[Any], facts: TypeFacts, dialect: Dialect
) -> tuple[TypeEngine[Any], dict[str, str]]:
    """The type for a column, and the column's info: PostgreSQL's name of the type where the type does not tell it.

    A domain becomes the type beneath it: SQLAlchemy's DOMAIN neither converts values nor has that type's operators.
    """
    kind: Any = reflected
    while isinstance(kind, DOMAIN):
        kind = kind.data_type
    if isinstance(kind, ARRAY) and not facts.readable_array:
        kind = NULLTYPE
    if isinstance(kind, NullType) and facts.base_of_extension and facts.item_name is None:
        kind = _extension_type(facts, dialect)
    if getattr(kind, "collation", None) != facts.collation and isinstance(kind, String):
        # What SQLAlchemy reads depends on its version, and is "default" for a domain without a collation.
        kind = type(kind)(length=kind.length, collation=facts.collation)
    told = not isinstance(kind, NullType) and not isinstance(reflected, DOMAIN)
    return kind, {} if told else {"postgresql_type": facts.declared}


def _extension_type(facts: TypeFacts, dialect: Dialect) -> TypeEngine[Any]:
    """The type registered with SQLAlchemy for an extension's type, which it knows only when in the search path."""
    registered = getattr(dialect, "ischema_names", {}).get(facts.base_name)
    if registered is None:
        return NULLTYPE
    arguments = re.search(r"\(([^()\"]+)\)$", facts.base)
    words = [word.strip() for word in arguments.group(1).split(",")] if arguments else []
    try:
        made: TypeEngine[Any] = registered(*(int(word) if word.isdigit() else word for word in words))
    except TypeError:
        return NULLTYPE
    return made
