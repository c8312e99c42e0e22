"""`hop watch`: each save is a round, whose line says what came of it; nothing of a round stays but the database."""

from __future__ import annotations

import dataclasses
import os
import queue
import re
import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from hop_tasks import WatchRound, watch_release
from hop_tasks.errors import ModeError, ProjectError
from tests.playground import HOP, Playground
from tests.workflows.calling import project_of
from tests.workflows.diary import Diary
from tests.workflows.shelf import CUSTOMER, Shelf, database_of, prepared, url_beside
from tests.workflows.test_locking import held_lock
from tests.workflows.test_signals import is_alive, is_free, soon

PATCHES = "Patches/0/0/1"
FILE = f"{PATCHES}/01_customer.sql"
ROUND = re.compile(r"\d\d:\d\d:\d\d (.*)\n")
ENDED = "  ended; what was applied last, at"
LINES_SECONDS = 60

LEAKING = """
import pathlib, subprocess, threading, time
import psycopg2
import _price
from shop.prices import FACTOR

kept = open(__file__)
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()

def apply(connection):
    subprocess.Popen(["sleep", pathlib.Path("seconds").read_text()])
    psycopg2.connect(connection.engine.url.set(drivername="postgresql").render_as_string(False))
    connection.exec_driver_sql(f"UPDATE product SET price = {_price.PRICE * FACTOR} WHERE id = 1")
"""

COMMAND = """#!/bin/sh
name=${HOP_DATABASE_URL##*/}
echo "tests of ${name%%\\?*} in $(pwd)"
sleep $(cat seconds) &
if test -e wait; then wait; fi
exit $(cat code)
"""


class Watching:
    """A `hop watch` that runs, and the lines that it prints."""

    def __init__(self, process: Any) -> None:
        self.process = process
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self._queue.put(line)
        self._queue.put(None)

    def line(self) -> str:
        """The next line; empty at the end."""
        self.lines.append(self._queue.get(timeout=LINES_SECONDS) or "")
        return self.lines[-1]

    def until(self, words: str) -> str:
        """The next line that has the words."""
        while words not in (line := self.line()):
            assert line, (words, self.lines, self.process.stderr.read())
        return line

    def round(self) -> str:
        """The line of the next round, less its time."""
        while not (found := ROUND.fullmatch(line := self.line())):
            assert line, (self.lines, self.process.stderr.read())
        return found.group(1)

    def ends(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal and read the rest; the exit code."""
        self.process.send_signal(number)
        while self.line():
            pass
        return int(self.process.wait(LINES_SECONDS))


@contextmanager
def watching(place: Playground, *flags: str) -> Iterator[Watching]:
    process = place.start(HOP, "watch", *flags)
    try:
        yield Watching(process)
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()


def children(pid: int) -> set[int]:
    """The processes below one, as far as they live; Linux only."""
    found: set[int] = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                found |= {int(path.parent.name), *children(int(path.parent.name))}
    return found


def held(place: Playground, watch: Watching) -> dict[str, Any]:
    """What a watch holds on this machine and on the server."""
    pids = {watch.process.pid, *children(watch.process.pid)}
    return {
        "processes": pids,
        "descriptors": sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids),
        "threads": sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in pids),
        "databases": place.databases(),
    }


def sessions(place: Playground) -> list[tuple[Any, ...]]:
    """The sessions of hop and on its databases, less the one that asks."""
    return place.sql(
        "SELECT application_name, datname FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND "
        f"(application_name LIKE 'hop%{database_of(place)}%' OR datname LIKE '{database_of(place)}%')",
        url_beside(place, "postgres"),
    )


def leave_sleeper(place: Playground) -> Callable[[], bool]:
    """Has the place's scripts sleep for a time of their own; gives whether one of them does."""
    seconds = str(600_000 + secrets.randbelow(100_000))
    place.write("seconds", seconds)

    def sleeps() -> bool:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if path.read_bytes() == f"sleep\0{seconds}\0".encode():
                    return True
        return False

    return sleeps


def sleeping(place: Playground) -> bool:
    """Whether a session of the place is in pg_sleep."""
    statement = (
        "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active' AND datname LIKE "
    )
    return bool(place.sql(f"{statement} '{database_of(place)}%'", url_beside(place, "postgres")))


def price(place: Playground) -> object:
    return place.sql("SELECT price FROM product WHERE id = 1")[0][0]


@pytest.fixture
def place(shelf: Shelf, play: Playground) -> Playground:
    return shelf.copy(prepared, play)


class TestSaves:
    def test_each_is_applied_and_an_error_is_mended(self, place: Playground) -> None:
        with watching(place) as watch:
            assert "watching; Ctrl-C ends" in watch.line()
            first = watch.round()
            assert re.fullmatch(r"start: applied 0\.0\.1, 1 file in \d+\.\d\d s, wrote shop/tables/.*", first)
            assert "t_customer" in place.read("shop/tables/public.py")

            place.write(FILE, "CREATE TABLE customer (id integer PRIMARY KEY, name text NOT NUL);\n")
            assert watch.line().startswith("  1 | CREATE TABLE customer (")
            assert watch.line() == f"    | {' ' * 61}^\n"
            assert watch.round() == (
                f'01_customer.sql: {FILE}:1:62: syntax error at or near "NUL"; rolled back, the database is as it was. '
                "Next: correct the file"
            )
            assert watch.line() == "  waiting for the next save\n"
            assert place.sql("SELECT to_regclass('customer') IS NULL") == [(False,)]

            place.write(FILE, CUSTOMER)
            assert watch.round().endswith("package in step")
            # Editors' files, the same text again, the package as hop writes it, and another file that is removed.
            for name in (".01_customer.sql.swp", "01_customer.sql~", "4913", "#01_customer.sql#", "__pycache__/a.pyc"):
                place.write(f"{PATCHES}/{name}", "junk")
            place.write(FILE, CUSTOMER)
            place.write(f"{PATCHES}/02.sql.tmp", "CREATE TABLE renamed ();").rename(place.folder / PATCHES / "02.sql")
            assert watch.round().startswith("02.sql: applied 0.0.1, 2 files in ")
            (place.folder / PATCHES / "02.sql").unlink()
            assert watch.round().startswith("02.sql removed: applied 0.0.1, 1 file in ")
            assert place.sql("SELECT to_regclass('renamed')") == [(None,)]
            assert watch.ends() == 0
            assert watch.lines[-2].startswith(ENDED)
        assert place.releases() == ["0.0.0", "0.0.1"]

    def test_a_burst_is_one_round_and_what_comes_during_a_round_is_one_more(self, place: Playground) -> None:
        place.write(f"{PATCHES}/02.sql", "SELECT pg_sleep(0.5);\n")
        with watching(place) as watch:
            soon(lambda: sleeping(place))
            for number in range(5):
                place.write(f"{PATCHES}/02.sql", f"UPDATE product SET price = {number};\n")
            assert watch.round().startswith("start: applied")
            assert watch.round().startswith("02.sql: applied")
            assert price(place) == 4

            lock = place.write(".git/index.lock", "")
            for number in range(10, 40):
                place.write(f"{PATCHES}/{number}.sql", f"CREATE TABLE t{number} ();\n")
            watch.until("git is at work")
            assert watch.line() == "  waiting until it is over\n"
            lock.unlink()
            assert re.match(r"10\.sql, 11\.sql, 12\.sql and 27 more: applied 0\.0\.1, 32 files in", watch.round())
            place.write(FILE, CUSTOMER + "-- once more\n")
            assert watch.round().startswith("01_customer.sql: applied")

    @pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="there is no /proc")
    def test_hours_of_it_leave_nothing_behind(self, place: Playground) -> None:
        """Not even of files that start processes and threads and open sessions and files, and close none of them.

        Nor is what they import ever stale: a neighbour, or the project's package, from the first such file on.
        """
        sleeps = leave_sleeper(place)
        place.write("shop/prices.py", "FACTOR = 1\n")
        place.write(f"{PATCHES}/_price.py", "PRICE = 100\n")
        with watching(place) as watch:
            watch.round()
            place.write("shop/prices.py", "FACTOR = 10\n")
            place.write(f"{PATCHES}/02.py", LEAKING)
            watch.until("2 files")
            soon(lambda: sessions(place) == [])
            at_first = held(place, watch)
            assert len(at_first["processes"]) == 2
            for number in range(101, 107):
                place.write(f"{PATCHES}/_price.py", f"PRICE = {number}\n")
                assert watch.round().startswith("_price.py: applied")
            assert price(place) == 1060
            place.write("shop/prices.py", "FACTOR = 20\n")
            assert watch.round().startswith("shop/prices.py: applied")
            assert price(place) == 2120
            soon(lambda: sessions(place) == [])
            assert held(place, watch) == at_first
            assert not sleeps()
            assert watch.ends() == 0
            assert not any(is_alive(pid) for pid in at_first["processes"])


class TestEnds:
    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
    def test_in_the_middle_of_a_statement(self, place: Playground, number: signal.Signals, code: int) -> None:
        """It is cancelled, and the state of before stays; Ctrl-C is how one ends it, and no failure."""
        with watching(place) as watch:
            watch.round()
            before = place.databases()
            place.write(f"{PATCHES}/02.sql", "CREATE TABLE half_made ();\nSELECT pg_sleep(600);\n")
            soon(lambda: sleeping(place))
            assert watch.ends(number) == code
            said = "".join(watch.lines)
            assert f"02.sql: interrupted by {number.name}; what was begun was rolled back" in said
            assert (ENDED in said) is (number == signal.SIGINT)
        assert place.databases() == before
        assert place.sql("SELECT to_regclass('half_made'), to_regclass('customer') IS NULL") == [(None, False)]
        assert sessions(place) == []
        assert is_free(place)

    @pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="there is no /proc")
    def test_it_or_its_process_is_killed(self, place: Playground, server_major: int) -> None:
        """The process of the rounds is replaced, and the round that it had was one that failed; none outlives hop."""
        with watching(place) as watch:
            watch.round()
            place.write(f"{PATCHES}/02.sql", "SELECT pg_sleep(600);\n")
            soon(lambda: sleeping(place))
            for pid in children(watch.process.pid):
                os.kill(pid, signal.SIGKILL)
            assert "02.sql: the process of the round ended with signal 9" in watch.round()
            place.write(f"{PATCHES}/02.sql", "SELECT pg_sleep(600), 'again';\n")
            soon(lambda: sleeping(place))
            below = children(watch.process.pid)
            watch.process.kill()
            soon(lambda: not any(is_alive(pid) for pid in below))
            if server_major >= 14:
                # Before, the server goes on with the statement of a client that is gone, until the next command.
                soon(lambda: sessions(place) == [])
        assert place.releases() == ["0.0.0", "0.0.1"]
        assert is_free(place)


class TestWaits:
    def test_for_another_hop_and_for_the_server(self, place: Playground, tmp_path: Path) -> None:
        """Which is away for a while: its socket is."""
        url = make_url(place.url)
        if not Path(str(url.query.get("host"))).is_dir():
            pytest.skip("this server has no socket on this machine")
        link, away = tmp_path / "socket", tmp_path / "away"
        link.symlink_to(str(url.query["host"]))
        there = url.update_query_dict({"host": str(link)}).render_as_string(False)
        with watching(dataclasses.replace(place, url=there)) as watch:
            watch.round()
            with held_lock(place):
                place.write(f"{PATCHES}/02.sql", "UPDATE product SET price = 5;\n")
                assert re.fullmatch(
                    r"02\.sql: another hop is at work on \w+: ann \(pid.*nothing was changed", watch.round()
                )
                assert watch.line() == "  waiting until it is done\n"
            assert watch.round().startswith("again: applied 0.0.1, 2 files in")
            assert price(place) == 5

            link.rename(away)
            place.write(f"{PATCHES}/02.sql", "UPDATE product SET price = 6;\n")
            assert watch.round().startswith("02.sql: no connection to postgresql://")
            assert watch.line() == "  waiting for the server\n"
            away.rename(link)
            assert watch.round().startswith("again: applied 0.0.1, 2 files in")
        assert price(place) == 6

    def test_for_the_branch_of_a_release(self, place: Playground) -> None:
        """The branch is rebased, another one is checked out, the release is finished, and the next one begun."""
        place = place.with_variables(HOP_TESTS="none")
        place.git("switch", "--quiet", "hop_main")
        place.write("Patches/pre/01.sql", "UPDATE product SET price = 5;\n")
        place.commit("a rule for all releases")
        place.git("switch", "--quiet", "hop_0.0.1")
        with watching(place) as watch:
            assert watch.round().startswith("start: rebased on hop_main, applied 0.0.1, 2 files in")
            place.write(FILE, CUSTOMER + "-- edited\n")
            while "01_customer.sql" not in (said := watch.round()):
                assert said.startswith("Patches/pre/01.sql: applied"), "what the rebase has brought, once more"
            place.write(FILE, CUSTOMER)
            assert watch.round().startswith("01_customer.sql: applied 0.0.1, 2 files"), "not on and on"

            place.commit("package")
            place.git("switch", "--quiet", "hop_main")
            watch.until("on hop_main: hop_main is not the branch of a release; apply changed nothing. Next: git switch")
            assert watch.line() == "  waiting for the branch of a release\n"
            place.git("switch", "--quiet", "hop_0.0.1")
            watch.until("on hop_0.0.1: applied 0.0.1, 2 files in")
            place.hop("release", "--lock-wait", "60").succeeds()
            watch.until("on hop_main: hop_main is not the branch of a release")
            place.hop("prepare", "-l", "minor", "-m", "more").succeeds()
            watch.until("on hop_0.1.0: applied 0.1.0, 1 file in")
            place.write("Patches/0/1/0/01.sql", "CREATE TABLE more ();\n")
            assert watch.round().startswith("01.sql: applied 0.1.0, 2 files in")
        assert place.releases() == ["0.0.0", "0.0.1", "0.1.0"]


class TestCommand:
    def test_runs_after_each_round_and_is_ended_with_all_it_has_started(self, place: Playground) -> None:
        """Its output goes through, and its exit code is in the round's line; new code makes it run again, alone."""
        sleeps = leave_sleeper(place)
        place.write("check.sh", COMMAND).chmod(0o755)
        place.write("code", "0")
        tests = f"tests of {make_url(place.url).database} in {place.folder}\n"
        with watching(place, "--run", "./check.sh") as watch:
            watch.line()
            assert watch.line() == tests
            assert re.search(r"applied 0\.0\.1, 1 file.*; \./check\.sh: exit code 0 in \d+\.\d\d s$", watch.round())
            assert not sleeps(), "what it has started and left is ended with it"
            place.write("code", "3")
            place.write("shop/orders.py", "ORDERS = 1\n")
            assert watch.line() == tests
            assert re.fullmatch(r"shop/orders\.py: \./check\.sh: exit code 3 in \d+\.\d\d s", watch.round())
            place.write(FILE, "SELECT 1 FORM a;\n")
            assert "syntax error" in watch.round()
            assert watch.line() == "  waiting for the next save\n"

            place.write("wait", "")
            place.write(FILE, CUSTOMER)
            assert watch.line() == tests
            soon(sleeps)
            place.write(FILE, CUSTOMER + "-- newer\n")
            assert re.search(r"01_customer\.sql: applied .*; \./check\.sh was ended$", watch.round())
            assert watch.line() == tests
            soon(sleeps)
            assert watch.ends() == 0
            assert re.search(r"01_customer\.sql: applied .*; \./check\.sh was ended\n$", watch.lines[-3])
            assert watch.lines[-2].startswith(ENDED)
        assert not sleeps()


class TestLibrary:
    def test_rounds_are_iterated_and_an_event_ends_them(self, place: Playground) -> None:
        stop, diary = threading.Event(), Diary()
        found: list[WatchRound] = []
        with project_of(place) as project:
            for one in watch_release(project, stop=stop, reporter=diary):
                found.append(one)
                if len(found) == 1:
                    place.write(f"{PATCHES}/02.py", "def apply(connection):\n    raise SystemExit('enough')\n")
                else:
                    stop.set()
        assert [one.changed for one in found] == [("start",), ("02.py",)]
        assert found[0].applied is not None
        assert str(found[0].applied.version) == "0.0.1"
        assert "02.py: it called exit('enough')" in str(found[1].error)
        assert diary.count(f"{FILE} (") == 2
        with pytest.raises(dataclasses.FrozenInstanceError):
            found[0].error = None  # type: ignore[misc]

    def test_refuses_at_once(self, place: Playground) -> None:
        """In production, and a command that is not there; before anything is iterated."""
        place.production().hop("watch").fails(6, "this place is production", "watch")
        cases: list[tuple[dict[str, str], type[Exception], Callable[..., object]]] = [
            ({"HOP_PRODUCTION": "1"}, ModeError, watch_release),
            ({"HOP_WATCH_COMMAND": "no-such-program -q"}, ProjectError, watch_release),
        ]
        for variables, error, call in cases:
            with project_of(place.with_variables(**variables)) as project, pytest.raises(error):
                call(project)

    def test_a_database_that_is_production_ends_it(self, place: Playground) -> None:
        place.sql("UPDATE half_orm_meta.database SET production = true")
        place.hop("watch").fails(6, "production")
