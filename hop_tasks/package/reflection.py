"""Reads the user's relations into a MetaData, in bulk. What the catalog says is taken from columns, never parsed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Computed,
    Connection,
    Dialect,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Row,
    Table,
    UniqueConstraint,
    inspect,
    literal_column,
)
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.engine.reflection import Inspector, ObjectKind

from hop_tasks.errors import ProjectError
from hop_tasks.package.column_types import TypeFacts, usable_type
from hop_tasks.package.generators import COMMAND
from hop_tasks.package.inputs import query, read_relations
from hop_tasks.package.sessions import neutral_session

KINDS = {"v": "view", "m": "materialized view", "f": "foreign table"}
"""What `Table.info["kind"]` says of relations that are not ordinary tables, by `pg_class.relkind`."""

ACTIONS = {"r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
"""By `pg_constraint.confdeltype`; NO ACTION, the default, is not written."""

Name = tuple[str, str]
"""Schema and name of a relation."""


def reflect_tables(connection: Connection) -> MetaData:
    """The user's tables, views, materialised views and foreign tables, each with its schema."""
    with neutral_session(connection):
        relations = read_relations(connection)
        names: defaultdict[str, list[str]] = defaultdict(list)
        for relation in relations:
            names[relation.schema].append(relation.name)
        facts = _query_by_relation(connection, "columns.sql", names)
        constraints = _query_by_relation(connection, "constraints.sql", names)
        indexes = _query_by_relation(connection, "indexes.sql", names)
        inspector: Inspector = inspect(connection)
        columns: dict[Name, list[ReflectedColumn]] = {}
        for schema, wanted in names.items():
            # The keys have the schema as it was asked for, which is never None here.
            columns |= inspector.get_multi_columns(schema, wanted, kind=ObjectKind.ANY)  # type: ignore[arg-type]
    metadata = MetaData()
    for relation in relations:
        name = relation.schema, relation.name
        made = _make_columns(columns.get(name, []), facts[name], constraints[name], connection.dialect)
        table = _add_table(metadata, relation, made)
        _add_constraints(table, constraints[name])
        _add_indexes(table, indexes[name])
    for relation in relations:
        name = relation.schema, relation.name
        _add_foreign_keys(metadata, metadata.tables[".".join(name)], constraints[name])
    return metadata


def _query_by_relation(
    connection: Connection, resource: str, schemas: Iterable[str]
) -> defaultdict[Name, list[Row[Any]]]:
    found: defaultdict[Name, list[Row[Any]]] = defaultdict(list)
    for row in query(connection, resource, schemas=list(schemas)):
        found[row.schema, row.relation].append(row)
    return found


def _add_table(metadata: MetaData, relation: Row[Any], columns: Sequence[Column[Any]]) -> Table:
    key = f"{relation.schema}.{relation.name}"
    if key in metadata.tables:
        raise ProjectError(
            f"two tables are both called {key} because of a dot in a name, which SQLAlchemy cannot tell apart",
            hint=f"rename one of them in a patch file, then {COMMAND}",
        )
    return Table(
        relation.name,
        metadata,
        *columns,
        schema=relation.schema,
        comment=relation.comment,
        info={"kind": KINDS[relation.kind]} if relation.kind in KINDS else {},
        postgresql_partition_by=relation.partition_key,
    )


def _make_columns(
    columns: Sequence[ReflectedColumn], rows: Sequence[Row[Any]], constraints: Sequence[Row[Any]], dialect: Dialect
) -> list[Column[Any]]:
    facts = {row.name: row for row in rows}
    primary: list[str] = next((row.columns for row in constraints if row.kind == "p"), [])
    referring = {column for row in constraints if row.kind == "f" for column in row.columns}
    made: list[Column[Any]] = []
    for column in columns:
        name = column["name"]
        made.append(_make_column(column, facts[name], dialect))
        serial_key = facts[name].serial and [name] == primary and name not in referring
        if serial_key and isinstance(made[-1].type, Integer):
            # SQLAlchemy fills in such a key by itself; anywhere else the default must be seen.
            made[-1].server_default = None
        elif isinstance(made[-1].type, Integer) and [name] == primary and made[-1].server_default is None:
            # Nothing fills in such a key, as SQLAlchemy would think.
            made[-1].autoincrement = False
    return made


def _make_column(column: ReflectedColumn, facts: Row[Any], dialect: Dialect) -> Column[Any]:
    kind, info = usable_type(column["type"], TypeFacts.from_row(facts), dialect)
    generated: list[Any] = []
    if "identity" in column:
        generated.append(Identity(**column["identity"]))
    if "computed" in column:
        computed = column["computed"]
        generated.append(Computed(literal_column(computed["sqltext"]), persisted=computed.get("persisted")))
    return Column(
        column["name"],
        kind,
        *generated,
        nullable=column["nullable"],
        server_default=None if facts.default is None else literal_column(facts.default),
        comment=column.get("comment"),
        info=info,
    )


def _add_constraints(table: Table, rows: Sequence[Row[Any]]) -> None:
    """Add keys and checks; foreign keys come when all tables are there."""
    for row in rows:
        options: dict[str, Any] = {"name": row.name}
        if row.is_deferrable:
            options |= {"deferrable": True, "initially": "DEFERRED" if row.is_deferred else None}
        if row.kind == "p":
            table.append_constraint(PrimaryKeyConstraint(*(table.c[name] for name in row.columns), **options))
        elif row.kind == "u":
            if row.nulls_not_distinct:
                options["postgresql_nulls_not_distinct"] = True
            table.append_constraint(UniqueConstraint(*(table.c[name] for name in row.columns), **options))
        elif row.kind == "c":
            table.append_constraint(CheckConstraint(literal_column(row.expression), name=row.name))


def _add_foreign_keys(metadata: MetaData, table: Table, rows: Sequence[Row[Any]]) -> None:
    for row in rows:
        target_key = f"{row.target_schema}.{row.target_relation}"
        # The target may be a partition, or belong to an extension or to the registry: then it is in no module.
        if row.kind != "f" or target_key not in metadata.tables:
            continue
        target = metadata.tables[target_key]
        constraint = ForeignKeyConstraint(
            [table.c[column] for column in row.columns],
            [target.c[column] for column in row.target_columns],
            name=row.name,
            onupdate=ACTIONS.get(row.on_update),
            ondelete=ACTIONS.get(row.on_delete),
            deferrable=True if row.is_deferrable else None,
            initially="DEFERRED" if row.is_deferred else None,
            match="FULL" if row.match_full else None,
        )
        table.append_constraint(constraint)


def _add_indexes(table: Table, rows: Sequence[Row[Any]]) -> None:
    for row in rows:
        options: dict[str, Any] = {
            "postgresql_using": None if row.method == "btree" else row.method,
            "postgresql_where": None if row.predicate is None else literal_column(row.predicate),
            "postgresql_include": row.included,
            "postgresql_with": dict(option.split("=", 1) for option in row.storage or ()),
            "postgresql_nulls_not_distinct": row.nulls_not_distinct or None,
        }
        elements: list[Any] = [
            literal_column(written) if column is None else table.c[column]
            for column, written in zip(row.columns, row.texts, strict=True)
        ]
        given = {key: value for key, value in options.items() if value is not None and value != {}}
        index = Index(row.name, *elements, unique=row.is_unique, **given)
        if index.table is None:
            table.append_constraint(index)
