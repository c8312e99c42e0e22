"""yandex-pgmigrate: files of SQL, one transaction each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.measuring import Command
from tests.benchmarks.peers import Environment
from tests.benchmarks.server import Server
from tests.benchmarks.subjects.base import Patch, Plain


@dataclass(frozen=True)
class Pgmigrate(Plain):
    """`pgmigrate migrate --ungroup`."""

    server: Server
    environment: Environment
    name: str = "pgmigrate"

    def prepare(self, folder: Path, patches: Sequence[Patch]) -> None:
        migrations = folder / "migrations"
        migrations.mkdir(parents=True)
        for patch in patches:
            (migrations / f"V{patch.digits}__release.sql").write_text(patch.sql, "utf-8")

    def upgrade(self, folder: Path, database: str, *, done: int) -> Command:
        words = (self.environment.program("pgmigrate"), "-t", "latest", "-d", str(folder), "-c", f"dbname={database}")
        return Command((*words, "--ungroup", "migrate"), folder, self.server.variables(database))
