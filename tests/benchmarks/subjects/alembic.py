"""Alembic: a chain of revisions, one transaction each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.measuring import Command
from tests.benchmarks.peers import Environment
from tests.benchmarks.server import Server
from tests.benchmarks.subjects.base import Patch, Plain

SETTINGS = "[alembic]\nscript_location = %(here)s\npath_separator = os\n"

SURROUNDINGS = """\
import os

from alembic import context
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

engine = create_engine("postgresql+psycopg2:///" + os.environ["PGDATABASE"], poolclass=NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
"""

REVISION = '''\
"""{message}"""

from alembic import op

revision = "{revision}"
down_revision = {previous!r}


def upgrade():
    op.execute(
        """
{sql}"""
    )
'''


@dataclass(frozen=True)
class Alembic(Plain):
    """`alembic upgrade head`."""

    server: Server
    environment: Environment
    name: str = "Alembic"

    def prepare(self, folder: Path, patches: Sequence[Patch]) -> None:
        versions = folder / "versions"
        versions.mkdir(parents=True)
        (folder / "alembic.ini").write_text(SETTINGS, "utf-8")
        (folder / "env.py").write_text(SURROUNDINGS, "utf-8")
        previous = None
        for patch in patches:
            text = REVISION.format(message=patch.message, revision=patch.digits, previous=previous, sql=patch.sql)
            (versions / f"{patch.digits}_release.py").write_text(text, "utf-8")
            previous = patch.digits

    def upgrade(self, folder: Path, database: str, *, done: int) -> Command:
        words = (self.environment.program("alembic"), "upgrade", "head")
        return Command(words, folder, self.server.variables(database))
