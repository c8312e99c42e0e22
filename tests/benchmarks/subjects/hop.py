"""hop, as it is installed beside this Python."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.measuring import Command
from tests.benchmarks.server import Server
from tests.benchmarks.subjects.base import Patch, Plain, patch_files
from tests.histories import write_history

HOP = str(Path(sys.executable).with_name("hop"))


@dataclass(frozen=True)
class Hop(Plain):
    """`hop upgrade` in production, from a clone with all tags, without network and without backup."""

    server: Server
    name: str = "hop"

    def prepare(self, folder: Path, patches: Sequence[Patch]) -> None:
        write_history(folder, len(patches), patch=patch_files)

    def upgrade(self, folder: Path, database: str, *, done: int) -> Command:
        return self.command(folder, database, "upgrade", "--no-fetch", production=True)

    def command(
        self,
        folder: Path,
        database: str,
        *arguments: str,
        production: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> Command:
        """Any command of hop on a database; `settings` are further variables."""
        variables = self.server.variables(database)
        # libpq's variables name the server: so the URL is the same for all servers, and without a password.
        variables |= {"HOP_DATABASE_URL": f"postgresql:///{database}", "HOP_BACKUP_FORMAT": "none", **(settings or {})}
        if production:
            variables["HOP_PRODUCTION"] = "1"
        return Command((HOP, *arguments), folder, variables)
