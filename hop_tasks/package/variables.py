"""Names in Python for schemas, tables and columns: for each one that is its own, whatever else there is.

A name that two things would share is given to neither: each gets a suffix made from its own name alone, so that nothing
ever takes over the name of another.
"""

from __future__ import annotations

import hashlib
import keyword
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

DEFAULT_SCHEMA = "public"

Name = tuple[str, ...]
"""A schema; or a schema and a table in it."""

AnyName = TypeVar("AnyName", bound=Name)


def variable_names(tables: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """A variable for each schema and table: `t_table` in the schema public, `t_schema_table` in every other."""
    return _unshared(tables, lambda table: identifier(f"t_{_joined(table)}"))


def class_names(tables: Iterable[tuple[str, str]], taken: Collection[str]) -> dict[tuple[str, str], str]:
    """A class for each schema and table: `Table` in the schema public, `SchemaTable` in every other.

    Args:
        tables: schema and name of each.
        taken: names that mean something else where the classes stand; such a class gets an underscore.
    """

    def plain(table: tuple[str, str]) -> str:
        words = [part[:1].upper() + part[1:] for part in identifier(_joined(table)).split("_")]
        name = "".join(words) or "T"
        # A class is told from a module and from a variable by its first letter.
        name = name if name[0].isupper() else f"T{name}"
        return f"{name}_" if name in taken or keyword.iskeyword(name) else name

    return _unshared(tables, plain)


def module_names(schemas: Iterable[str], taken: Collection[str]) -> dict[str, str]:
    """A module for each schema: its name in lower case, since folders may not tell capitals from small letters.

    Args:
        schemas: their names.
        taken: names that mean something else in the package of the modules. A schema that is called so, or like a
            variable or a module of hop's (`t_…`, `_…`), is told apart in the same way as two that would share a name.
    """

    def plain(schema: tuple[str]) -> str:
        name = identifier(schema[0].lower())
        return name if name[0].isalpha() else f"s_{name}"

    given = [(schema,) for schema in schemas]
    names = _unshared(given, plain)
    for key, name in names.items():
        if name in taken or keyword.iskeyword(name) or name.startswith("t_"):
            names[key] = f"s_{name}_{_checksum(key)}" if name.startswith("t_") else f"{name}_{_checksum(key)}"
    return {key[0]: name for key, name in names.items()}


def attribute_names(columns: Iterable[str], taken: Callable[[str], bool]) -> dict[str, str]:
    """An attribute for each column: the column's own name wherever it can be one.

    Args:
        columns: the names of all columns of a table.
        taken: whether a name means something else in the body of a class; such a column gets an underscore behind it.
    """

    def plain(column: tuple[str]) -> str:
        name = identifier(column[0])
        if not name[0].isalpha():
            # What begins with underscores is changed by Python in a class, and private to what is built on it.
            name = f"c_{name.lstrip('_')}"
        name = f"{name}_" if taken(name) or keyword.iskeyword(name) else name
        # Names may be taken by how they begin, too.
        return f"c_{name}" if taken(name) else name

    return {key[0]: name for key, name in _unshared(((column,) for column in columns), plain).items()}


def identifier(words: str) -> str:
    """The words with an underscore for each letter that no identifier can have, as Python itself would spell them."""
    # Python takes two spellings of one letter for the same name.
    normal = unicodedata.normalize("NFKC", words)
    return "".join(letter if f"t{letter}".isidentifier() else "_" for letter in normal)


def _joined(table: tuple[str, str]) -> str:
    schema, name = table
    return name if schema == DEFAULT_SCHEMA else f"{schema}_{name}"


def _unshared(names: Iterable[AnyName], plain: Callable[[AnyName], str]) -> dict[AnyName, str]:
    chosen = {name: plain(name) for name in names}
    uses = Counter(chosen.values())
    return {name: text if uses[text] == 1 else f"{text}_{_checksum(name)}" for name, text in chosen.items()}


def _checksum(name: Name) -> str:
    return hashlib.sha256("\0".join(name).encode()).hexdigest()[:8]
