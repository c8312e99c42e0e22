"""half_orm's hop 0.13, the tool that hop_tasks takes over from.

It runs each file as one statement and writes the row of the registry after it, in a transaction of its own; and it
begins every upgrade with a dump, also when there is nothing to do.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.measuring import Command
from tests.benchmarks.peers import Environment
from tests.benchmarks.server import Server
from tests.benchmarks.subjects.base import Patch
from tests.histories import version_of

PROJECT = "shop"
SETTINGS = """\
[halfORM]
config_file = shop
package_name = shop
hop_version = {version}
git_origin =
devel = True
"""
FOUNDED = "INSERT INTO half_orm_meta.hop_release (major, minor, patch, changelog) VALUES (0, 0, 0, 'Initial release')"


@dataclass(frozen=True)
class HalfOrm:
    """`hop upgrade` of half_orm 0.13."""

    server: Server
    environment: Environment
    name: str = "half_orm's hop 0.13"

    @property
    def _package(self) -> Path:
        (package,) = self.environment.programs.parent.glob("lib/python*/site-packages/half_orm/packager")
        return package

    def prepare(self, folder: Path, patches: Sequence[Patch]) -> None:
        version = (self._package / "version.txt").read_text("utf-8").strip()
        changes = [f"{version}\t0.0.0\tInitial\t\n"]
        for patch in patches:
            release = version_of(patch.number)
            place = folder / "Patches" / release.folder
            place.mkdir(parents=True)
            (place / "01_item.sql").write_text(patch.sql, "utf-8")
            changes.append(f"{version}\t{release}\tsealed\tsealed\n")
        (folder / ".hop").mkdir()
        (folder / ".hop" / "config").write_text(SETTINGS.format(version=version), "utf-8")
        (folder / ".hop" / "CHANGELOG").write_text("".join(changes), "utf-8")
        (folder / ".gitignore").write_text("Backups\n", "utf-8")
        variables = self.server.variables(PROJECT)
        for words in (["init", "--initial-branch=hop_main"], ["add", "."], ["commit", "--message=Releases"]):
            subprocess.run(["git", *words], cwd=folder, env=variables, check=True, capture_output=True)

    def found(self, database: str) -> None:
        script = self._package / "patches" / "sql" / "half_orm_meta.sql"
        words = [self.server.program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(script)]
        subprocess.run(words, env=self.server.variables(database), check=True, capture_output=True)
        self.server.execute(FOUNDED, database=database)

    def get_ready(self, folder: Path) -> None:
        """It refuses to dump a release twice."""
        shutil.rmtree(folder / "Backups", ignore_errors=True)

    def upgrade(self, folder: Path, database: str, *, done: int) -> Command:
        return self.command(folder, database, "upgrade", production=True)

    def command(self, folder: Path, database: str, *arguments: str, production: bool = False) -> Command:
        """Any command of its hop; it finds the database through a file, which is written here."""
        settings = folder.parent / f"{folder.name}.settings"
        settings.mkdir(exist_ok=True)
        keywords = self.server.keywords
        lines = ["[database]", f"name = {database}", f"production = {production}"]
        lines += [f"{name} = {keywords[name]}" for name in ("user", "password", "host", "port") if name in keywords]
        (settings / PROJECT).write_text("\n".join(lines) + "\n", "utf-8")
        variables = {**self.server.variables(database), "HALFORM_CONF_DIR": str(settings)}
        return Command((self.environment.program("hop"), *arguments), folder, variables)
