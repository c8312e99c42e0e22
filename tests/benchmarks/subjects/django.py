"""Django's migrations: RunSQL, one transaction each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.measuring import Command
from tests.benchmarks.peers import Environment
from tests.benchmarks.server import Server
from tests.benchmarks.subjects.base import Patch, Plain

SETTINGS = """\
import os

DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PGDATABASE"]}}
INSTALLED_APPS = ["shop"]
USE_TZ = True
"""

MIGRATION = '''\
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = {dependencies!r}
    operations = [
        migrations.RunSQL(
            """
{sql}"""
        )
    ]
'''


@dataclass(frozen=True)
class Django(Plain):
    """`python -m django migrate`, with no app but one, and without system checks."""

    server: Server
    environment: Environment
    name: str = "Django"

    def prepare(self, folder: Path, patches: Sequence[Patch]) -> None:
        migrations = folder / "shop" / "migrations"
        migrations.mkdir(parents=True)
        (folder / "settings.py").write_text(SETTINGS, "utf-8")
        (folder / "shop" / "__init__.py").touch()
        (migrations / "__init__.py").touch()
        dependencies: list[tuple[str, str]] = []
        for patch in patches:
            name = f"{patch.digits}_release"
            text = MIGRATION.format(dependencies=dependencies, sql=patch.sql)
            (migrations / f"{name}.py").write_text(text, "utf-8")
            dependencies = [("shop", name)]

    def upgrade(self, folder: Path, database: str, *, done: int) -> Command:
        words = (self.environment.program("python"), "-m", "django", "migrate")
        variables = {**self.server.variables(database), "DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(folder)}
        return Command((*words, "--no-input", "--skip-checks", "--verbosity=0"), folder, variables)
