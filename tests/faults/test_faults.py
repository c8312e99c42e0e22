"""Whatever happens between two steps of a command, the same command again ends in the state of an undisturbed run.

A share of the cases runs always: hop killed at each checkpoint. With --campaign each is run with each fault.
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.campaign import SCENARIOS, SOURCE, Fault, Scenario, checkpoints_of
from tests.faults.servers import CrashingServer
from tests.faults.states import State, attempts_of, state_of
from tests.playground import SCRIPTS, Playground
from tests.workflows.shelf import Shelf, maintain
from tests.workflows.sparing import await_, is_sparing, kill, making, settled, stopped_at

STATE_CODE = 7
"""What a command ends with that finds its work done already."""

REACH_SECONDS = 60
END_SECONDS = 90

CASES = [
    pytest.param(
        scenario, name, fault, marks=[pytest.mark.campaign] if fault is not Fault.KILL else [],
        id=f"{scenario.name}-{name}-{fault.name.lower()}",
    )
    for scenario in SCENARIOS
    for name in scenario.checkpoints
    for fault in Fault
]  # fmt: skip


def test_every_checkpoint_is_in_a_scenario() -> None:
    assert checkpoints_of(SOURCE) == {name for scenario in SCENARIOS for name in scenario.checkpoints}


@pytest.fixture(scope="session")
def undisturbed() -> dict[str, tuple[State, list[str]]]:
    """The state that each scenario ends in when nothing goes wrong, and its attempts."""
    return {}


@pytest.mark.parametrize(("scenario", "checkpoint", "fault"), CASES)
def test_the_same_command_again_ends_as_if_nothing_had_happened(
    scenario: Scenario,
    checkpoint: str,
    fault: Fault,
    ground: Playground,
    fault_shelf: Shelf,
    crashing: CrashingServer,
    undisturbed: dict[str, tuple[State, list[str]]],
    tmp_path: Path,
) -> None:
    if scenario.name not in undisturbed:
        undisturbed[scenario.name] = _undisturbed(scenario, fault_shelf, tmp_path)
    expected, attempts = undisturbed[scenario.name]
    place = _begin(scenario, fault_shelf, ground)
    succeeded = _interrupt(place, scenario, checkpoint, fault, crashing)
    if not succeeded:
        again = place.hop(*scenario.command)
        assert again.code == 0 or (scenario.once and again.code == STATE_CODE), f"{again.out}\n{again.err}"
        assert "Traceback" not in again.err
    if is_sparing(place):
        settled(place)
    found = state_of(place)
    if fault is Fault.CRASH and "HOP_PRODUCTION" not in place.variables:
        # PostgreSQL's counters are lost in a crash: what may have been written to is kept.
        found = replace(found, beside=tuple(name for name in found.beside if name != "_before_apply"))
        found, expected = (replace(it, dumps=tuple(set(it.dumps) - {"before_apply"})) for it in (found, expected))
    assert found == expected
    if place.variables.get("HOP_PRODUCTION"):
        made = attempts_of(place)
        assert made.count("done") == attempts.count("done"), "the work was done once"
        assert len(made) - len(attempts) <= 1, "one row for each attempt that came so far"
        assert set(made) <= {"done", "failed", "interrupted"}


def _begin(scenario: Scenario, shelf: Shelf, ground: Playground) -> Playground:
    place = shelf.copy(scenario.place, ground)
    return scenario.before(place)


def _undisturbed(scenario: Scenario, shelf: Shelf, folder: Path) -> tuple[State, list[str]]:
    place = _begin(scenario, shelf, Playground(folder / "undisturbed", shelf.new_url()))
    try:
        place.hop(*scenario.command).succeeds()
        if is_sparing(place):
            settled(place)
        return state_of(place), attempts_of(place) if place.variables.get("HOP_PRODUCTION") else []
    finally:
        for name in place.databases():
            maintain(place, f'DROP DATABASE "{name}" WITH (FORCE)')


def _interrupt(place: Playground, scenario: Scenario, checkpoint: str, fault: Fault, server: CrashingServer) -> bool:
    """Run the scenario's command up to the checkpoint, and let the fault happen there; whether it succeeded."""
    if scenario.background:
        _interrupt_background(place, scenario, checkpoint, fault, server)
        return False
    signs = place.folder.parent / "signs"
    signs.mkdir()
    stopping = place.with_variables(HOP_TESTING_CHECKPOINT=f"{checkpoint}={signs}")
    process = stopping.start(str(SCRIPTS / "hop"), *scenario.command)
    try:
        _await(signs / "reached", process)
        if fault is Fault.KILL:
            process.kill()
        else:
            _strike(place, fault, server)
        (signs / "go").touch()
        out, err = process.communicate(timeout=END_SECONDS)
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in err, f"{out}\n{err}"
    if fault is not Fault.KILL and process.returncode:
        assert err.splitlines()[-1].startswith("hop: "), err
    return process.returncode == 0


def _interrupt_background(
    place: Playground, scenario: Scenario, checkpoint: str, fault: Fault, server: CrashingServer
) -> None:
    """Run the command, and let the fault happen when what it leaves in the background is at the checkpoint."""
    with stopped_at(place, checkpoint, *scenario.command) as stopped:
        if fault is Fault.KILL:
            kill(stopped)
        else:
            _strike(place, fault, server)
    # The server has noticed, too.
    await_(lambda: not making(place))


def _strike(place: Playground, fault: Fault, server: CrashingServer) -> None:
    if fault is Fault.TERMINATE:
        _end_sessions(place)
    else:
        server.crash()
        server.start()


def _await(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + REACH_SECONDS
    while not path.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise AssertionError(f"the checkpoint was not reached: {process.communicate()}")
        time.sleep(0.002)


def _end_sessions(place: Playground) -> None:
    """End all sessions of hop and its programs, as an administrator may at any time."""
    maintain(
        place,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
    )
