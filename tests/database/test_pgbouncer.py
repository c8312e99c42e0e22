"""Behind a real PgBouncer: a pool that gives each statement another session is refused, one in session mode works."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import URL, make_url

from hop_tasks.database.engines import Database
from hop_tasks.database.locks import lock_key, locked
from hop_tasks.errors import DatabaseError, LockedError
from tests.database.connecting import connect

PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
PGBOUNCER = shutil.which("pgbouncer", path=PATH)
pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="the program pgbouncer is not installed")

Pool = Callable[..., Database]


@pytest.fixture
def pool(server_url: str) -> Iterator[Pool]:
    """Starts PgBouncer in front of the server, in a mode, and gives a database as it is reached through it."""
    with ExitStack() as stack:

        def start(mode: str, database: str, *, size: int = 20, only: str = "*", more: str = "") -> Database:
            port = stack.enter_context(pgbouncer(make_url(server_url), mode, size, only, more))
            return Database(
                make_url(server_url)
                .set(host="127.0.0.1", port=port, database=database)
                .difference_update_query(["host", "port"])
            )

        yield start


@contextmanager
def pgbouncer(server: URL, mode: str, size: int, only: str, more: str) -> Iterator[int]:
    host, port = server.query.get("host", server.host), server.query.get("port", server.port or 5432)
    with socket.create_server(("127.0.0.1", 0)) as free:
        listening = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="hop-b-"))
    # Whoever may reach the server's socket; PgBouncer refuses to run as root.
    path = Path(str(host), f".s.PGSQL.{port}")
    uid, gid = (path.stat().st_uid, path.stat().st_gid) if path.exists() else pwd.getpwnam("nobody")[2:4]
    account = {"user": uid, "group": gid, "extra_groups": []} if os.geteuid() == 0 else {}
    if account:
        os.chown(folder, uid, gid)
    (folder / "users").write_text(f'"{server.username}" "{server.password or ""}"\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n{only} = host={host} port={port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {listening}\nunix_socket_dir =\n"
        f"auth_type = trust\nauth_file = {folder / 'users'}\n"
        f"pool_mode = {mode}\ndefault_pool_size = {size}\n{more}\n"
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([str(PGBOUNCER), folder / "pgbouncer.ini"], stdout=log, stderr=log, **account)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", listening)).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.02)
        yield listening
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def holds_lock(database: Database, server_url: str) -> bool:
    """Whether anybody holds the lock of the database, as a direct connection sees it."""
    with closing(connect(make_url(server_url))) as session, session.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", (lock_key(database.name),))
        return cursor.fetchone() != (True,)


@pytest.mark.parametrize("more", ["", "server_round_robin = 1"])
@pytest.mark.parametrize("warm", [0, 3])
@pytest.mark.parametrize(
    ("mode", "size"), [("transaction", 1), ("transaction", 20), ("statement", 1), ("statement", 20)]
)
def test_a_pool_that_changes_sessions_is_refused(
    pool: Pool, server_url: str, database_name: str, mode: str, size: int, warm: int, more: str
) -> None:
    """Also while it is idle, and every statement happens to get the same session; no lock is left in the pool."""
    database = pool(mode, database_name, size=size, more=more)
    with ExitStack() as stack:
        # The pool has several sessions, all of them idle.
        others = [stack.enter_context(closing(plain(database))) for _ in range(warm)]
        for other in others:
            other.autocommit = True
        for other in others:
            other.cursor().execute("SELECT 1")
        with pytest.raises(DatabaseError) as caught, locked(database, "upgrade"):
            pass
    for words in (f"127.0.0.1:{database.url.port}", "connection pooler", "PgBouncer", "nothing was changed"):
        assert words in caught.value.message
    assert "direct URL" in str(caught.value.hint)
    assert not holds_lock(database, server_url)


def test_a_pool_that_others_are_busy_with_is_refused(pool: Pool, server_url: str, database_name: str) -> None:
    """Others hold sessions of the pool in transactions, so that those that are left are few."""
    database = pool("transaction", database_name, size=4)
    with ExitStack() as stack:
        for _ in range(3):
            other = stack.enter_context(closing(plain(database)))
            other.cursor().execute("SELECT 1")
        with pytest.raises(DatabaseError, match="connection pooler"), locked(database, "upgrade"):
            pass
    assert not holds_lock(database, server_url)


def test_a_pool_in_session_mode_works(pool: Pool, server_url: str, database_name: str) -> None:
    pooled, direct = pool("session", database_name), Database(make_url(server_url)).beside(database_name)
    with locked(pooled, "upgrade"):
        assert holds_lock(pooled, server_url)
        with pytest.raises(LockedError, match=f"hop upgrade {database_name} by"), locked(direct, "apply"):
            pass
    with locked(direct, "apply"), pytest.raises(LockedError, match="hop apply"), locked(pooled, "upgrade"):
        pass
    with locked(pooled, "upgrade"):
        pass


def test_a_pool_that_is_exhausted_is_refused(
    pool: Pool, server_url: str, database_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """hop needs several sessions; it does not wait for the second one for ever."""
    monkeypatch.setattr("hop_tasks.database.poolers.PATIENCE", 0.5)
    database = pool("session", database_name, size=1)
    with pytest.raises(DatabaseError, match="no second session") as caught, locked(database, "upgrade"):
        pass
    assert "direct URL" in str(caught.value.hint)
    assert not holds_lock(database, server_url)


def test_a_pooler_that_knows_no_maintenance_database(pool: Pool, database_name: str) -> None:
    database = pool("transaction", database_name, only=database_name)
    with pytest.raises(DatabaseError, match="postgres") as caught, locked(database, "upgrade"):
        pass
    assert "maintenance_database" in str(caught.value.hint)
    assert "PgBouncer" in str(caught.value.hint)


def test_reading_in_statement_mode_says_what_to_do(pool: Pool) -> None:
    database = pool("statement", "postgres")
    with pytest.raises(DatabaseError) as caught, database.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    assert "direct URL" in str(caught.value.hint)


def plain(database: Database) -> psycopg2.extensions.connection:
    return connect(database.beside("postgres").url)
