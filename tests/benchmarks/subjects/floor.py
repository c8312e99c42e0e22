"""The floor: one psql that runs one file, with a transaction and a row of a registry for each release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.measuring import Command
from tests.benchmarks.server import Server
from tests.benchmarks.subjects.base import Patch, Plain

REGISTRY = (
    "CREATE TABLE registry (\n    release integer PRIMARY KEY,\n    message text NOT NULL,\n"
    "    at timestamptz NOT NULL DEFAULT clock_timestamp()\n);\n"
)


@dataclass(frozen=True)
class Floor(Plain):
    """psql."""

    server: Server
    name: str = "psql (floor)"

    def prepare(self, folder: Path, patches: Sequence[Patch]) -> None:
        folder.mkdir(parents=True)
        releases = [
            f"BEGIN;\n{p.sql}INSERT INTO registry (release, message) VALUES ({p.number}, '{p.message}');\nCOMMIT;\n"
            for p in patches
        ]
        (folder / "0.sql").write_text(REGISTRY + "".join(releases), "utf-8")
        (folder / f"{len(patches) - 1}.sql").write_text(releases[-1], "utf-8")
        (folder / f"{len(patches)}.sql").write_text("SELECT max(release) FROM registry;\n", "utf-8")
        if len(patches) == 1:
            (folder / "0.sql").write_text(REGISTRY + releases[0], "utf-8")

    def upgrade(self, folder: Path, database: str, *, done: int) -> Command:
        return psql(self.server, folder, database, folder / f"{done}.sql")


def psql(server: Server, folder: Path, database: str, file: Path) -> Command:
    """One psql that runs one file and stops at the first error."""
    words = (server.program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(file))
    return Command(words, folder, server.variables(database))
