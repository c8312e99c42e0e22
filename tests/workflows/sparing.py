"""Spares in tests: a place that has them, waiting for who makes them, and stopping it on its way."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hop_tasks.snapshots import DISCARDED, SPARE, making_key
from tests.playground import Playground
from tests.workflows.shelf import database_of, url_beside

SECONDS = 60
KINDS = """
    SELECT datname, shobj_description(oid, 'pg_database')::text LIKE '%"kind": "{}"%' FROM pg_database
    WHERE datname LIKE '{}%'
"""
HELD = """
    SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1
    AND (classid::bigint << 32 | objid::bigint) = {}
"""

BLOCKED = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%' AND application_name ~ '^hop spare'"
"""Whether the server copies for who makes spares, or waits to."""


def sparing(place: Playground) -> Playground:
    """The place, where spares are made."""
    return place.with_variables(HOP_SPARE="1")


def is_sparing(place: Playground) -> bool:
    """Whether spares are made there."""
    return place.environment["HOP_SPARE"] == "1"


def spares(place: Playground) -> list[str]:
    """The spares that are whole."""
    return _of_kind(place, SPARE)


def settled(place: Playground, *, spare: bool = True) -> set[str]:
    """The databases of the place, once the background is done: nothing to drop, and a spare, or none."""

    def done() -> bool:
        there = place.databases()
        half_made = {name for name in there if "_spare_" in name} - set(spares(place))
        discarded = _of_kind(place, DISCARDED)
        return not (half_made or discarded or making(place)) and len(spares(place)) == int(spare)

    await_(done)
    return place.databases()


def making(place: Playground) -> bool:
    """Whether somebody makes spares."""
    return bool(place.sql(HELD.format(making_key(database_of(place))), url_beside(place, "postgres"))[0][0])


def oid_of(place: Playground, name: str) -> int:
    """The server's number of a database."""
    return int(place.sql(f"SELECT oid FROM pg_database WHERE datname = '{name}'", url_beside(place, "postgres"))[0][0])


@dataclass(frozen=True)
class Stopped:
    """Who makes spares, stopped at a checkpoint."""

    folder: Path

    @property
    def pid(self) -> int:
        return int((self.folder / "pid").read_text())

    def go(self) -> None:
        """Let it go on."""
        (self.folder / "go").touch()

    def is_alive(self) -> bool:
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
        except FileNotFoundError:
            return False


@contextmanager
def stopped_at(place: Playground, checkpoint: str, *command: str) -> Iterator[Stopped]:
    """Run a command whose background process stops at a checkpoint; it has ended at the end."""
    folder = place.folder.parent / f"signs-{checkpoint}"
    folder.mkdir()
    place.with_variables(HOP_TESTING_CHECKPOINT=f"{checkpoint}={folder}").hop(*command).succeeds()
    await_((folder / "reached").exists)
    stopped = Stopped(folder)
    try:
        yield stopped
    finally:
        stopped.go()
        await_(lambda: not stopped.is_alive())


def kill(stopped: Stopped) -> None:
    """End it at once, by its number."""
    os.kill(stopped.pid, 9)


def await_(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _of_kind(place: Playground, kind: str) -> list[str]:
    found = place.sql(KINDS.format(kind, database_of(place)), url_beside(place, "postgres"))
    return [name for name, is_one in found if is_one]
