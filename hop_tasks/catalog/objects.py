"""A catalog as a value: its objects, its fingerprint, and how it differs from another one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

PARTS = frozenset({"column", "constraint", "index", "trigger", "rule", "policy", "comment", "extension dependency"})
"""Kinds of object that belong to another object; they come after the others in a difference."""


@dataclass(frozen=True)
class CatalogObject:
    """One object of a database.

    Attributes:
        kind: in PostgreSQL's words, such as ``table`` or ``text search configuration``.
        identity: its qualified name, quoted where SQL asks for quotes; unique among the objects of its kind.
        definition: everything else about it, as text.
    """

    kind: str
    identity: str
    definition: str

    @property
    def digest(self) -> str:
        """The definition's SHA-256, in hexadecimal."""
        return hashlib.sha256(self.definition.encode()).hexdigest()


@dataclass(frozen=True)
class CatalogDifference:
    """What differs between an expected catalog and the one that was found; true if anything does.

    Each object is named by its kind and its identity, such as ``table shop.sale``; the parts of other objects
    (columns, constraints, indexes, triggers, rules, policies, comments) come last.

    Attributes:
        missing: objects of the expected catalog only.
        unexpected: objects of the found catalog only.
        changed: objects of both whose definitions differ.
    """

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.changed)

    def summary(self, limit: int = 5) -> str:
        """One line that names at most `limit` objects of each sort of difference, or ``no difference``."""
        sorts = (("changed", self.changed), ("missing", self.missing), ("unexpected", self.unexpected))
        return "; ".join(_listed(word, names, limit) for word, names in sorts if names) or "no difference"


@dataclass(frozen=True)
class Catalog:
    """All objects of a database that a release is answerable for, sorted by kind and identity."""

    objects: tuple[CatalogObject, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "objects", tuple(sorted(self.objects, key=_fields)))

    @property
    def fingerprint(self) -> str:
        """``sha256:`` and a hash, in hexadecimal, over kind, identity and definition of every object."""
        total = hashlib.sha256()
        for entry in self.objects:
            # JSON keeps the three apart whatever characters they hold.
            total.update(json.dumps(_fields(entry)).encode() + b"\n")
        return f"sha256:{total.hexdigest()}"

    def compare(self, other: Catalog) -> CatalogDifference:
        """How `other`, the catalog that was found, differs from this one, the expected one."""
        expected, found = _definitions(self), _definitions(other)
        common = expected.keys() & found.keys()
        return CatalogDifference(
            missing=_names(expected.keys() - common),
            unexpected=_names(found.keys() - common),
            changed=_names(key for key in common if expected[key] != found[key]),
        )


def _fields(entry: CatalogObject) -> tuple[str, str, str]:
    return (entry.kind, entry.identity, entry.definition)


def _definitions(catalog: Catalog) -> Mapping[tuple[str, str], str]:
    return {(entry.kind, entry.identity): entry.definition for entry in catalog.objects}


def _names(keys: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    ordered = sorted(keys, key=lambda key: (key[0] in PARTS, key))
    return tuple(f"{kind} {identity}" for kind, identity in ordered)


def _listed(word: str, names: tuple[str, ...], limit: int) -> str:
    rest = len(names) - limit
    text = ", ".join(names[:limit]) + (f" and {rest} more" if rest > 0 else "")
    # A quoted identifier may hold a line feed or a control character; a summary is one line.
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return f"{len(names)} {word}: {shown}"
