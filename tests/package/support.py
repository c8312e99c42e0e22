"""What tests of generated modules have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from hop_tasks.package import BEGIN_KEPT, END_KEPT, KEPT_MARK, find_generator
from hop_tasks.versions import Version

BEGIN, END = BEGIN_KEPT.decode(), END_KEPT.decode()

KEPT_MODULE = f'"""{KEPT_MARK}"""\nX = 1\n{BEGIN}\n{END}\nclass A:\n    {BEGIN}\n\n    {END}\n    y = 2\n    {BEGIN}\n'
"""A module with three places for code of the user's, as half_orm's have them."""


@dataclass(frozen=True)
class FixedGenerator:
    """Gives the same modules for every database."""

    modules: Mapping[str, str]
    name: str = "fixed"

    def generate(self, connection: Connection, release: Version | None) -> Mapping[str, str]:
        return self.modules


AWKWARD = Path(__file__).with_name("awkward.sql")
"""A script that makes everything that is hard to write as Python."""

NAMES = AWKWARD.with_name("names.sql")
"""A script that makes more names and foreign keys of the kind, after the other one."""


def run_script(connection: Connection, script: str) -> None:
    """Run a script of several statements as it is: neither colons nor percent signs mean anything."""
    connection.exec_driver_sql(script, execution_options={"no_parameters": True})


def generate(connection: Connection, release: Version | None = None, generator: str = "tables") -> dict[str, str]:
    """The texts of the package for a database, by their paths."""
    return dict(find_generator(generator).generate(connection, release))


def generate_text(connection: Connection) -> str:
    """All texts of the package `tables` for a database, one behind the other."""
    return "".join(generate(connection).values())
