"""Names of Python variables for tables."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable

DEFAULT_SCHEMA = "public"


def variable_names(tables: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """A variable for each schema and table: `t_table` in the schema public, `t_schema_table` in every other.

    A name that two tables would share is given to neither: each gets a suffix made from its own name alone, so that
    no table ever takes over the variable of another.
    """
    plain = {table: _identifier(table) for table in tables}
    uses = Counter(plain.values())
    return {table: name if uses[name] == 1 else f"{name}_{_checksum(table)}" for table, name in plain.items()}


def _identifier(table: tuple[str, str]) -> str:
    schema, name = table
    words = f"t_{name}" if schema == DEFAULT_SCHEMA else f"t_{schema}_{name}"
    # Python takes two spellings of one letter for the same name.
    normal = unicodedata.normalize("NFKC", words)
    return "".join(letter if f"t{letter}".isidentifier() else "_" for letter in normal)


def _checksum(table: tuple[str, str]) -> str:
    return hashlib.sha256("\0".join(table).encode()).hexdigest()[:8]
