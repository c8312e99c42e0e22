"""Writes tables as Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Computed,
    Constraint,
    ForeignKeyConstraint,
    Identity,
    Index,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from hop_tasks.package.expressions import ExpressionRenderer, render_callable

CONSTRAINT_ORDER: tuple[type[Constraint], ...] = (
    PrimaryKeyConstraint,
    UniqueConstraint,
    ForeignKeyConstraint,
    CheckConstraint,
)

IDENTITY_OPTIONS = ("always", "start", "increment", "minvalue", "maxvalue", "cache", "cycle")


class ModuleRenderer(ExpressionRenderer):
    """Renders the tables of one module."""

    def render_table(self, table: Table) -> str:
        arguments = [repr(str(table.name)), self.metadata_reference]
        arguments += [self.render_any_column(column, self.use("sqlalchemy", "Column")) for column in table.columns]
        arguments += self.render_table_parts(table)
        options = {name: repr(value) for name, value in table_options(table).items()}
        return render_callable(self.use("sqlalchemy", "Table"), *arguments, kwargs=options, indentation="    ")

    def render_table_parts(self, table: Table) -> list[str]:
        """The constraints and indexes of a table."""
        parts = [self._render_table_constraint(constraint) for constraint in _ordered_constraints(table)]
        return parts + [self._render_table_index(i) for i in sorted(table.indexes, key=lambda i: str(i.name))]

    def render_any_column(
        self,
        column: Column[Any],
        function: str,
        *,
        named: bool = True,
        more: Mapping[str, object] | None = None,
    ) -> str:
        """A call that makes a column.

        Args:
            column: the column.
            function: what is called: `Column`, or what maps a column to an attribute.
            named: whether the column's name is given; it is otherwise that of the attribute.
            more: further options, as they are written.
        """
        arguments = [repr(str(column.name))] if named else []
        arguments.append(self.render_type(column.type))
        options: dict[str, object] = {}
        default = column.server_default
        if isinstance(default, Computed):
            persisted = {} if default.persisted is None else {"persisted": default.persisted}
            expression = self.render_expression(default.sqltext)
            arguments.append(render_callable(self.use("sqlalchemy", "Computed"), expression, kwargs=persisted))
        elif isinstance(default, Identity):
            values = {name: getattr(default, name, None) for name in IDENTITY_OPTIONS}
            given = {name: value for name, value in values.items() if value is not None}
            arguments.append(render_callable(self.use("sqlalchemy", "Identity"), kwargs=given))
        if column.primary_key:
            options["primary_key"] = True
            if column.autoincrement is False:
                options["autoincrement"] = False
        elif not column.nullable:
            options["nullable"] = False
        if default is not None and not isinstance(default, (Computed, Identity)):
            options["server_default"] = self.render_expression(getattr(default, "arg"), wrapped=True)  # noqa: B009
        if column.comment:
            options["comment"] = repr(column.comment)
        if column.info:
            options["info"] = repr(column.info)
        return render_callable(function, *arguments, kwargs={**options, **(more or {})})

    def _render_table_constraint(self, constraint: Constraint) -> str:
        if isinstance(constraint, ForeignKeyConstraint):
            targets = [element.column for element in constraint.elements]
            written = repr([f"{column.table.schema}.{column.table.name}.{column.name}" for column in targets])
            return self.render_foreign_key(constraint, written)
        options: dict[str, object] = {"name": repr(constraint.name)}
        if isinstance(constraint, CheckConstraint):
            arguments = [self.render_expression(constraint.sqltext)]
        else:
            assert isinstance(constraint, (PrimaryKeyConstraint, UniqueConstraint))
            arguments = [repr(str(column.name)) for column in constraint.columns]
            if constraint.dialect_options["postgresql"].get("nulls_not_distinct"):
                options["postgresql_nulls_not_distinct"] = True
        name = self.use("sqlalchemy", type(constraint).__name__)
        return render_callable(name, *arguments, kwargs=options | _deferral(constraint))

    def render_foreign_key(self, constraint: ForeignKeyConstraint, targets: str) -> str:
        """A foreign key to what is written in `targets`."""
        options: dict[str, object] = {"name": repr(constraint.name)}
        for option in ("onupdate", "ondelete", "match"):
            if (value := getattr(constraint, option)) is not None:
                options[option] = repr(value)
        local = repr([str(column.name) for column in constraint.columns])
        name = self.use("sqlalchemy", "ForeignKeyConstraint")
        return render_callable(name, local, targets, kwargs=options | _deferral(constraint))

    def _render_table_index(self, index: Index) -> str:
        elements = [
            repr(str(element.name)) if isinstance(element, Column) else self.render_expression(element, wrapped=True)
            for element in index.expressions
        ]
        options: dict[str, object] = {"unique": True} if index.unique else {}
        for key, value in sorted(index.dialect_kwargs.items()):
            plain = isinstance(value, (str, bool, int, list, dict))
            options[key] = repr(value) if plain else self.render_expression(value, wrapped=True)
        return render_callable(self.use("sqlalchemy", "Index"), repr(index.name), *elements, kwargs=options)


def table_options(table: Table) -> dict[str, object]:
    """The options of a table: schema, comment and so on."""
    options: dict[str, object] = {"schema": table.schema}
    if partition_key := table.dialect_options["postgresql"]["partition_by"]:
        options["postgresql_partition_by"] = partition_key
    if table.comment:
        options["comment"] = table.comment
    if table.info:
        options["info"] = table.info
    return options


def _ordered_constraints(table: Table) -> Iterable[Constraint]:
    """Keys first; of one kind by name, which PostgreSQL keeps unique within a table."""
    for kind in CONSTRAINT_ORDER:
        found = [constraint for constraint in table.constraints if isinstance(constraint, kind)]
        for constraint in sorted(found, key=lambda constraint: str(constraint.name)):
            if isinstance(constraint, ForeignKeyConstraint) and has_dots(constraint):
                continue
            if not isinstance(constraint, PrimaryKeyConstraint) or len(constraint.columns):
                yield constraint


def foreign_keys(table: Table) -> list[ForeignKeyConstraint]:
    """The foreign keys of a table in the order of their names."""
    return sorted(table.foreign_key_constraints, key=lambda constraint: str(constraint.name))


def has_dots(constraint: ForeignKeyConstraint) -> bool:
    """Whether the target cannot be written as `schema.table.column`."""
    return any("." in f"{element.column.table.name}{element.column.name}" for element in constraint.elements)


def _deferral(constraint: Constraint) -> dict[str, object]:
    options: dict[str, object] = {}
    if constraint.deferrable:
        options["deferrable"] = True
    if constraint.initially:
        options["initially"] = repr(constraint.initially)
    return options
