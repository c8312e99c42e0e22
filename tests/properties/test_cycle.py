"""The promises of the release cycle, whatever people do in whatever order: commands are drawn, and a model is asked.

Tags never move, no release is skipped or runs twice, production's catalog is the one of its release, undo after apply
gives back what was there, and hop refuses what the model refuses, with the same class of error.
A small share of the cases runs always. With --campaign many more are run, which are other ones each time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from hop_tasks import Level, Version
from tests.properties.effects import Kind
from tests.properties.machine import Cycle
from tests.workflows.shelf import Shelf

UNHURRIED = settings(
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)
SHARE = settings(
    UNHURRIED, max_examples=4, stateful_step_count=10, derandomize=True, phases=[Phase.explicit, Phase.generate]
)
"""What fails is short as it is, and making it shorter takes minutes."""
CAMPAIGN = settings(UNHURRIED, max_examples=150, stateful_step_count=30)

Record = Callable[[str, object], None]


def run_cycle(shelf: Shelf, record_property: Record, chosen: settings) -> None:
    tally: Counter[str] = Counter()
    runs = 0

    def begin() -> Cycle:
        nonlocal runs
        runs += 1
        return Cycle(shelf, tally)

    try:
        run_state_machine_as_test(begin, settings=chosen)
    finally:
        told = ", ".join(f"{what} {count}" for what, count in sorted(tally.items()))
        record_property("cases", f"{runs} runs, {tally.total()} commands: {told}")


def test_a_release_that_was_given_up_is_no_base(shelf: Shelf) -> None:
    """Two people have released one number: what was built on the one that lost is not taken for what is tagged."""
    cycle = Cycle(shelf, Counter())
    try:
        cycle.all_of_a_release("ann", Level.PATCH, [Kind.DOUBLE], False)
        cycle.all_of_a_release("bob", Level.PATCH, [Kind.DOUBLE], True)
        cycle.prepare("ann", Level.PATCH, False)
        cycle.apply("ann")
        cycle.all_is_as_it_should_be()
        cycle.pull("ann")
        cycle.start_over("ann")
        # The files are those that are applied, there are none, but not on top of this release.
        cycle.prepare("ann", Level.PATCH, False)
        cycle.release("ann", True)
        cycle.all_of_a_release("bob", Level.PATCH, [], True)
        cycle.pull("ann")
        cycle.start_over("ann")
        cycle.all_of_a_release("ann", Level.PATCH, [Kind.DOUBLE], True)
        cycle.all_is_as_it_should_be()
    finally:
        cycle.teardown()
    assert cycle.tally["release StateError"] == 1 and cycle.tally["release done"] == 4


def test_a_base_has_the_releases_that_it_was_made_on_and_no_others(shelf: Shelf) -> None:
    """Two lines of releases are here, one of them not pushed: what is built of the one has nothing of the other."""
    cycle = Cycle(shelf, Counter())
    try:
        cycle.all_of_a_release("ann", Level.PATCH, [Kind.TABLE], False)
        cycle.all_of_a_release("bob", Level.MINOR, [Kind.DOUBLE], True)
        cycle.pull("ann")
        assert max(cycle.developers["ann"].tags) == Version(0, 1, 0)
        cycle.go_back("ann", 2)
        cycle.all_is_as_it_should_be()
    finally:
        cycle.teardown()
    assert cycle.tally["restore in development done"] == 1


def test_people_work_in_any_order(shelf: Shelf, record_property: Record) -> None:
    run_cycle(shelf, record_property, SHARE)


@pytest.mark.campaign
def test_people_work_in_any_order_for_long(shelf: Shelf, record_property: Record) -> None:
    run_cycle(shelf, record_property, CAMPAIGN)
