"""What a command costs that has nothing to do."""

from __future__ import annotations

import shutil
import sys

from tests.benchmarks.bench import Bench
from tests.benchmarks.measuring import Command, measure
from tests.benchmarks.subjects import Hop
from tests.benchmarks.subjects.base import Patch

START = "start"


def measure_starts(bench: Bench, releases: int) -> None:
    """`hop` in production at the newest of so many releases, and what needs no database, beside bare Python."""
    folder = bench.folder / f"start-{releases}"
    hop = Hop(bench.server)
    database = bench.server.name("start")
    hop.prepare(folder, [Patch(number) for number in range(1, releases + 1)])
    bench.server.create(database)
    measure(hop.upgrade(folder, database, done=0))
    variables = bench.server.variables(database)
    commands = {
        "python -c pass": Command((sys.executable, "-c", "pass"), folder, variables),
        "python -c 'import sqlalchemy'": Command((sys.executable, "-c", "import sqlalchemy"), folder, variables),
        "hop --help": hop.command(folder, database, "--help", production=True),
        "hop --list": hop.command(folder, database, "--list", production=True),
        "hop, a TAB": hop.command(folder, database, "--complete", "--", "hop up", production=True),
        "hop (status)": hop.command(folder, database, production=True),
    }
    for name in bench.rounds(list(commands)):
        bench.take(START, releases, name, commands[name])
    bench.server.drop(database)
    shutil.rmtree(folder)
