"""Production: from an empty database to the newest release, again with nothing to do, and one release more."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.bench import Bench
from tests.benchmarks.measuring import BenchmarkError, measure
from tests.benchmarks.subjects import PEERS, Floor, Hop, Subject
from tests.benchmarks.subjects.base import Patch

EMPTY, UP_TO_DATE, ONE_MORE = "upgrade", "up to date", "one more"


@dataclass(frozen=True)
class Place:
    """A subject with its project of all releases, and the name of a database that lacks the newest of them."""

    subject: Subject
    folder: Path
    before: str


def measure_upgrades(bench: Bench, releases: int) -> None:
    """All three, for histories of so many releases."""
    subjects: list[Subject] = [Floor(bench.server), Hop(bench.server)]
    subjects += [PEERS[name](bench.server, bench.peers[name]) for name in PEERS if name in bench.peers]
    folder = bench.folder / f"upgrade-{releases}"
    places = []
    for number, subject in enumerate(subjects):
        if subject.name in bench.failed:
            continue
        try:
            places.append(_prepared(bench, subject, folder / str(number), releases))
            bench.say(f"{subject.name}: {releases} releases are prepared")
        except BenchmarkError as error:
            bench.give_up(subject.name, f"failed to prepare {releases} releases: {error}")
        except subprocess.CalledProcessError as error:
            bench.give_up(subject.name, f"failed to prepare {releases} releases: {error}: {error.stderr!r}")
    for place in bench.rounds(places):
        _measure_once(bench, place, releases)
    for place in places:
        bench.server.drop(place.before)
    shutil.rmtree(folder)


def _prepared(bench: Bench, subject: Subject, folder: Path, releases: int) -> Place:
    """Everything that is not measured, and one run of each kind, after which no cache is cold for one alone."""
    patches = [Patch(number) for number in range(1, releases + 1)]
    subject.prepare(folder / "all", patches)
    before = bench.server.name("before", folder.name)
    bench.server.create(before)
    subject.found(before)
    if releases > 1:
        subject.prepare(folder / "before", patches[:-1])
        measure(subject.upgrade(folder / "before", before, done=0))
    database = bench.server.name("warm")
    bench.server.create(database, before)
    measure(subject.upgrade(folder / "all", database, done=releases - 1))
    _require_releases(bench, database, releases)
    bench.server.drop(database)
    return Place(subject, folder / "all", before)


def _require_releases(bench: Bench, database: str, releases: int) -> None:
    """Whoever is fast because it leaves something out is not measured."""
    query = "SELECT count(*) FROM pg_tables WHERE starts_with(tablename, 'item_')"
    ((found,),) = bench.server.execute(query, database=database)
    if found != releases:
        raise BenchmarkError(f"the database has {found} of {releases} tables")


def _measure_once(bench: Bench, place: Place, releases: int) -> None:
    subject, folder = place.subject, place.folder
    known = bench.results.find(EMPTY, releases, subject.name)
    if known and known.median > bench.options.limit:
        return
    database = bench.server.name("upgrade")
    bench.server.create(database)
    subject.found(database)
    for workload, done in ((EMPTY, 0), (UP_TO_DATE, releases)):
        subject.get_ready(folder)
        bench.take(workload, releases, subject.name, subject.upgrade(folder, database, done=done))
    if subject.name not in bench.failed:
        _require_releases(bench, database, releases)
    bench.server.create(database, place.before)
    subject.get_ready(folder)
    bench.take(ONE_MORE, releases, subject.name, subject.upgrade(folder, database, done=releases - 1))
    bench.server.drop(database)
