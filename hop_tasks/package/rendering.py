"""Writes tables as Python, by sqlacodegen's generator with its rendering of tables replaced.

What sqlacodegen writes depends on the order of sets and of foreign keys, loses options, and is wrong for unusual names,
texts and types; its choice of generic types, its names of relationships and its model of classes are used.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any

import sqlalchemy
from sqlacodegen.generators import DeclarativeGenerator, TablesGenerator
from sqlacodegen.models import (
    ColumnAttribute,
    Model,
    ModelClass,
    RelationshipAttribute,
    RelationshipType,
)
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
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY, HSTORE, JSON, JSONB
from sqlalchemy.exc import CompileError
from sqlalchemy.types import NullType, TypeEngine

__all__ = [
    "POSTGRESQL",
    "ColumnAttribute",
    "Model",
    "ModelClass",
    "ModuleRenderer",
    "RelationshipAttribute",
    "RelationshipType",
    "foreign_keys",
    "has_dots",
    "render_callable",
    "table_options",
]

POSTGRESQL = "sqlalchemy.dialects.postgresql"

KEPT_TYPES = (JSON, JSONB, HSTORE)
"""Types of PostgreSQL whose generic counterpart can do less."""

CONSTRAINT_ORDER: tuple[type[Constraint], ...] = (
    PrimaryKeyConstraint,
    UniqueConstraint,
    ForeignKeyConstraint,
    CheckConstraint,
)

IDENTITY_OPTIONS = ("always", "start", "increment", "minvalue", "maxvalue", "cache", "cycle")


class ModuleRenderer(DeclarativeGenerator):
    """Renders what stands in one module, and knows what that has to import.

    Args:
        connection: to the database, for its dialect.
        taken: the names that mean something else in the module; what is imported yields to them.
    """

    def __init__(self, connection: Connection, taken: Collection[str] = ()) -> None:
        # The class above would load a library for plurals, which takes a second and is not needed.
        TablesGenerator.__init__(self, MetaData(), connection, ())
        self.base_class_name = "Base"
        self.explicit_foreign_keys = True
        self.taken = taken
        self.metadata_reference = "metadata"

    def use(self, module: str, name: str) -> str:
        """Import a name from a module; returns what it is called here."""
        alias = f"_{name}" if name in self.taken else name
        if module != "builtins" or alias != name:
            self.imports[module].add(name if alias == name else f"{name} as {alias}")
        return alias

    def use_module(self, name: str) -> str:
        """Import a module of the standard library; returns what it is called here."""
        if name in self.taken:
            self.add_module_import(f"{name} as _{name}")
            return f"_{name}"
        self.add_module_import(name)
        return name

    def use_class(self, kind: type) -> str:
        """Import a class from where its users know it; returns what it is called here."""
        module, name = kind.__module__, kind.__name__
        if kind is getattr(sqlalchemy, name, None):
            module = "sqlalchemy"
        elif module.startswith(POSTGRESQL) and name in postgresql.__all__:
            module = POSTGRESQL
        return self.use(module, name)

    def imports_text(self) -> str:
        """The lines of all imports: the standard library, what is installed, and the package itself."""
        lines: list[list[str]] = [[], [], []]
        for line in sorted(self.module_imports):
            lines[0].append(f"import {line}")
        for module, names in sorted(self.imports.items()):
            if names:
                group = 2 if module.startswith(".") else int(module.split(".")[0] not in sys.stdlib_module_names)
                lines[group].append(f"from {module} import {', '.join(sorted(names))}")
        return "\n\n".join("\n".join(group) for group in lines if group)

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
        arguments.append(self._render_type(column.type))
        options: dict[str, object] = {}
        default = column.server_default
        if isinstance(default, Computed):
            persisted = {} if default.persisted is None else {"persisted": default.persisted}
            expression = self._render_expression(default.sqltext)
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
            options["server_default"] = self._render_expression(getattr(default, "arg"), wrapped=True)  # noqa: B009
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
            arguments = [self._render_expression(constraint.sqltext)]
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
            repr(str(element.name)) if isinstance(element, Column) else self._render_expression(element, wrapped=True)
            for element in index.expressions
        ]
        options: dict[str, object] = {"unique": True} if index.unique else {}
        for key, value in sorted(index.dialect_kwargs.items()):
            plain = isinstance(value, (str, bool, int, list, dict))
            options[key] = repr(value) if plain else self._render_expression(value, wrapped=True)
        return render_callable(self.use("sqlalchemy", "Index"), repr(index.name), *elements, kwargs=options)

    def _render_expression(self, expression: Any, *, wrapped: bool = False) -> str:
        """SQL as Python: a string, or a call where one is asked for or where a string would be changed.

        SQLAlchemy takes `:word` in a text for a parameter and a backslash before a colon for its escape.
        """
        sql = str(getattr(expression, "text", expression))
        if ":" in sql.replace("::", ""):
            return f"{self.use('sqlalchemy', 'literal_column')}({sql!r})"
        return f"{self.use('sqlalchemy', 'text')}({sql!r})" if wrapped else repr(sql)

    def _render_type(self, kind: TypeEngine[Any]) -> str:
        if isinstance(kind, ARRAY):
            return f"{self.use(POSTGRESQL, 'ARRAY')}({self._render_type(kind.item_type)})"
        if isinstance(kind, Enum):
            # As text on both sides: a Python enum needs member names, which labels often cannot give.
            names = {"name": repr(str(kind.name)), "schema": repr(str(kind.schema))}
            labels = (repr(label) for label in kind.enums)
            return render_callable(self.use("sqlalchemy", "Enum"), *labels, kwargs=names)
        if isinstance(kind, KEPT_TYPES):
            return self.use(POSTGRESQL, type(kind).__name__)
        if not isinstance(kind, NullType):
            with suppress(CompileError):
                kind = self.get_adapted_type(kind)
            name = type(kind).__name__
            written = re.sub(r"^(\w+)\(\)$", r"\1", repr(kind))
            if _is_plain_call(written, name):
                return self.use_class(type(kind)) + written[len(name) :]
        return self.use("sqlalchemy.types", "NullType")


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
