"""Writes types and SQL expressions as Python, with what a module has to import for them.

This is where sqlacodegen comes in: its choice of generic types, its names of relationships and its model of classes are
used. What it writes itself depends on the order of sets and of foreign keys, loses options, and is wrong for unusual
names, texts and types.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection
from contextlib import suppress
from typing import Any

import sqlalchemy
from sqlacodegen.generators import DeclarativeGenerator, TablesGenerator
from sqlacodegen.models import ColumnAttribute, Model, ModelClass, RelationshipAttribute, RelationshipType
from sqlacodegen.utils import render_callable
from sqlalchemy import Connection, Enum, MetaData
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY, HSTORE, JSON, JSONB
from sqlalchemy.exc import CompileError
from sqlalchemy.types import NullType, TypeEngine

__all__ = [
    "POSTGRESQL",
    "ColumnAttribute",
    "ExpressionRenderer",
    "Model",
    "ModelClass",
    "RelationshipAttribute",
    "RelationshipType",
    "render_callable",
]

POSTGRESQL = "sqlalchemy.dialects.postgresql"

KEPT_TYPES = (JSON, JSONB, HSTORE)
"""Types of PostgreSQL whose generic counterpart can do less."""


class ExpressionRenderer(DeclarativeGenerator):
    """Renders types and expressions of one module, and knows what that has to import.

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
        self.generic_types: dict[tuple[type, str], TypeEngine[Any]] = {}

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

    def render_expression(self, expression: Any, *, wrapped: bool = False) -> str:
        """SQL as Python: a string, or a call where one is asked for or where a string would be changed.

        SQLAlchemy takes `:word` in a text for a parameter and a backslash before a colon for its escape.
        """
        sql = str(getattr(expression, "text", expression))
        if ":" in sql.replace("::", ""):
            return f"{self.use('sqlalchemy', 'literal_column')}({sql!r})"
        return f"{self.use('sqlalchemy', 'text')}({sql!r})" if wrapped else repr(sql)

    def render_type(self, kind: TypeEngine[Any]) -> str:
        if isinstance(kind, ARRAY):
            return f"{self.use(POSTGRESQL, 'ARRAY')}({self.render_type(kind.item_type)})"
        if isinstance(kind, Enum):
            # As text on both sides: a Python enum needs member names, which labels often cannot give.
            names = {"name": repr(str(kind.name)), "schema": repr(str(kind.schema))}
            labels = (repr(label) for label in kind.enums)
            return render_callable(self.use("sqlalchemy", "Enum"), *labels, kwargs=names)
        if isinstance(kind, KEPT_TYPES):
            return self.use(POSTGRESQL, type(kind).__name__)
        if not isinstance(kind, NullType):
            kind = self._generic_type(kind)
            name = type(kind).__name__
            written = re.sub(r"^(\w+)\(\)$", r"\1", repr(kind))
            if _is_plain_call(written, name):
                return self.use_class(type(kind)) + written[len(name) :]
        return self.use("sqlalchemy.types", "NullType")

    def _generic_type(self, kind: TypeEngine[Any]) -> TypeEngine[Any]:
        """The type that means the same on other databases too, if there is one."""
        # One class with the same arguments gives the same; asking SQLAlchemy takes as long as all else for a column.
        key = type(kind), repr(kind)
        if key not in self.generic_types:
            self.generic_types[key] = kind
            with suppress(CompileError):
                self.generic_types[key] = self.get_adapted_type(kind)
        return self.generic_types[key]


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
