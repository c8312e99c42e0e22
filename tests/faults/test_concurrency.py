"""Several deployers at once: the work is done once, and each of them ends well or says that it is locked out."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from typing import Any

import psycopg2
import pytest

from tests.faults.places import behind
from tests.faults.states import attempts_of
from tests.playground import SCRIPTS, Playground
from tests.workflows.shelf import Shelf

LOCKED = 8
TOGETHER = 5


@pytest.fixture
def place(shelf: Shelf, play: Playground) -> Playground:
    return shelf.copy(behind, play)


def end_of_all(place: Playground, *arguments: str) -> list[int]:
    """The exit codes of five upgrades that are started at once; none of them says anything that hop does not say."""
    with ExitStack() as stack:
        return _codes(_start(place, stack, *arguments))


def _start(place: Playground, stack: ExitStack, *arguments: str) -> list[Any]:
    return [stack.enter_context(place.start(str(SCRIPTS / "hop"), "upgrade", *arguments)) for _ in range(TOGETHER)]


def _codes(started: list[Any]) -> list[int]:
    codes = []
    for process in started:
        out, err = process.communicate(timeout=120)
        assert "Traceback" not in err, f"{out}\n{err}"
        codes.append(process.returncode)
    return sorted(codes)


def prices_are_those_of_one_run(place: Playground) -> bool:
    """Doubled by 0.0.2, and three times as high by 0.0.4."""
    return place.sql("SELECT bool_and(price = id * 6) FROM product") == [(True,)]


class TestFiveUpgradesAtOnce:
    def test_prices_are_doubled_once_and_who_is_not_first_is_locked_out_or_finds_nothing_to_do(
        self, place: Playground
    ) -> None:
        codes = end_of_all(place)
        assert codes[0] == 0
        assert set(codes) <= {0, LOCKED}
        assert prices_are_those_of_one_run(place)
        assert place.releases() == ["0.0.0", "0.0.1", "0.0.2", "0.0.3", "0.0.4"]
        assert attempts_of(place) == ["done", "done"], "the one before, and one of the five"

    def test_who_waits_does_not_stand_in_the_way_of_an_index_that_is_built_concurrently(
        self, place: Playground
    ) -> None:
        with ExitStack() as stack:
            with closing(psycopg2.connect(place.url)) as reader, reader.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1")
                started = _start(place, stack, "--lock-wait=60", "--no-fetch")
                deadline = time.monotonic() + 60
                while not place.sql(
                    "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'CREATE INDEX%'"
                ):
                    assert time.monotonic() < deadline, "the index is not waited for"
                    time.sleep(0.05)
            assert _codes(started) == [0] * TOGETHER
        assert prices_are_those_of_one_run(place)
        assert place.sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'product_price'::regclass") == [(True,)]
