"""A backup or a restore that is killed at any place, and then run again."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.playground import HOP, Playground
from tests.workflows.backing import backup_of, files_in, restored_at
from tests.workflows.shelf import Shelf, database_of, production, url_beside

BACKUP = [
    "backup.before_dump",
    "backup.after_dump",
    "backup.before_rename",
    "backup.between_renames",
    "backup.after_rename",
]
RESTORE = [
    "restore.before_create",
    "restore.after_create",
    "restore.after_load",
    "restore.before_swap",
    "swap.before_begin",
    "swap.between_renames",
    "swap.before_commit",
    "swap.after_commit",
    "restore.after_swap",
]
SECONDS = 60.0
DUMPING = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    " AND query LIKE 'LOCK TABLE%'"
)
"""The pg_dump that waits for a lock."""


@pytest.fixture
def place(shelf: Shelf, play: Playground) -> Playground:
    return shelf.copy(production, play)


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)
    return found


@contextmanager
def stopped_at(place: Playground, checkpoint: str, folder: Path, *command: str) -> Iterator[Any]:
    """A hop that waits at a checkpoint until there is a file `go` in the folder; it is killed at the end."""
    folder.mkdir()
    place = place.with_variables(HOP_TESTING_CHECKPOINT=f"{checkpoint}={folder}")
    with place.start(HOP, *command) as process:
        try:
            wait_for(lambda: (folder / "reached").exists() or process.poll() is not None)
            assert process.poll() is None, process.communicate()
            yield process
        finally:
            process.kill()


def killed_at(place: Playground, checkpoint: str, folder: Path, *command: str) -> None:
    with stopped_at(place, checkpoint, folder, *command) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_a_backup_killed_anywhere(place: Playground, tmp_path: Path) -> None:
    """The next one is whole, and nothing provisional is left; at the last place the first was whole too."""
    for checkpoint in BACKUP:
        killed_at(place, checkpoint, tmp_path / checkpoint, "upgrade")
        assert place.releases() == ["0.0.0", "0.0.1"]
        backup_of(place)
        assert not list((place.folder / "Backups").glob("*.part"))
    listed = place.hop("backups", "--verify").succeeds().out
    assert listed.count("sound") == len(BACKUP) + 1
    assert "cannot be used" not in listed


def test_a_restore_killed_anywhere(place: Playground, tmp_path: Path) -> None:
    """The same command brings the backup back, and each state that served until then is kept, once."""
    backup_of(place)
    kept = 0
    for number, checkpoint in enumerate(RESTORE):
        place.sql(f"UPDATE product SET price = {number}")
        killed_at(place, checkpoint, tmp_path / checkpoint, "restore", "0.0.1")
        swapped = RESTORE.index("swap.after_commit") <= number
        assert place.sql("SELECT price FROM product") == [(70 if swapped else number,)], checkpoint
        restored_at(place)
        assert place.sql("SELECT price FROM product") == [(70,)], checkpoint
        kept += 1 + swapped
        others = place.databases() - {database_of(place)}
        assert len(others) == kept, checkpoint
        assert all("_replaced_" in name for name in others), checkpoint
    prices = [place.sql("SELECT price FROM product", url_beside(place, name))[0][0] for name in others]
    assert sorted(prices) == sorted([*range(len(RESTORE)), 70, 70])


def test_a_kept_database_outlives_a_kill_while_it_takes_its_place(place: Playground, tmp_path: Path) -> None:
    """Also when there is nothing that it replaces."""
    name = database_of(place)
    place.sql(f"COMMENT ON DATABASE {name} IS 'the shop'")
    backup_of(place)
    place.sql("UPDATE product SET price = 1")
    kept = restored_at(place).kept_as
    assert kept is not None
    place.sql(f"DROP DATABASE {name}", url_beside(place, "postgres"))
    for checkpoint in ("restore.before_swap", "restore.between_renames"):
        killed_at(place, checkpoint, tmp_path / checkpoint, "restore", kept)
        assert place.databases() == {kept}
    restored_at(place, kept)
    comment = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
    assert (place.sql("SELECT price FROM product"), place.sql(comment)) == ([(1,)], [("the shop",)])


def test_a_session_that_comes_while_a_backup_is_loaded_is_not_ended(place: Playground, tmp_path: Path) -> None:
    backup_of(place)
    before = place.databases()
    folder = tmp_path / "loading"
    with (
        stopped_at(place, "restore.after_load", folder, "restore", "0.0.1") as process,
        closing(psycopg2.connect(place.url, application_name="the till")) as till,
        till.cursor() as cursor,
    ):
        (folder / "go").touch()
        _, err = process.communicate(timeout=SECONDS)
        assert process.returncode == 7
        assert "the till" in err
        cursor.execute("SELECT 1")
    assert place.databases() == before


def test_a_pg_dump_that_outlives_hop_is_ended_by_the_next_one(place: Playground, tmp_path: Path) -> None:
    """It would keep locks on all tables, and go on writing."""
    upgrade = (HOP, "upgrade", "--to", "0.0.2")
    folder = tmp_path / "dumping"
    with closing(psycopg2.connect(place.url)) as till, till.cursor() as cursor:
        with stopped_at(place, "backup.before_dump", folder, *upgrade[1:]):
            cursor.execute("LOCK TABLE product")
            (folder / "go").touch()
            ((orphan,),) = wait_for(lambda: place.sql(DUMPING))
        assert place.sql(DUMPING) == [(orphan,)]
        again = place.start(*upgrade)
        try:
            wait_for(lambda: (orphan,) not in place.sql(DUMPING))
            till.rollback()
            out, err = again.communicate(timeout=SECONDS)
        finally:
            again.kill()
    assert again.returncode == 0, (out, err)
    assert place.releases() == ["0.0.0", "0.0.1", "0.0.2"]
    assert not list((place.folder / "Backups").glob("*.part"))


def test_a_backup_that_is_interrupted_leaves_nothing(place: Playground, tmp_path: Path) -> None:
    """Neither files nor sessions, also while pg_dump and the counting of rows wait for a lock."""
    folder = tmp_path / "dumping"
    others = "SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"
    with (
        closing(psycopg2.connect(place.url)) as till,
        till.cursor() as cursor,
        stopped_at(place, "backup.before_dump", folder, "upgrade") as process,
    ):
        cursor.execute("LOCK TABLE product")
        (folder / "go").touch()
        wait_for(lambda: place.sql(DUMPING))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=SECONDS)
        assert process.returncode == 130
        cursor.execute(others, (till.get_backend_pid(),))
        assert cursor.fetchall() == []
    assert files_in(place.folder / "Backups").keys() == {".gitignore"}
    assert place.releases() == ["0.0.0", "0.0.1"]
