"""Writes tables as classes that SQLAlchemy maps: plain ones, dataclasses, or models of SQLModel."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import Enum
from typing import Any

from sqlalchemy import Column, Computed, Connection, ForeignKeyConstraint, Identity
from sqlalchemy.dialects.postgresql import ARRAY, HSTORE, JSON, MONEY, TSQUERY, TSVECTOR
from sqlalchemy.dialects.postgresql.ranges import AbstractSingleRange
from sqlalchemy.types import JSON as GenericJSON
from sqlalchemy.types import TypeEngine

from hop_tasks.package.expressions import (
    POSTGRESQL,
    ColumnAttribute,
    Model,
    ModelClass,
    RelationshipAttribute,
    RelationshipType,
    render_callable,
)
from hop_tasks.package.relationships import leads_forth, overlapping
from hop_tasks.package.rendering import ModuleRenderer, table_options

READ_AS_TEXT = (MONEY, TSQUERY, TSVECTOR)
"""Types of PostgreSQL that the drivers read and write as text, of which SQLAlchemy does not say so."""

RANGE_ITEMS = {
    "INT4RANGE": ("builtins", "int"),
    "INT8RANGE": ("builtins", "int"),
    "NUMRANGE": ("decimal", "Decimal"),
    "DATERANGE": ("datetime", "date"),
    "TSRANGE": ("datetime", "datetime"),
    "TSTZRANGE": ("datetime", "datetime"),
}
"""Module and class of what lies in a range, by SQLAlchemy's type."""


class Style(Enum):
    """What the classes are."""

    DECLARATIVE = "declarative"
    DATACLASSES = "dataclasses"
    SQLMODEL = "sqlmodel"


BASES = {
    Style.DECLARATIVE: """\
from typing import Any

from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import NullType


class Base(DeclarativeBase):
    \"\"\"What all classes of this database have in common.\"\"\"

    type_annotation_map = {Any: NullType()}


metadata = Base.metadata
""",
    Style.DATACLASSES: """\
from typing import Any

from sqlalchemy.orm import DeclarativeBase, MappedAsDataclass
from sqlalchemy.types import NullType


class Base(MappedAsDataclass, DeclarativeBase):
    \"\"\"What all classes of this database have in common.\"\"\"

    type_annotation_map = {Any: NullType()}


metadata = Base.metadata
""",
    Style.SQLMODEL: """\
from sqlalchemy.orm import registry
from sqlmodel import SQLModel


class Base(SQLModel, registry=registry()):
    \"\"\"What all classes of this database have in common.\"\"\"


metadata = Base.metadata
""",
}
"""The module with the class that the others are derived from."""


class ModelRenderer(ModuleRenderer):
    """Renders the classes and tables of one module.

    Args:
        connection: to the database, for its dialect.
        models: what stands in the module.
        modules: the name of the module of each class, to import those of other modules for type checkers.
        style: what the classes are.
    """

    def __init__(self, connection: Connection, models: Sequence[Model], modules: dict[str, str], style: Style) -> None:
        super().__init__(connection, names_in(models))
        self.models = models
        self.modules = modules
        self.style = style
        self.others: set[str] = set()

    def render(self) -> str:
        """The imports and the body of the module."""
        base = self.use("._base", "Base")
        self.base_class_name = base
        self.metadata_reference = f"{base}.metadata"
        bodies = []
        for model in self.models:
            if isinstance(model, ModelClass):
                bodies.append(self._render_class(model))
            else:
                bodies.append(f"{model.name} = {self.render_table(model.table)}")
        sections = [self._imports(), *bodies]
        return "\n\n\n".join(section for section in sections if section) + "\n"

    def _imports(self) -> str:
        own = {model.name for model in self.models}
        lines = [f"    from .{self.modules[name]} import {name}" for name in sorted(self.others - own)]
        if not lines:
            return self.imports_text()
        checking = self.use("typing", "TYPE_CHECKING")
        return "\n".join([self.imports_text(), "", f"if {checking}:", *lines])

    def _render_class(self, model: ModelClass) -> str:
        heads = {
            Style.DECLARATIVE: f"class {model.name}({self.base_class_name}):",
            Style.DATACLASSES: f"class {model.name}({self.base_class_name}, kw_only=True):",
            Style.SQLMODEL: f"class {model.name}({self.base_class_name}, table=True):",
        }
        parts = [
            f"    __tablename__ = {str(model.table.name)!r}",
            f"    __table_args__ = {self._table_args(model)}",
            "",
        ]
        parts += [f"    {attribute.name}: {self._render_attribute(attribute)}" for attribute in model.columns]
        if model.relationships:
            parts.append("")
            parts += [f"    {r.name}: {self._render_relation(r)}" for r in model.relationships]
        return "\n".join([heads[self.style], *parts])

    def render_type(self, kind: TypeEngine[Any]) -> str:
        if isinstance(kind, JSON):
            # A constructor sets what is not given to None, which means that nothing is there, not a null of JSON.
            return f"{self.use_class(type(kind))}(none_as_null=True)"
        return super().render_type(kind)

    def _table_args(self, model: ModelClass) -> str:
        parts = self.render_table_parts(model.table)
        options = ", ".join(f"{key!r}: {value!r}" for key, value in table_options(model.table).items())
        return "(\n" + "".join(f"        {part},\n" for part in [*parts, f"{{{options}}}"]) + "    )"

    def _render_attribute(self, attribute: ColumnAttribute) -> str:
        column = attribute.column
        kind = self._python_type(column)
        given = _is_given(column)
        more: dict[str, object] = {}
        if self.style is Style.SQLMODEL:
            rendered = self.render_any_column(column, self.use("sqlalchemy", "Column"))
            default = {"default": None} if column.nullable or given else {}
            field = render_callable(self.use("sqlmodel", "Field"), kwargs={**default, "sa_column": rendered})
            return f"{kind} = {field}"
        if self.style is Style.DATACLASSES:
            if isinstance(column.server_default, Computed) or _is_always(column):
                more["init"] = False
            elif column.nullable or given:
                more["default"] = None
        function = self.use("sqlalchemy.orm", "mapped_column")
        named = attribute.name != column.name
        return f"{self.use('sqlalchemy.orm', 'Mapped')}[{kind}] = " + self.render_any_column(
            column, function, named=named, more=more
        )

    def _python_type(self, column: Column[Any]) -> str:
        kind = self._python_class(column.type)
        if not column.nullable or kind == self.use("typing", "Any"):
            return kind
        return f"{self.use('typing', 'Optional')}[{kind}]"

    def _python_class(self, kind: TypeEngine[Any]) -> str:
        if isinstance(kind, ARRAY):
            return f"{self.use('builtins', 'list')}[{self._python_class(kind.item_type)}]"
        if isinstance(kind, READ_AS_TEXT):
            return self.use("builtins", "str")
        if isinstance(kind, HSTORE):
            text = self.use("builtins", "str")
            return f"{self.use('builtins', 'dict')}[{text}, {self.use('typing', 'Optional')}[{text}]]"
        if isinstance(kind, AbstractSingleRange) and type(kind).__name__ in RANGE_ITEMS:
            # Pydantic knows no ranges.
            if self.style is not Style.SQLMODEL:
                return f"{self.use(POSTGRESQL, 'Range')}[{self.use(*RANGE_ITEMS[type(kind).__name__])}]"
        elif not isinstance(kind, (JSON, GenericJSON)):
            try:
                found = kind.python_type
            except NotImplementedError:
                return self.use("typing", "Any")
            if found is not object and found.__module__ in ("builtins", "datetime", "decimal", "uuid"):
                return self.use(found.__module__, found.__name__)
        return self.use("typing", "Any")

    def _render_relation(self, relationship: RelationshipAttribute) -> str:
        self.others.add(relationship.target.name)
        kind = self._relation_type(relationship)
        options = self._relation_options(relationship)
        if self.style is Style.SQLMODEL:
            plain = {"back_populates": options.pop("back_populates")}
            if options:
                more = ", ".join(f"{key!r}: {value}" for key, value in options.items())
                plain["sa_relationship_kwargs"] = f"{{{more}}}"
            return f"{kind} = {render_callable(self.use('sqlmodel', 'Relationship'), kwargs=plain)}"
        if self.style is Style.DATACLASSES:
            # A relationship that is set to None, as a default would, empties the columns of its key.
            options |= {"init": "False", "repr": "False"}
        call = render_callable(self.use("sqlalchemy.orm", "relationship"), kwargs=options)
        return f"{self.use('sqlalchemy.orm', 'Mapped')}[{kind}] = {call}"

    def _relation_type(self, relationship: RelationshipAttribute) -> str:
        target = repr(relationship.target.name)
        if relationship.type in (RelationshipType.ONE_TO_MANY, RelationshipType.MANY_TO_MANY):
            return f"{self.use('builtins', 'list')}[{target}]"
        key = relationship.constraint
        if key is not None and leads_forth(relationship) and not any(column.nullable for column in key.columns):
            return target
        return f"{self.use('typing', 'Optional')}[{target}]"

    def _relation_options(self, relationship: RelationshipAttribute) -> dict[str, object]:
        options: dict[str, object] = {}
        if relationship.association_table is not None:
            tables = f"{self.metadata_reference}.tables"
            options["secondary"] = f"lambda: {tables}[{relationship.association_table.table.key!r}]"
            if relationship.source is relationship.target and relationship.backref is not None:
                options["primaryjoin"] = self._render_join(tables, relationship.backref.constraint)
                options["secondaryjoin"] = self._render_join(tables, relationship.constraint)
        if relationship.foreign_keys:
            options["foreign_keys"] = _listed(relationship.foreign_keys)
        if relationship.remote_side:
            options["remote_side"] = _listed(relationship.remote_side)
        if names := overlapping(relationship):
            options["overlaps"] = repr(",".join(names))
        if relationship.backref is not None:
            options["back_populates"] = repr(relationship.backref.name)
        return options

    def _render_join(self, tables: str, key: ForeignKeyConstraint | None) -> str:
        assert key is not None
        pairs = [
            f"{tables}[{element.parent.table.key!r}].c[{element.parent.name!r}] == "
            f"{tables}[{element.column.table.key!r}].c[{element.column.name!r}]"
            for element in key.elements
        ]
        joined = pairs[0] if len(pairs) == 1 else f"{self.use('sqlalchemy', 'and_')}({', '.join(pairs)})"
        return f"lambda: {joined}"


def names_in(models: Collection[Model]) -> set[str]:
    """The names that mean something of the database in a module: its classes, what is in them, and those they name."""
    names = {model.name for model in models}
    for model in models:
        if isinstance(model, ModelClass):
            names |= {attribute.name for attribute in model.columns}
            for relationship in model.relationships:
                names |= {relationship.name, relationship.target.name}
    return names


def _listed(attributes: Sequence[ColumnAttribute]) -> str:
    return repr("[" + ", ".join(f"{attribute.model.name}.{attribute.name}" for attribute in attributes) + "]")


def _is_given(column: Column[Any]) -> bool:
    """Whether the database gives a value where none is written: SQLAlchemy knows a serial key by its type."""
    return column.server_default is not None or column is column.table.autoincrement_column


def _is_always(column: Column[Any]) -> bool:
    return isinstance(column.server_default, Identity) and bool(column.server_default.always)
