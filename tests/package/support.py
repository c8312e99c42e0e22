"""What tests of generated modules have in common."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from hop_tasks.package import find_generator
from hop_tasks.versions import Version

AWKWARD = Path(__file__).with_name("awkward.sql")
"""A script that makes everything that is hard to write as Python."""


def run_script(connection: Connection, script: str) -> None:
    """Run a script of several statements as it is: neither colons nor percent signs mean anything."""
    connection.exec_driver_sql(script, execution_options={"no_parameters": True})


def generate(connection: Connection, release: Version | None = None, generator: str = "tables") -> dict[str, str]:
    """The texts of the package for a database, by their paths."""
    return dict(find_generator(generator).generate(connection, release))


def generate_text(connection: Connection) -> str:
    """All texts of the package `tables` for a database, one behind the other."""
    return "".join(generate(connection).values())
