"""What the patch files of the model do: to a real database as SQL, and to the model of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache

from hop_tasks.errors import PatchError
from hop_tasks.versions import Version

START = """
CREATE TABLE counter (n numeric NOT NULL);
CREATE TABLE entry (k integer NOT NULL);
INSERT INTO counter VALUES (1);
"""
"""The first release, which all have at the beginning."""


class Kind(Enum):
    """The kinds of patch files, with their text."""

    TABLE = "CREATE TABLE table_{k} (id integer PRIMARY KEY);\n"
    COLUMN = "ALTER TABLE counter ADD COLUMN column_{k} integer;\n"
    ENTRY = "INSERT INTO entry VALUES ({k});\n"
    DOUBLE = "UPDATE counter SET n = n * 2 + {k};\n"
    INDEX = "CREATE INDEX CONCURRENTLY index_{k} ON counter (n);\n"
    STRICT = "ALTER TABLE entry ADD CONSTRAINT strict_{k} CHECK (k > 0);\n"
    BROKEN = "UPDATE counter SET n = n * 2 + {k};\nSELECT 1 / 0;\n"


@dataclass(frozen=True)
class PatchFile:
    """A patch file: its name, what it does, and the number that makes it another one than all others."""

    name: str
    kind: Kind
    number: int

    @property
    def text(self) -> str:
        return self.kind.value.format(k=self.number)


Files = tuple[PatchFile, ...]
Rows = tuple[tuple[Version, Files], ...]
"""What the registry of a database should say: each release that it has had, with the files that ran for it."""

BEGINNING: Rows = ((Version(0, 0, 0), ()), (Version(0, 0, 1), ()))


@dataclass(frozen=True)
class Content:
    """What is in a database: the counter, the entries, and the names of all that was made.

    The counter shows it if a file is skipped or runs twice or in another order.
    """

    n: int = 1
    entries: tuple[int, ...] = ()
    names: frozenset[str] = frozenset()

    def typed(self, entry: int) -> Content:
        """With one more entry."""
        return replace(self, entries=tuple(sorted((*self.entries, entry))))

    def without_bad_entries(self) -> Content:
        """Without the entries that no strict rule allows."""
        return replace(self, entries=tuple(entry for entry in self.entries if entry > 0))

    @property
    def is_strict(self) -> bool:
        """Whether a bad entry would be refused."""
        return any(name.startswith("strict_") for name in self.names)

    def after(self, files: Sequence[PatchFile]) -> Content:
        """After some files have run. Raises PatchError if one fails."""
        content = self
        for file in files:
            content = content._after(file.kind, file.number)
        return content

    def _after(self, kind: Kind, number: int) -> Content:
        if kind is Kind.BROKEN or (kind is Kind.STRICT and any(entry <= 0 for entry in self.entries)):
            raise PatchError("it fails in the model")
        if kind is Kind.DOUBLE:
            return replace(self, n=self.n * 2 + number)
        if kind is Kind.ENTRY:
            return self.typed(number)
        return replace(self, names=self.names | {f"{kind.name.lower()}_{number}"})


def steps_of(files: Files) -> tuple[Files, ...]:
    """The files that share a transaction: all of them, but for an index, which is built by itself."""
    steps: list[list[PatchFile]] = [[]]
    for file in files:
        if file.kind is Kind.INDEX:
            steps += [[file], []]
        else:
            steps[-1].append(file)
    return tuple(tuple(step) for step in steps if step)


@cache
def content_of(rows: Rows) -> Content:
    """What is in a database that has had these releases and nothing else."""
    if rows == BEGINNING:
        return Content()
    return content_of(rows[:-1]).after(rows[-1][1])
