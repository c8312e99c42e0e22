"""yoyo-migrations: files of SQL, one transaction each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.measuring import Command
from tests.benchmarks.peers import Environment
from tests.benchmarks.server import Server
from tests.benchmarks.subjects.base import Patch, Plain


@dataclass(frozen=True)
class Yoyo(Plain):
    """`yoyo apply`."""

    server: Server
    environment: Environment
    name: str = "yoyo"

    def prepare(self, folder: Path, patches: Sequence[Patch]) -> None:
        migrations = folder / "migrations"
        migrations.mkdir(parents=True)
        for patch in patches:
            (migrations / f"{patch.digits}_release.sql").write_text(patch.sql, "utf-8")

    def upgrade(self, folder: Path, database: str, *, done: int) -> Command:
        words = (self.environment.program("yoyo"), "apply", "--batch", "--no-config-file")
        return Command(
            (*words, "--database", f"postgresql:///{database}", "migrations"), folder, self.server.variables(database)
        )
