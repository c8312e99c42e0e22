"""The rows of reference tables as text: the same bytes for the same rows, whatever the session and the server's locale.

A table is read by its primary key in the order of bytes, or by all of a row where it has none; a partitioned table by
its root, and a table that others inherit from without them. Generated columns are left out.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from hop_tasks.catalog.introspection import SETTINGS
from hop_tasks.database.statements import change_settings, with_placeholders
from hop_tasks.errors import ProjectError

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

SETTING = "reference_data"
PUBLIC = "public"
TABLES = ("r", "p")
KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table", "S": "a sequence", "c": "a type"}
REGISTRY = re.compile(r"half_orm_meta(\.view)?|pg_.*|information_schema")
PART = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([^".]+?))\s*(\.|$)')

HEAD = """
--
-- Reference data: the rows of the tables that the setting reference_data names
--

SET DateStyle = 'ISO, MDY';
SET IntervalStyle = 'postgres';
SET lc_monetary = 'C';
"""


@dataclass(frozen=True)
class ReferenceTable:
    """A table whose rows are part of a release, with the tables that it is a partition of."""

    oid: int
    schema: str
    name: str
    ancestors: tuple[int, ...]


def read_reference_data(connection: Connection, names: Sequence[str]) -> str:
    """The rows of tables as SQL: `COPY … FROM stdin` blocks and the numbers that their sequences have reached.

    Args:
        connection: a connection that nothing was run on yet; its transaction gets settings of its own.
        names: the tables, such as `shop.country`, `country` for one in the schema public, or `"Shop"."Country"`.

    Raises ProjectError for a name that is no table's, or for a foreign key to a table whose rows are not among these.
    """
    connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    change_settings(connection, {**SETTINGS, "row_security": "off"})
    tables = find_reference_tables(connection, names)
    _require_self_contained(connection, tables)
    return "".join([HEAD, *(_rows(connection, table) for table in tables)])


def find_reference_tables(connection: Connection, names: Sequence[str]) -> tuple[ReferenceTable, ...]:
    """The tables that go by these names, sorted by name, each once; partitions of one among them are left out.

    Raises ProjectError that names the setting for one that is not there, or that is not a table of the project's own.
    """
    found = {table.oid: table for table in (_find(connection, name) for name in names)}
    roots = [table for table in found.values() if not found.keys() & set(table.ancestors)]
    return tuple(sorted(roots, key=lambda table: (table.schema, table.name)))


def _find(connection: Connection, text: str) -> ReferenceTable:
    for schema, name in _meanings(text):
        rows = _run(connection, "reference_candidate.sql", schema=schema, name=name)
        if not rows:
            continue
        oid, kind, of_extension, ancestors = rows[0]
        problem = None
        if kind not in TABLES:
            problem = f"is {KINDS.get(kind, 'not a table')}"
        elif of_extension:
            problem = "belongs to an extension, which brings its rows along"
        elif REGISTRY.fullmatch(schema):
            problem = "is none of the project's own tables"
        if problem is None:
            return ReferenceTable(oid, schema, name, tuple(ancestors))
        raise _wrong(f"{text}, which {problem}")
    raise _wrong(f"{text}, which is no table of this database")


def _wrong(what: str) -> ProjectError:
    return ProjectError(
        f"the setting {SETTING} names {what}; nothing was changed",
        hint=f"correct {SETTING} in [tool.hop] of pyproject.toml: names such as shop.country",
    )


def _meanings(text: str) -> list[tuple[str, str]]:
    """The schemas and names that a text can mean: as it is written, then in lower case what is not in quotes."""
    parts, at = [], 0
    while match := PART.match(text, at):
        parts.append((match[1].replace('""', '"'), True) if match[1] else (match[2], False))
        at = match.end()
        if not match[3]:
            break
    if at != len(text) or len(parts) not in (1, 2):
        raise _wrong(f"{text!r}, which is not written as a table's name")
    if len(parts) == 1:
        parts.insert(0, (PUBLIC, True))
    exact = tuple(name for name, _ in parts)
    folded = tuple(name if quoted else name.lower() for name, quoted in parts)
    return [(one[0], one[1]) for one in dict.fromkeys((exact, folded))]


def _require_self_contained(connection: Connection, tables: Sequence[ReferenceTable]) -> None:
    oids = [table.oid for table in tables]
    for table, key, other, query in _run(connection, "reference_foreign_keys.sql", oids=oids):
        if connection.exec_driver_sql(query, as_is=True).scalar_one():
            raise ProjectError(
                f"the rows of {table}, which the setting {SETTING} names, refer to rows of {other}, which it does not "
                f"name ({key}): the schema file could not be loaded; nothing was changed",
                hint=f"add {other} to {SETTING} in [tool.hop] of pyproject.toml, or take {table} out",
            )


def _rows(connection: Connection, table: ReferenceTable) -> str:
    """The block of one table, in the form of pg_dump's, and the numbers of its sequences."""
    ((load, read),) = _run(connection, "reference_table.sql", oid=table.oid)
    rows = io.StringIO()
    raw: Any = connection.driver
    with raw.cursor() as cursor:
        cursor.copy_expert(read, rows)
    text = f"\n--\n-- Rows of {_on_one_line(f'{table.schema}.{table.name}')}\n--\n\n{load}\n{rows.getvalue()}\\.\n"
    for sequence, query in _run(connection, "reference_sequences.sql", oid=table.oid):
        last = connection.exec_driver_sql(query, as_is=True).scalar_one()
        if last is not None:
            text += f"\nSELECT pg_catalog.setval({sequence}, {last:d}, true);\n"
    return text


def _on_one_line(text: str) -> str:
    """A name for a comment, which ends with its line."""
    return re.sub(r"[\n\r]", " ", text)


def _run(connection: Connection, resource: str, **values: Any) -> list[Any]:
    """The rows of a query."""
    return list(connection.exec_driver_sql(with_placeholders(_resource(resource)), values))


@cache
def _resource(name: str) -> str:
    return (files("hop_tasks.catalog") / "queries" / name).read_text(encoding="utf-8")
