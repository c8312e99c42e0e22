"""Where half_orm looks for the class of a relation, and what can be called so in Python."""

from __future__ import annotations

import hashlib
import keyword
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hop_tasks.package.variables import attribute_names, identifier

TAKEN_FOLDERS = frozenset({"base_test", "sql_adapter"})
"""Modules that stand beside the folders of the schemas."""


@dataclass(frozen=True)
class Place:
    """Where the class of a relation stands.

    Attributes:
        folders: the folders of its schema, one for each part of the schema's name between dots.
        module: the name of the module.
        class_name: the name of the class.
        is_found: whether half_orm finds it there by itself.
    """

    folders: tuple[str, ...]
    module: str
    class_name: str
    is_found: bool


def find_places(relations: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Place]:
    """A place for each relation, by schema and name.

    Of those that would share one, in a file system that does not tell capitals from small letters either, only the one
    of small letters, which half_orm looks for there, has it: a suffix made from its own name tells each other apart.
    """
    folders = _folders(sorted({schema for schema, _ in relations}))
    taken = {tuple(part.lower() for part in path) for path in folders.values()}
    plain = {relation: (*folders[relation[0]], _part(relation[1])) for relation in relations}
    uses = Counter(tuple(part.lower() for part in path) for path in plain.values())
    places = {}
    for (schema, name), path in plain.items():
        low = tuple(part.lower() for part in path)
        shared = (uses[low] > 1 and path[-1] != name.lower()) or low in taken
        # The test of one relation must not be the module of another.
        is_test = low[-1].endswith("_test") and (*low[:-1], low[-1][: -len("_test")]) in uses
        module = f"{path[-1]}_{_checksum(schema, name)}" if shared or is_test or path[-1] == "__init__" else path[-1]
        class_name = _class_name(name)
        found = (*path[:-1], module) == (*schema.split("."), name) and class_name == camel_case(name)
        places[schema, name] = Place(folders[schema], module, class_name, found)
    return places


def relation_name(schema: str, name: str) -> str:
    """A relation as half_orm is asked for it: `schema.name`, quoted where it must be."""
    parts = [*schema.split("."), name]
    if "." not in name and all(part.isidentifier() for part in parts):
        return ".".join(parts)
    return ".".join('"' + part.replace('"', '""') + '"' for part in (schema, name))


def alias_names(columns: Sequence[str]) -> dict[str, str]:
    """A name in Python for each column whose own name cannot be one."""
    names = attribute_names(columns, lambda name: name == "self")
    return {
        column: name
        for column, name in names.items()
        if not column.isidentifier() or keyword.iskeyword(column) or column == "self"
    }


def camel_case(name: str) -> str:
    """The name of a class as half_orm makes it from that of a relation."""
    words = "".join(letter if letter.isalnum() else " " for letter in name.lower()).split()
    return "".join(word[0].upper() + word[1:] for word in words)


def _class_name(name: str) -> str:
    words = identifier(camel_case(name))
    words = words if words[:1].isalpha() else f"T{words}"
    return f"{words}_" if keyword.iskeyword(words) or words == "MODEL" else words


def _folders(schemas: Sequence[str]) -> dict[str, tuple[str, ...]]:
    plain = {schema: tuple(_part(part) for part in schema.split(".")) for schema in schemas}
    uses = Counter(tuple(part.lower() for part in path) for path in plain.values())
    found = {}
    for schema, path in plain.items():
        shared = uses[tuple(part.lower() for part in path)] > 1 and path != tuple(schema.lower().split("."))
        shared = shared or path[0] in TAKEN_FOLDERS
        found[schema] = (*path[:-1], f"{path[-1]}_{_checksum(schema)}") if shared else path
    return found


def _part(name: str) -> str:
    """One folder or module for a name."""
    words = identifier(name)
    if not words[:1].isalpha() and words[:1] != "_":
        words = f"r_{words}"
    return f"{words}_" if keyword.iskeyword(words) else words


def _checksum(*names: str) -> str:
    return hashlib.sha256("\0".join(names).encode()).hexdigest()[:8]
