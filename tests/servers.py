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


@dataclass(frozen=True)
class GivenServer:
    """The server that HOP_TEST_URL names."""

    url: str
    name: str = "HOP_TEST_URL"

    @contextmanager
    def running(self, folder: Path) -> Iterator[str]:
        yield self.url


@dataclass(frozen=True)
class EmbeddedServer:
    """The server of the wheel."""

    name: str = "embedded"

    @contextmanager
    def running(self, folder: Path) -> Iterator[str]:
        data = folder / "pgdata"
        server = embedded.start(data, LoggingReporter())
        # Tests throw their data away: the disk need not have it.
        _execute(server.url("postgres"), "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        try:
            yield server.url("postgres").render_as_string(hide_password=False)
        finally:
            target = data.resolve()
            embedded.stop(data)
            shutil.rmtree(target)


@dataclass(frozen=True)
class InstalledServer:
    """A server whose programs are in a folder of the system."""

    name: str
    programs: Path

    @contextmanager
    def running(self, folder: Path) -> Iterator[str]:
        # Not below pytest's folder, which an unprivileged account cannot enter.
        base = Path(tempfile.mkdtemp(prefix="hop-test-"))
        data = base / "data"
        account = account_for(data)
        if account:
            os.chown(base, account.uid, account.gid)
        try:
            self._run(account, "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
            options = f"-k '{base}' -c listen_addresses='' -c fsync=off -c jit=off"
            self._run(account, "pg_ctl", "-D", data, "-w", "-l", base / "log", "-o", options, "start")
            try:
                query = {"host": str(base), "port": "5432"}
                url = URL.create("postgresql+psycopg2", username="postgres", database="postgres", query=query)
                yield url.render_as_string(hide_password=False)
            finally:
                self._run(account, "pg_ctl", "-D", data, "-m", "fast", "-w", "stop")
        finally:
            shutil.rmtree(base)

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


def _execute(url: URL, *statements: str) -> None:
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    with create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
