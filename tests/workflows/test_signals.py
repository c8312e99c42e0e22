"""Ctrl-C and SIGTERM, wherever hop is: what was begun is rolled back, and a second one ends hop at once."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import make_url

from hop_tasks.database.interrupts import Terminated, begun, obeying_signals
from hop_tasks.database.locks import lock_key
from tests.playground import Playground
from tests.workflows.shelf import Shelf, database_of, prepared, production, url_beside
from tests.workflows.test_locking import held_lock, until, until_said
from tests.workflows.test_locking import started as started_somehow

BEFORE = ["0.0.0", "0.0.1"]
ALL = [*BEFORE, "0.0.2", "0.0.3"]
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
PRICE = "SELECT price FROM product WHERE id = 7"

SWALLOWING = """
import pathlib, time

def apply(connection):
    connection.exec_driver_sql("CREATE TABLE swallowed ()")
    pathlib.Path("begun").touch()
    while True:
        try:
            time.sleep(600)
        except KeyboardInterrupt:
            pathlib.Path("swallowed").touch()
"""

GOING_ON = """
import pathlib, time

def apply(connection):
    connection.exec_driver_sql("CREATE TABLE swallowed ()")
    pathlib.Path("begun").touch()
    try:
        time.sleep(600)
    except BaseException:
        pass
"""

STUBBORN = """#!/bin/sh
trap '' INT TERM
echo $$ > {pid_file}.part
mv {pid_file}.part {pid_file}
while true; do sleep 0.1; done
"""


def started(place: Playground, *arguments: str) -> AbstractContextManager[subprocess.Popen[str]]:
    """A hop that runs, as the script that pip has installed."""
    return started_somehow(place.from_cold(), *arguments)


@contextmanager
def locked_table(place: Playground, mode: str) -> Iterator[None]:
    """Somebody holds a lock on the table of products."""
    with closing(psycopg2.connect(place.url, application_name="the till")) as session:
        session.cursor().execute(f"LOCK TABLE product IN {mode} MODE")
        yield


def until_waits(place: Playground, process: subprocess.Popen[str], query: str) -> int:
    """The number of the session that waits for a table with such a statement."""
    found = (
        "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
        f"AND datname = '{database_of(place)}' AND query LIKE '{query}'"
    )
    rows: list[tuple[int]] = []

    def look() -> bool:
        rows[:] = place.sql(found, url_beside(place, "postgres"))
        return bool(rows)

    until(process, look)
    return rows[0][0]


def soon(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_free(place: Playground) -> bool:
    """Whether nobody holds the lock of the place's database."""
    asked = f"SELECT pg_try_advisory_lock({lock_key(database_of(place))})"
    return place.sql(asked, url_beside(place, "postgres")) == [(True,)]


def ended(process: subprocess.Popen[str], code: int, words: str) -> str:
    """How a hop ended, and that it said so on its last line; all of its errors."""
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert err.splitlines()[-1].startswith(f"hop: {words}"), err
    assert "Traceback" not in err
    return err


class TestFirst:
    @pytest.mark.parametrize(("number", "code"), SIGNALS)
    def test_a_statement_is_cancelled_and_rolled_back(
        self, shelf: Shelf, play: Playground, number: signal.Signals, code: int
    ) -> None:
        """The database is at the release before, the lock is free at once, and hop upgrade does the rest."""
        place = shelf.copy(production, play)
        with locked_table(place, "SHARE"):
            with started(place.with_variables(HOP_LOCK_TIMEOUT="3600"), "upgrade") as process:
                until_waits(place, process, "UPDATE product%")
                process.send_signal(number)
                ended(process, code, f"interrupted by {number.name}; what was begun was rolled back")
            soon(lambda: is_free(place))
            assert place.releases() == BEFORE
        assert place.sql(PRICE) == [(70,)]
        place.hop("upgrade").succeeds()
        assert place.releases() == ALL
        assert place.sql(PRICE) == [(140,)]

    def test_a_backup_is_ended(self, shelf: Shelf, play: Playground) -> None:
        """Nothing is left of it, neither in the folder nor on the server."""
        place = shelf.copy(production, play)
        folder = play.folder / "checkpoint"
        folder.mkdir()
        with started(place.with_variables(HOP_TESTING_CHECKPOINT=f"backup.before_dump={folder}"), "upgrade") as process:
            until(process, (folder / "reached").exists)
            with locked_table(place, "ACCESS EXCLUSIVE"):
                (folder / "go").touch()
                dump = until_waits(place, process, "LOCK TABLE%")
                process.send_signal(signal.SIGTERM)
                ended(process, 143, "interrupted by SIGTERM")
                running = f"SELECT FROM pg_stat_activity WHERE pid = {dump}"
                soon(lambda: not place.sql(running, url_beside(place, "postgres")))
        assert not [path for path in (place.folder / "Backups").iterdir() if path.name != ".gitignore"]
        assert place.releases() == BEFORE

    def test_waiting_for_another_hop_ends(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(prepared, play)
        with held_lock(place), started(place, "apply", "--lock-wait", "600") as process:
            until_said(process, "waiting")
            process.send_signal(signal.SIGINT)
            ended(process, 130, "interrupted by SIGINT")

    def test_a_pause_between_two_attempts_ends(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(production, play).with_variables(HOP_LOCK_TIMEOUT="0.05", HOP_LOCK_RETRIES="1000")
        with locked_table(place, "SHARE"), started(place, "upgrade") as process:
            until_said(process, "trying again in")
            process.send_signal(signal.SIGINT)
            ended(process, 130, "interrupted by SIGINT")
        assert place.releases() == BEFORE

    def test_a_patch_that_swallows_it_is_rolled_back_all_the_same(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(prepared, play)
        place.write("Patches/0/0/1/02_on.py", GOING_ON)
        with started(place, "apply") as process:
            until(process, (place.folder / "begun").exists)
            process.send_signal(signal.SIGINT)
            ended(process, 130, "interrupted by SIGINT")
        assert place.databases() == {database_of(place), f"{database_of(place)}_hop_0.0.0"}, "the base is kept"
        assert place.releases() == ["0.0.0"]


class TestSecond:
    @pytest.mark.parametrize(("number", "code"), SIGNALS)
    def test_a_patch_that_swallows_the_first_is_left(
        self, shelf: Shelf, play: Playground, number: signal.Signals, code: int
    ) -> None:
        place = shelf.copy(prepared, play)
        patch = place.write("Patches/0/0/1/02_swallowing.py", SWALLOWING)
        with started(place, "apply") as process:
            until(process, (place.folder / "begun").exists)
            process.send_signal(number)
            until(process, (place.folder / "swallowed").exists)
            process.send_signal(number)
            err = ended(process, code, f"ended at once by a second signal, {number.name}; the server rolls back")
        assert f"{number.name}: cancelling what runs; a second one ends hop at once" in err
        soon(lambda: is_free(place))
        assert place.releases() == ["0.0.0"]
        for path in (patch, place.folder / "begun", place.folder / "swallowed"):
            path.unlink()
        place.hop("apply").succeeds()
        assert place.sql("SELECT to_regclass('swallowed') IS NULL, to_regclass('customer') IS NULL") == [(True, False)]

    def test_a_server_that_does_not_answer_is_left(self, shelf: Shelf, play: Playground) -> None:
        """The driver waits in C for a process of the server that is stopped, and cannot be told to cancel."""
        place = shelf.copy(production, play)
        if not Path(str(make_url(place.url).query.get("host"))).is_dir():
            pytest.skip("the processes of this server are not on this machine")
        with locked_table(place, "SHARE"):
            with started(place.with_variables(HOP_LOCK_TIMEOUT="3600"), "upgrade") as process:
                backend = until_waits(place, process, "UPDATE product%")
                os.kill(backend, signal.SIGSTOP)
                try:
                    process.send_signal(signal.SIGTERM)
                    assert process.stderr is not None
                    assert "SIGTERM: cancelling" in process.stderr.readline()
                    process.send_signal(signal.SIGTERM)
                    ended(process, 143, "ended at once by a second signal, SIGTERM")
                finally:
                    os.kill(backend, signal.SIGCONT)
            soon(lambda: is_free(place))
        place.hop("upgrade").succeeds()
        assert place.releases() == ALL
        assert place.sql(PRICE) == [(140,)]

    def test_a_program_that_hop_has_started_does_not_go_on(self, shelf: Shelf, play: Playground) -> None:
        """It ignores what hop asks of it, and is killed."""
        place = shelf.copy(production, play)
        pid_file = play.folder / "pid"
        command = place.write("stubborn", STUBBORN.format(pid_file=pid_file))
        command.chmod(command.stat().st_mode | stat.S_IXUSR)
        with started(place.with_variables(HOP_BACKUP_COMMAND=str(command)), "upgrade") as process:
            until(process, pid_file.exists)
            child = int(pid_file.read_text())
            process.send_signal(signal.SIGINT)
            assert process.stderr is not None
            assert "SIGINT: cancelling" in process.stderr.readline()
            process.send_signal(signal.SIGTERM)
            ended(process, 143, "ended at once by a second signal, SIGTERM")
        soon(lambda: not is_alive(child))
        assert place.releases() == BEFORE
        soon(lambda: is_free(place))


def test_a_process_that_is_just_being_started_does_not_go_on() -> None:
    """The signal arrives when the process is there, and nobody knows of it yet."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(["sleep", "600"]))
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0)  # Python's handlers run between two of its steps.
        return started[0]

    with pytest.raises(Terminated), obeying_signals(), begun(start):
        raise AssertionError("the body runs")
    assert started[0].returncode == -signal.SIGKILL


def is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
