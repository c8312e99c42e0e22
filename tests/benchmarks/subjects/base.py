"""What the workloads ask of a tool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.benchmarks.measuring import Command


@dataclass(frozen=True)
class Patch:
    """One release: a table and a row in it, the same text for every tool."""

    number: int

    @property
    def sql(self) -> str:
        return (
            f"CREATE TABLE item_{self.number} (\n    id integer PRIMARY KEY,\n    name text NOT NULL\n);\n"
            f"INSERT INTO item_{self.number} VALUES ({self.number}, 'item {self.number}');\n"
        )

    @property
    def message(self) -> str:
        return f"release number {self.number}"

    @property
    def digits(self) -> str:
        """The number as a name that sorts."""
        return f"{self.number:05d}"


def patch_files(number: int) -> Mapping[str, str]:
    """The same release as `write_history` asks for it."""
    return {"01_item.sql": Patch(number).sql}


class Subject(Protocol):
    """A tool that brings a database to the newest release of a folder."""

    @property
    def name(self) -> str:
        """As the report shows it."""

    def prepare(self, folder: Path, patches: Sequence[Patch]) -> None:
        """Write a project with these releases; the folder does not exist."""

    def found(self, database: str) -> None:
        """Whatever the tool needs in an empty database before its first release; not measured."""

    def get_ready(self, folder: Path) -> None:
        """Remove what the run before left in the folder and the next would stumble over; not measured."""

    def upgrade(self, folder: Path, database: str, *, done: int) -> Command:
        """The command that brings a database, which has that many releases, to the newest one of the folder."""


class Plain:
    """A tool that needs nothing in the database and leaves nothing in the folder."""

    def found(self, database: str) -> None:
        """Nothing."""

    def get_ready(self, folder: Path) -> None:
        """Nothing."""
