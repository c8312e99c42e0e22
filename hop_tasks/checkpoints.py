"""Named places between the steps of a command, at which the tests make it stop.

A test that kills hop, its connections or the server at such a place, and then runs the command again, shows that
nothing is lost whenever that happens. Without the variable a checkpoint does nothing.
"""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path

VARIABLE = "HOP_TESTING_CHECKPOINT"
"""`<name>=<folder>`: at that checkpoint a file `reached` is made in the folder, after one called `pid` with the
process's number, and one called `go` is waited for."""

PATIENCE = 60.0
"""Seconds after which a command goes on although nobody told it to."""


def checkpoint(name: str) -> None:
    """A place called `name`, such as `upgrade.before_commit`, where a test may stop the command, once."""
    wanted, place = _wanted()
    if wanted != name:
        return
    folder = Path(place)
    reached = folder / "reached"
    if reached.exists():
        return
    (folder / "pid").write_text(str(os.getpid()))
    reached.touch()
    deadline = time.monotonic() + PATIENCE
    while not (folder / "go").exists() and time.monotonic() < deadline:
        time.sleep(0.002)


@cache
def _wanted() -> tuple[str, str]:
    """The name and the folder of the variable, looked up once: there are several checkpoints in each release."""
    name, _, folder = os.environ.get(VARIABLE, "").partition("=")
    return name, folder
