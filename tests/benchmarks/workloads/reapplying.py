"""Development: a release applied again, and undone, over databases of several sizes."""

from __future__ import annotations

import shutil
from dataclasses import replace

from tests.benchmarks.bench import Bench
from tests.benchmarks.measuring import BenchmarkError, measure
from tests.benchmarks.server import Server
from tests.benchmarks.subjects.developing import Developer, developers

APPLY, UNDO = "re-apply", "undo"
ON_REFLINKS = " on reflinks"
"""How the names of the workloads end that were measured on a file system with reflinks."""


def measure_reapplying(bench: Bench, megabytes: int, *, ending: str = "", server: Server | None = None) -> None:
    """Both, over so many megabytes; on another server where one is given, with its ending of the workloads' names.

    What a tool leaves in the background has ended before the next is measured.
    """
    if server is not None:
        bench = replace(bench, server=server)
    base = bench.server.name("base")
    bench.server.fill(base, megabytes)
    bench.results.facts[f"{megabytes} MB{ending}"] = f"{bench.server.megabytes(base):.0f} MB in the base"
    folder = bench.folder / f"reapply-{megabytes}"
    ready = []
    for number, developer in enumerate(developers(bench.server, bench.peers)):
        if developer.name in bench.failed:
            continue
        try:
            developer.prepare(base, folder / str(number))
            ready.append(developer)
            bench.say(f"{developer.name}: {megabytes} MB are prepared")
        except BenchmarkError as error:
            bench.give_up(developer.name, f"failed to prepare {megabytes} MB: {error}")
    for developer in bench.rounds([developer for developer in ready if developer.name not in bench.failed]):
        _measure_once(bench, developer, megabytes, ending)
    bench.server.drop_all()
    shutil.rmtree(folder)


def _measure_once(bench: Bench, developer: Developer, megabytes: int, ending: str) -> None:
    if not _is_applied(bench, developer):
        # Undone in the round before: each round applies again over an applied release.
        developer.get_ready()
        measure(developer.apply(), detached=True)
    for workload, command, applied in ((APPLY, developer.apply, True), (UNDO, developer.undo, False)):
        developer.get_ready()
        found = command()
        if found is None:
            return
        bench.server.execute("CHECKPOINT")
        if bench.take(workload + ending, megabytes, developer.name, found, detached=True) is None:
            return
        if _is_applied(bench, developer) != applied:
            raise BenchmarkError(f"{developer.name} left the table {'out' if applied else 'in place'}")


def _is_applied(bench: Bench, developer: Developer) -> bool:
    query = "SELECT FROM pg_tables WHERE tablename = 'item_1'"
    return bool(bench.server.execute(query, database=developer.database))
