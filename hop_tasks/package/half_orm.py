"""The modules of a package for half_orm: a class for each relation, where half_orm itself looks for it.

half_orm is not needed here; what its tool writes, and what its library asks for by name, is known: folders, modules,
classes, markers, names of foreign keys. It names the keys that lead back by the database too, which is not the same in
every place, so that the modules ask for it when they are imported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hop_tasks.package.half_orm_names import Place, alias_names, find_places, relation_name
from hop_tasks.package.half_orm_texts import (
    BASE_TEST,
    PACKAGE,
    RELATION,
    RELATION_TEST,
    SCHEMA,
    SQL_ADAPTER,
)
from hop_tasks.package.tables import reading
from hop_tasks.package.variables import attribute_names

if TYPE_CHECKING:
    from sqlalchemy import Connection, ForeignKeyConstraint, MetaData, Table

NOT_AS_PARAMETERS = frozenset({"self", "kwargs", "super"})
"""Columns that a constructor takes without naming them, for it needs these names itself."""


def generate_half_orm(connection: Connection) -> Mapping[str, str]:
    """The files of the package. Raises DatabaseError when the database cannot be read."""
    with reading(connection) as metadata:
        # half_orm does not know relations without columns.
        tables = [table for table in metadata.tables.values() if table.columns]
        tables.sort(key=lambda table: (str(table.schema), str(table.name)))
        places = find_places([(str(table.schema), str(table.name)) for table in tables])
        back = _keys_leading_back(metadata)
        files = {"__init__.py": PACKAGE, "base_test.py": BASE_TEST, "sql_adapter.py": SQL_ADAPTER}
        modules: dict[tuple[str, ...], list[str]] = {}
        for table in tables:
            place = places[str(table.schema), str(table.name)]
            path = "/".join((*place.folders, place.module))
            files[f"{path}.py"] = _relation(table, place, back.get(table.key, ()))
            files[f"{path}_test.py"] = _test(place)
            for depth in range(1, len(place.folders) + 1):
                modules.setdefault(place.folders[:depth], [])
            modules[place.folders].append(place.module)
        for folders, names in modules.items():
            listed = "".join(f"    {name!r},\n" for name in sorted(names))
            files["/".join((*folders, "__init__.py"))] = SCHEMA % (f"[\n{listed}]" if names else "[]")
    return files


@dataclass(frozen=True)
class _Key:
    """A foreign key of half_orm.

    Attributes:
        words: what its alias is made of.
        constraint: its name in the database.
        name: Python for the name that half_orm has for it.
    """

    words: tuple[str, ...]
    constraint: str
    name: str


def _relation(table: Table, place: Place, back: tuple[ForeignKeyConstraint, ...]) -> str:
    aliases = alias_names([str(column.name) for column in table.columns])
    names = [aliases.get(str(column.name), str(column.name)) for column in table.columns]
    parameters = [name for name in names if name not in NOT_AS_PARAMETERS and not name.startswith("__")]
    given = "".join(f"            {name!r}: {name},\n" for name in parameters)
    kind = table.info.get("kind", "table")
    words = f"The {kind} {relation_name(str(table.schema), str(table.name))}."
    return RELATION.format(
        dots="." * (len(place.folders) + 1),
        aliases=repr(aliases),
        class_name=place.class_name,
        relation=repr(relation_name(str(table.schema), str(table.name))),
        register="" if place.is_found else "@register\n",
        import_register="" if place.is_found else "from half_orm.model import register\n",
        docstring=repr(f"{words}\n\n{table.comment}" if table.comment else words),
        fkeys="".join(f"        {alias!r}: {name},\n" for alias, name in _fkeys(table, back, set(names))),
        parameters="".join(f"        {name}: typing.Any = None,\n" for name in parameters),
        given=f"{{\n{given}        }}" if given else "{}",
    )


def _test(place: Place) -> str:
    return RELATION_TEST.format(dots="." * (len(place.folders) + 1), module=place.module, class_name=place.class_name)


def _fkeys(table: Table, back: tuple[ForeignKeyConstraint, ...], columns: set[str]) -> Iterator[tuple[str, str]]:
    """An alias and the name of each foreign key of the table, and of each one that refers to it."""
    from hop_tasks.package.rendering import foreign_keys

    keys = [_Key((*_bare(key), "fk"), str(key.name), repr(str(key.name))) for key in foreign_keys(table)]
    for key in back:
        other = key.table
        source = () if other.schema == table.schema else (str(other.schema),)
        keys.append(_Key((*source, str(other.name), *_bare(key), "rfk"), str(key.name), _name_back(key)))
    plain = ["_".join(key.words) for key in keys]
    uses = Counter(plain)
    for own, text in zip(keys, plain, strict=True):
        # Two keys of the same columns are told apart by their own names.
        word = text if uses[text] == 1 else f"{own.constraint}_{own.words[-1]}"
        yield attribute_names([word], lambda name: name in columns)[word], own.name


def _bare(key: ForeignKeyConstraint) -> tuple[str, ...]:
    """The columns of a key, without the ending that says that they are one."""
    names = [str(column.name) for column in key.columns]
    return tuple(name[:-3] if name.endswith("_id") and len(name) > 3 else name for name in names)


def _name_back(key: ForeignKeyConstraint) -> str:
    """Python for half_orm's name of a key, seen from its target."""
    words = "_".join([str(key.table.schema), str(key.table.name), *(str(column.name) for column in key.columns)])
    plain = words.replace('"', "").replace(".", "_").replace(":", "_")
    return f"_reverse({plain!r})"


def _keys_leading_back(metadata: MetaData) -> dict[str, tuple[ForeignKeyConstraint, ...]]:
    """The foreign keys that refer to each table, by the key of the table in the metadata."""
    found: dict[str, list[ForeignKeyConstraint]] = {}
    for table in metadata.tables.values():
        for key in table.foreign_key_constraints:
            found.setdefault(key.referred_table.key, []).append(key)
    return {
        target: tuple(sorted(keys, key=lambda key: (str(key.table.schema), str(key.table.name), str(key.name))))
        for target, keys in found.items()
    }
