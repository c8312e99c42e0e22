"""The same tools in development: a release that is applied again, and undone, over a database with rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hop_tasks.settings import PARSERS
from tests.benchmarks.measuring import Command, measure
from tests.benchmarks.peers import Environment
from tests.benchmarks.server import Server
from tests.benchmarks.subjects.base import Patch
from tests.benchmarks.subjects.floor import psql
from tests.benchmarks.subjects.half_orm import PROJECT, HalfOrm
from tests.benchmarks.subjects.hop import Hop

PATCH = Patch(1)
RELEASE_FOLDER = "Patches/0/0/1"
PATCH_FILE = f"{RELEASE_FOLDER}/01_item.sql"


class Developer(Protocol):
    """A tool in development, with a database of its own."""

    @property
    def name(self) -> str:
        """As the report shows it."""

    @property
    def database(self) -> str:
        """The name of its database."""

    def prepare(self, base: str, folder: Path) -> None:
        """Copy the base, and apply the release to it for the first time, in a folder that does not exist yet."""

    def get_ready(self) -> None:
        """Whatever is not measured and has to be there before each apply or undo."""

    def apply(self) -> Command:
        """Apply the release again, over itself or after an undo."""

    def undo(self) -> Command | None:
        """Back to the base; None for a tool that cannot."""


@dataclass
class PsqlDeveloper:
    """What the floors have in common: a database of their own, and files for psql."""

    server: Server
    name: str
    suffix: str
    base: str = ""
    folder: Path = Path()

    @property
    def database(self) -> str:
        return self.server.name("dev", self.suffix)

    def prepare(self, base: str, folder: Path) -> None:
        self.base, self.folder = base, folder
        folder.mkdir(parents=True)
        self.server.create(self.database, base)

    def get_ready(self) -> None:
        """Nothing."""

    def run(self, database: str, *lines: str) -> Command:
        file = self.folder / "file.sql"
        file.write_text("\n".join(lines) + "\n", "utf-8")
        return psql(self.server, self.folder, database, file)

    @property
    def maintenance(self) -> str:
        return str(self.server.url.database or "postgres")


@dataclass
class CloneFloor(PsqlDeveloper):
    """Drop, clone, patch: the database is away meanwhile, also if the patch fails."""

    name: str = "psql: drop, clone, patch (floor)"
    suffix: str = "clone"

    def apply(self) -> Command:
        return self.run(self.maintenance, *self._clone(), f"\\connect {self.database}", "BEGIN;", PATCH.sql, "COMMIT;")

    def undo(self) -> Command:
        return self.run(self.maintenance, *self._clone())

    def _clone(self) -> tuple[str, ...]:
        return (
            f'DROP DATABASE "{self.database}";',
            f"{self.server.clone(self.database, self.base)};",
        )


@dataclass
class SwapFloor(PsqlDeveloper):
    """A clone that is ready beforehand is patched and takes the database's place by two renames."""

    name: str = "psql: patch and swap a ready clone (floor)"
    suffix: str = "swap"

    def get_ready(self) -> None:
        self.server.drop(f"{self.database}_old")
        self.server.create(f"{self.database}_spare", self.base)

    def apply(self) -> Command:
        patch = (f"\\connect {self.database}_spare", "BEGIN;", PATCH.sql, "COMMIT;", f"\\connect {self.maintenance}")
        return self.run(self.maintenance, *patch, *self._swap())

    def undo(self) -> Command:
        return self.run(self.maintenance, *self._swap())

    def _swap(self) -> tuple[str, ...]:
        return (
            f'ALTER DATABASE "{self.database}" RENAME TO "{self.database}_old";',
            f'ALTER DATABASE "{self.database}_spare" RENAME TO "{self.database}";',
        )


@dataclass
class IdempotentFloor(PsqlDeveloper):
    """As graphile-migrate does it: the patch begins by removing what it made, and runs in the same database."""

    name: str = "psql: idempotent patch, in place (floor)"
    suffix: str = "place"

    def apply(self) -> Command:
        drop = f"DROP TABLE IF EXISTS item_{PATCH.number};"
        return self.run(self.database, "SET client_min_messages = warning;", "BEGIN;", drop, PATCH.sql, "COMMIT;")

    def undo(self) -> None:
        return None


@dataclass
class HopDeveloper:
    """`hop apply` and `hop undo`."""

    server: Server
    spare: bool
    folder: Path = Path()

    @property
    def name(self) -> str:
        return "hop" if self.spare else "hop, no spare"

    @property
    def database(self) -> str:
        return self.server.name("dev", "spare" if self.spare else "plain")

    def prepare(self, base: str, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder / PROJECT
        self.server.create(self.database, base)
        measure(self._command(folder, "new", PROJECT, "--devel"))
        measure(self._command(self.folder, "prepare", "--level=patch", "--message=Items"))
        (self.folder / PATCH_FILE).write_text(PATCH.sql, "utf-8")
        measure(self.apply(), detached=True)

    def get_ready(self) -> None:
        """Nothing."""

    def apply(self) -> Command:
        return self._command(self.folder, "apply")

    def undo(self) -> Command:
        return self._command(self.folder, "undo")

    def _command(self, folder: Path, *arguments: str) -> Command:
        # Named in both cases: the default is another one where the variable CI is set.
        more = {"HOP_SPARE": "1" if self.spare else "0"} if has_spares() else {}
        return Hop(self.server).command(folder, self.database, *arguments, settings=more)


@dataclass
class HalfOrmDeveloper:
    """The same with half_orm's hop: a dump, restored by psql."""

    server: Server
    environment: Environment
    name: str = "half_orm's hop 0.13"
    folder: Path = Path()

    @property
    def database(self) -> str:
        return self.server.name("dev", "half_orm")

    def prepare(self, base: str, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder / PROJECT
        self.server.create(self.database, base)
        measure(self._command(folder, "new", PROJECT, "--devel"))
        measure(self._command(self.folder, "prepare", "--level=patch", "--message=Items"))
        (self.folder / PATCH_FILE).write_text(PATCH.sql, "utf-8")
        measure(self.apply())

    def get_ready(self) -> None:
        """Nothing."""

    def apply(self) -> Command:
        return self._command(self.folder, "apply")

    def undo(self) -> Command:
        return self._command(self.folder, "undo")

    def _command(self, folder: Path, *arguments: str) -> Command:
        return HalfOrm(self.server, self.environment).command(folder, self.database, *arguments)


def developers(server: Server, peers: dict[str, Environment]) -> Sequence[Developer]:
    """All that can be measured; hop without spares too, where it has them."""
    found: list[Developer] = [SwapFloor(server), CloneFloor(server), IdempotentFloor(server)]
    found += [HopDeveloper(server, spare) for spare in ((True, False) if has_spares() else (True,))]
    if "half-orm" in peers:
        found.append(HalfOrmDeveloper(server, peers["half-orm"]))
    return found


def has_spares() -> bool:
    return "spare" in PARSERS
