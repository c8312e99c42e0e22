"""A connection that is lost during COMMIT: the server is asked what became of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.faults.places import behind
from tests.faults.servers import CrashingServer
from tests.faults.states import attempts_of
from tests.playground import SCRIPTS, Playground
from tests.workflows.shelf import Shelf, maintain, url_beside

WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
COMMIT = "CREATE TABLE IF NOT EXISTS probe (); COMMENT ON TABLE probe IS 'a commit'"
END_WAITING = f"SELECT pg_terminate_backend(pid) FROM ({WAITING}) AS waiting"


@pytest.fixture
def place(fault_shelf: Shelf, ground: Playground) -> Playground:
    return fault_shelf.copy(behind, ground)


@contextmanager
def commits_that_are_not_answered(place: Playground) -> Iterator[None]:
    """While the body runs, the server waits after each COMMIT, which is done, for a standby that does not exist."""
    for statement in ("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()"):
        maintain(place, statement)
    try:
        _await(lambda: _is_waited_for(place))
        yield
    finally:
        for statement in ("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()"):
            maintain(place, statement)


class TestALostAnswer:
    def test_a_release_that_was_committed_counts_as_done_and_the_next_one_follows(
        self, place: Playground, tmp_path: Path
    ) -> None:
        with _about_to_commit(place, tmp_path) as process:
            with commits_that_are_not_answered(place):
                (tmp_path / "go").touch()
                _await(lambda: bool(place.sql(WAITING)))
                place.sql(END_WAITING)
            out, err = process.communicate(timeout=60)
        assert process.returncode == 0, f"{out}\n{err}"
        assert "connection was lost during COMMIT" in err
        assert "the server says that 0.0.2 is committed" in out
        assert place.releases()[-1] == "0.0.3"
        assert attempts_of(place)[-1] == "done"
        assert place.sql("SELECT bool_and(price = id * 2) FROM product") == [(True,)]

    def test_a_release_that_was_not_is_said_to_be_rolled_back(
        self, place: Playground, crashing: CrashingServer, tmp_path: Path
    ) -> None:
        with _about_to_commit(place, tmp_path) as process:
            crashing.crash()
            crashing.start()
            (tmp_path / "go").touch()
            out, err = process.communicate(timeout=60)
        assert process.returncode == 1, f"{out}\n{err}"
        assert "0.0.2: the connection was lost during COMMIT; rolled back" in err
        assert place.releases()[-1] == "0.0.1"
        assert place.sql("SELECT bool_and(price = id) FROM product") == [(True,)]


@contextmanager
def _about_to_commit(place: Playground, signs: Path) -> Iterator[Any]:
    """An upgrade that has done all of its first release but COMMIT."""
    stopping = place.with_variables(HOP_TESTING_CHECKPOINT=f"deploy.before_commit={signs}")
    with stopping.start(str(SCRIPTS / "hop"), "upgrade", "--to", "0.0.3") as process:
        try:
            _await((signs / "reached").exists)
            yield process
        finally:
            process.kill()


def _is_waited_for(place: Playground) -> bool:
    """Whether a COMMIT is waited for already: the server takes a moment to read its settings again."""

    def commit() -> None:
        with suppress(psycopg2.Error):
            place.sql(COMMIT, url_beside(place, "postgres"))

    thread = threading.Thread(target=commit)
    thread.start()
    thread.join(0.2)
    waits = thread.is_alive()
    while thread.is_alive():
        place.sql(END_WAITING)
        thread.join(0.05)
    return waits


def _await(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
