"""Writes a MetaData as Python, by sqlacodegen's generator with its rendering of tables replaced.

What sqlacodegen writes depends on the order of sets and of foreign keys, loses options, and is wrong for unusual names,
texts and types; its order of work, its imports and its choice of generic types are used.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from sqlacodegen.generators import TablesGenerator
from sqlacodegen.models import Model
from sqlacodegen.utils import render_callable
from sqlalchemy import (
    CheckConstraint,
    Column,
    Computed,
    Connection,
    Constraint,
    Enum,
    ForeignKeyConstraint,
    Identity,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY, HSTORE, JSON, JSONB
from sqlalchemy.exc import CompileError
from sqlalchemy.types import NullType, TypeEngine

from hop_tasks.package.variables import variable_names

KEPT_TYPES = (JSON, JSONB, HSTORE)
"""Types of PostgreSQL whose generic counterpart can do less."""

CONSTRAINT_ORDER: tuple[type[Constraint], ...] = (
    PrimaryKeyConstraint,
    UniqueConstraint,
    ForeignKeyConstraint,
    CheckConstraint,
)

IDENTITY_OPTIONS = ("always", "start", "increment", "minvalue", "maxvalue", "cache", "cycle")


def render_tables(metadata: MetaData, connection: Connection) -> str:
    """The body of a module: imports, `metadata`, and a variable for each table."""
    return ModuleRenderer(metadata, connection, ()).generate()


class ModuleRenderer(TablesGenerator):
    """sqlacodegen's generator, with output that depends on nothing but the database."""

    def should_ignore_table(self, table: Table) -> bool:  # noqa: ARG002
        """No table is left out here: a table that is missing would break the foreign keys to it."""
        return False

    def fix_column_types(self, table: Table) -> None:
        """Types stay as they are: sqlacodegen guesses booleans and enums from checks, and strips sequences."""

    def generate_models(self) -> list[Model]:
        for needed in self.base.literal_imports:
            self.add_literal_import(needed.pkgname, needed.name)
        tables = sorted(self.metadata.tables.values(), key=lambda table: (str(table.schema), table.name))
        names = variable_names((str(table.schema), table.name) for table in tables)
        models = [Model(table) for table in tables]
        for model in models:
            model.name = names[str(model.table.schema), model.table.name]
        return models

    def render_models(self, models: list[Model]) -> str:
        variables = {model.table: model.name for model in models}
        rendered = [f"{model.name} = {self.render_table(model.table)}" for model in models]
        for model in models:
            for constraint in _foreign_keys(model.table):
                if _has_dots(constraint):
                    written = self._render_foreign_key(constraint, variables)
                    rendered.append(f"{model.name}.append_constraint({written})")
        return "\n\n".join(rendered)

    def render_table(self, table: Table) -> str:
        self.add_import(Table)
        arguments = [repr(str(table.name)), self.base.metadata_ref]
        arguments += [self._render_table_column(column) for column in table.columns]
        arguments += [self._render_table_constraint(constraint) for constraint in _ordered_constraints(table)]
        arguments += [self._render_table_index(index) for index in sorted(table.indexes, key=lambda i: str(i.name))]
        options: dict[str, object] = {"schema": repr(table.schema)}
        if partition_key := table.dialect_options["postgresql"]["partition_by"]:
            options["postgresql_partition_by"] = repr(partition_key)
        if table.comment:
            options["comment"] = repr(table.comment)
        if table.info:
            options["info"] = repr(table.info)
        return render_callable("Table", *arguments, kwargs=options, indentation="    ")

    def _render_table_column(self, column: Column[Any]) -> str:
        self.add_import(Column)
        arguments = [repr(str(column.name)), self._render_type(column.type)]
        options: dict[str, object] = {}
        default = column.server_default
        if isinstance(default, Computed):
            self.add_import(Computed)
            persisted = {} if default.persisted is None else {"persisted": default.persisted}
            arguments.append(render_callable("Computed", self._render_expression(default.sqltext), kwargs=persisted))
        elif isinstance(default, Identity):
            self.add_import(Identity)
            values = {name: getattr(default, name, None) for name in IDENTITY_OPTIONS}
            given = {name: value for name, value in values.items() if value is not None}
            arguments.append(render_callable("Identity", kwargs=given))
        if column.primary_key:
            options["primary_key"] = True
        elif not column.nullable:
            options["nullable"] = False
        if default is not None and not isinstance(default, (Computed, Identity)):
            options["server_default"] = self._render_expression(getattr(default, "arg"), wrapped=True)  # noqa: B009
        if column.comment:
            options["comment"] = repr(column.comment)
        if column.info:
            options["info"] = repr(column.info)
        return render_callable("Column", *arguments, kwargs=options)

    def _render_table_constraint(self, constraint: Constraint) -> str:
        if isinstance(constraint, ForeignKeyConstraint):
            return self._render_foreign_key(constraint, None)
        self.add_import(type(constraint))
        options: dict[str, object] = {"name": repr(constraint.name)}
        if isinstance(constraint, CheckConstraint):
            arguments = [self._render_expression(constraint.sqltext)]
        else:
            assert isinstance(constraint, (PrimaryKeyConstraint, UniqueConstraint))
            arguments = [repr(str(column.name)) for column in constraint.columns]
            if constraint.dialect_options["postgresql"].get("nulls_not_distinct"):
                options["postgresql_nulls_not_distinct"] = True
        return render_callable(type(constraint).__name__, *arguments, kwargs=options | _deferral(constraint))

    def _render_foreign_key(self, constraint: ForeignKeyConstraint, variables: dict[Table, str] | None) -> str:
        """A foreign key to names, or to columns of `variables` where SQLAlchemy would split the names wrongly."""
        self.add_import(ForeignKeyConstraint)
        targets = [element.column for element in constraint.elements]
        if variables is None:
            written = repr([f"{column.table.schema}.{column.table.name}.{column.name}" for column in targets])
        else:
            written = ", ".join(f"{variables[column.table]}.c[{str(column.name)!r}]" for column in targets)
            written = f"[{written}]"
        options: dict[str, object] = {"name": repr(constraint.name)}
        for option in ("onupdate", "ondelete", "match"):
            if (value := getattr(constraint, option)) is not None:
                options[option] = repr(value)
        local = repr([str(column.name) for column in constraint.columns])
        return render_callable("ForeignKeyConstraint", local, written, kwargs=options | _deferral(constraint))

    def _render_table_index(self, index: Index) -> str:
        self.add_import(Index)
        elements = [
            repr(str(element.name)) if isinstance(element, Column) else self._render_expression(element, wrapped=True)
            for element in index.expressions
        ]
        options: dict[str, object] = {"unique": True} if index.unique else {}
        for key, value in sorted(index.dialect_kwargs.items()):
            plain = isinstance(value, (str, bool, int, list, dict))
            options[key] = repr(value) if plain else self._render_expression(value, wrapped=True)
        return render_callable("Index", repr(index.name), *elements, kwargs=options)

    def _render_expression(self, expression: Any, *, wrapped: bool = False) -> str:
        """SQL as Python: a string, or a call where one is asked for or where a string would be changed.

        SQLAlchemy takes `:word` in a text for a parameter and a backslash before a colon for its escape.
        """
        sql = str(getattr(expression, "text", expression))
        if ":" in sql.replace("::", ""):
            self.add_literal_import("sqlalchemy", "literal_column")
            return f"literal_column({sql!r})"
        if wrapped:
            self.add_literal_import("sqlalchemy", "text")
            return f"text({sql!r})"
        return repr(sql)

    def _render_type(self, kind: TypeEngine[Any]) -> str:
        if isinstance(kind, ARRAY):
            self.add_literal_import("sqlalchemy.dialects.postgresql", "ARRAY")
            return f"ARRAY({self._render_type(kind.item_type)})"
        if isinstance(kind, Enum):
            # As text on both sides: a Python enum needs member names, which labels often cannot give.
            self.add_literal_import("sqlalchemy", "Enum")
            names = {"name": repr(str(kind.name)), "schema": repr(str(kind.schema))}
            return render_callable("Enum", *(repr(label) for label in kind.enums), kwargs=names)
        if isinstance(kind, KEPT_TYPES):
            self.add_literal_import("sqlalchemy.dialects.postgresql", type(kind).__name__)
            return type(kind).__name__
        if not isinstance(kind, NullType):
            with suppress(CompileError):
                kind = self.get_adapted_type(kind)
            written = re.sub(r"^(\w+)\(\)$", r"\1", repr(kind))
            if _is_plain_call(written, type(kind).__name__):
                self.add_import(type(kind))
                return written
        self.add_literal_import("sqlalchemy.types", "NullType")
        return "NullType"


def _ordered_constraints(table: Table) -> Iterable[Constraint]:
    """Keys first; of one kind by name, which PostgreSQL keeps unique within a table."""
    for kind in CONSTRAINT_ORDER:
        found = [constraint for constraint in table.constraints if isinstance(constraint, kind)]
        for constraint in sorted(found, key=lambda constraint: str(constraint.name)):
            if isinstance(constraint, ForeignKeyConstraint) and _has_dots(constraint):
                continue
            if not isinstance(constraint, PrimaryKeyConstraint) or len(constraint.columns):
                yield constraint


def _foreign_keys(table: Table) -> list[ForeignKeyConstraint]:
    return sorted(table.foreign_key_constraints, key=lambda constraint: str(constraint.name))


def _has_dots(constraint: ForeignKeyConstraint) -> bool:
    """Whether the target cannot be written as `schema.table.column`."""
    return any("." in f"{element.column.table.name}{element.column.name}" for element in constraint.elements)


def _deferral(constraint: Constraint) -> dict[str, object]:
    options: dict[str, object] = {}
    if constraint.deferrable:
        options["deferrable"] = True
    if constraint.initially:
        options["initially"] = repr(constraint.initially)
    return options


def _is_plain_call(written: str, name: str) -> bool:
    """Whether the text is `name`, or a call of it with constants only, so that it needs no other import."""
    try:
        node = ast.parse(written, mode="eval").body
        if isinstance(node, ast.Call):
            for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
                ast.literal_eval(argument)
            node = node.func
    except (SyntaxError, ValueError):
        return False
    return isinstance(node, ast.Name) and node.id == name
