"""What the tests of the embedded server share: how they start it, ask it and end it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg2
import pytest

from hop_tasks.database import embedded, postmaster, unprivileged
from hop_tasks.database.embedded import EmbeddedServer
from hop_tasks.errors import DatabaseError
from hop_tasks.report import DEFAULT_REPORTER

ROOT = Path(__file__).parents[2]
SITE = Path(psycopg2.__file__).parents[1]
NOBODY = pwd.getpwnam("nobody").pw_uid
for_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another account")
START = """
import sys
from pathlib import Path
from hop_tasks.database import embedded
from hop_tasks.report import DEFAULT_REPORTER
print(embedded.start(Path(sys.argv[1]), DEFAULT_REPORTER).pid, flush=True)
"""


def start(data: Path) -> EmbeddedServer:
    return embedded.start(data, DEFAULT_REPORTER)


def run_sql(server: EmbeddedServer, *statements: str, database: str = "postgres") -> object:
    """The first value that the last statement gives, if any."""
    url = server.url(database)
    connection = psycopg2.connect(
        host=url.query["host"], port=url.query["port"], user=url.username, dbname=url.database, connect_timeout=10
    )
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchone()[0] if cursor.description else None
    finally:
        connection.close()


def end(data: Path) -> None:
    pid = postmaster.live_postmaster(data)
    try:
        embedded.stop(data)
    except DatabaseError:
        if pid is not None:
            os.kill(pid, signal.SIGQUIT)
            wait_for_end(pid)
    shutil.rmtree(os.path.realpath(data), ignore_errors=True)


def wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 20
    while postmaster.is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} has not ended"
        time.sleep(0.01)


def owner_of(data: Path) -> int:
    """The user who runs servers here."""
    account = unprivileged.account_for(data)
    return account.uid if account else os.geteuid()


def python(script: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", script, *map(str, arguments)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{SITE}"}


def run_as_ordinary_user(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    account = unprivileged.Account("nobody", NOBODY, NOBODY, "/")
    probe = f"import sys; sys.path[:0] = {[str(ROOT), str(SITE)]}; import hop_tasks.database.embedded"
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            usable = unprivileged.run_program([python, "-c", probe], account).returncode == 0
        except DatabaseError:
            continue
        if usable:
            paths = f"import sys; sys.path[:0] = {[str(ROOT), str(SITE)]}\n"
            return unprivileged.run_program([python, "-c", paths + script, *map(str, arguments)], account)
    pytest.skip("no Python here that an ordinary user can run")
