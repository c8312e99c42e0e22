"""Which relationships the mapped classes have with each other, by their foreign keys, and what they are called.

The names are sqlacodegen's. It gives every class that is joined by its whole key another one as a parent, which is
often wrong, impossible for two that refer to each other, and makes modules import each other in a circle: here it is
one row for one row.
"""

from __future__ import annotations

import keyword
from collections import Counter
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, ForeignKeyConstraint, PrimaryKeyConstraint, Table, UniqueConstraint

from hop_tasks.package.expressions import (
    ColumnAttribute,
    ExpressionRenderer,
    Model,
    ModelClass,
    RelationshipAttribute,
    RelationshipType,
)
from hop_tasks.package.rendering import foreign_keys
from hop_tasks.package.variables import attribute_names, class_names, identifier, variable_names

EXPORTED_NAMES = frozenset({"Base", "ReleaseCheck", "ReleaseState"})
"""What stands beside the classes in the package that has them all."""

ORM_ATTRIBUTES = frozenset({"metadata", "registry", "self"})
"""What every mapped class has already, and the one name that its constructor cannot be given."""

PYDANTIC_ATTRIBUTES = frozenset(
    (
        *("construct", "copy", "dict", "from_orm", "json", "parse_file", "parse_obj", "parse_raw", "schema"),
        *("schema_json", "sqlmodel_update", "update_forward_refs", "validate"),
    )
)
"""What a model of Pydantic has besides names that begin with `model_`."""


def is_taken(name: str, *, pydantic: bool) -> bool:
    """Whether a mapped class has something else by that name."""
    return name in ORM_ATTRIBUTES or (pydantic and (name in PYDANTIC_ATTRIBUTES or name.startswith("model_")))


def derive_models(tables: Sequence[Table], connection: Connection, *, pydantic: bool) -> list[Model]:
    """A class for each table with a key, with its columns and relationships; a plain table for each other one.

    A table of nothing but two foreign keys links two classes, and is a plain table too.
    """
    names = [(str(table.schema), str(table.name)) for table in tables]
    classes, variables = class_names(names, EXPORTED_NAMES), variable_names(names)
    models: dict[Table, Model] = {}
    for table, name in zip(tables, names, strict=True):
        mapped = bool(table.primary_key.columns) and not _is_link(table)
        model = ModelClass(table) if mapped else Model(table)
        model.name = classes[name] if mapped else variables[name]
        models[table] = model
    mapped_classes = [model for model in models.values() if isinstance(model, ModelClass)]
    for model in mapped_classes:
        _add_columns(model, pydantic=pydantic)
    for model in models.values():
        if isinstance(model, ModelClass):
            _add_references(model, models)
        elif _is_link(model.table):
            _add_links(model, models)
    namer = _Namer(connection, pydantic=pydantic)
    for model in mapped_classes:
        namer.name_relationships(model)
    return list(models.values())


def overlapping(relationship: RelationshipAttribute) -> list[str]:
    """The names of other relationships that set a column which this one sets too."""
    own = _written(relationship)
    related = [*relationship.source.relationships, *relationship.target.relationships]
    for model in {id(other.target): other.target for other in related}.values():
        related += model.relationships
    others = [other for other in related if other is not relationship and other is not relationship.backref]
    return sorted({other.name for other in others if own & _written(other)})


def leads_forth(relationship: RelationshipAttribute) -> bool:
    """Whether it leads from the table of the key to the one that the key refers to."""
    key = relationship.constraint
    if key is None or key.table is not relationship.source.table:
        return False
    remote = [attribute.column for attribute in relationship.remote_side]
    return not remote or remote == [element.column for element in key.elements]


def _written(relationship: RelationshipAttribute) -> set[object]:
    if relationship.association_table or relationship.constraint is None:
        return set()
    return set(relationship.constraint.columns)


def _add_columns(model: ModelClass, *, pydantic: bool) -> None:
    names = attribute_names(
        (str(column.name) for column in model.table.columns), lambda name: is_taken(name, pydantic=pydantic)
    )
    for column in model.table.columns:
        attribute = ColumnAttribute(model, column)
        attribute.name = names[str(column.name)]
        model.columns.append(attribute)


def _add_references(source: ModelClass, models: dict[Table, Model]) -> None:
    """Relationships along the foreign keys of one table, in both directions."""
    keys = foreign_keys(source.table)
    ways = Counter(_way(key) for key in keys)
    for key in keys:
        target = models[key.referred_table]
        # SQLAlchemy cannot tell apart two keys of the same columns to the same table.
        if not isinstance(target, ModelClass) or ways[_way(key)] > 1:
            continue
        one = _is_unique(source.table, key)
        forth = RelationshipAttribute(
            RelationshipType.ONE_TO_ONE if one else RelationshipType.MANY_TO_ONE, source, target, key
        )
        back = RelationshipAttribute(
            RelationshipType.ONE_TO_ONE if one else RelationshipType.ONE_TO_MANY, target, source, key, backref=forth
        )
        forth.backref = back
        if len(_keys_between(source.table, target.table)) > 1:
            forth.foreign_keys = back.foreign_keys = [source.get_column_attribute(c.name) for c in key.columns]
        if source is target:
            forth.remote_side = [target.get_column_attribute(element.column.name) for element in key.elements]
            back.remote_side = [source.get_column_attribute(column.name) for column in key.columns]
        source.relationships.append(forth)
        target.relationships.append(back)


def _add_links(link: Model, models: dict[Table, Model]) -> None:
    """A relationship from each side of a table that links two classes to the other."""
    first, second = foreign_keys(link.table)
    left, right = models[first.referred_table], models[second.referred_table]
    if isinstance(left, ModelClass) and isinstance(right, ModelClass):
        forth = RelationshipAttribute(RelationshipType.MANY_TO_MANY, left, right, second, link)
        back = RelationshipAttribute(RelationshipType.MANY_TO_MANY, right, left, first, link, backref=forth)
        forth.backref = back
        left.relationships.append(forth)
        right.relationships.append(back)


def _is_link(table: Table) -> bool:
    keys = foreign_keys(table)
    if len(keys) != 2 or table.info or any(key.referred_table is table for key in keys):
        return False
    columns = [column for key in keys for column in key.columns]
    return len(columns) == len(set(columns)) and set(columns) == set(table.columns) == set(table.primary_key.columns)


def _is_unique(table: Table, key: ForeignKeyConstraint) -> bool:
    """Whether at most one row of the table refers to a row of the target."""
    columns = set(key.columns)
    return any(
        isinstance(constraint, (PrimaryKeyConstraint, UniqueConstraint)) and set(constraint.columns) == columns
        for constraint in table.constraints
    )


def _way(key: ForeignKeyConstraint) -> tuple[Table, frozenset[str]]:
    return key.referred_table, frozenset(str(column.name) for column in key.columns)


def _keys_between(one: Table, other: Table) -> list[ForeignKeyConstraint]:
    return [
        key
        for table, target in {(one, other), (other, one)}
        for key in table.foreign_key_constraints
        if key.referred_table is target
    ]


class _Namer(ExpressionRenderer):
    """sqlacodegen's names of relationships, made identifiers that are not those of columns."""

    def __init__(self, connection: Connection, *, pydantic: bool) -> None:
        super().__init__(connection)
        self.pydantic = pydantic

    def name_relationships(self, model: ModelClass) -> None:
        """Name the relationships of a class, those of its own keys first."""
        names = {attribute.name for attribute in model.columns}
        model.relationships.sort(key=lambda relationship: _own_first(model, relationship))
        for relationship in model.relationships:
            self.generate_relationship_name(relationship, set(), names)
            names.add(relationship.name)

    def find_free_name(self, name: str, global_names: set[str], local_names: Iterable[str] = ()) -> str:  # noqa: ARG002
        plain = identifier(name)
        if not plain[:1].isalpha():
            plain = f"r_{plain.lstrip('_')}"
        if keyword.iskeyword(plain) or is_taken(plain, pydantic=self.pydantic):
            plain = f"r_{plain}"
        taken = {*local_names}
        while plain in taken:
            plain += "_"
        return plain


def _own_first(model: ModelClass, relationship: RelationshipAttribute) -> int:
    return 0 if relationship.constraint is not None and relationship.constraint.table is model.table else 1
