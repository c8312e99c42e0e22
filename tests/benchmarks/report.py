"""The report: what was measured as Markdown, and as plots."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.benchmarks.plot import Line, plot
from tests.benchmarks.results import Results, Series
from tests.benchmarks.subjects.developing import CloneFloor, IdempotentFloor, SwapFloor
from tests.benchmarks.subjects.floor import Floor
from tests.benchmarks.workloads.reapplying import APPLY, ON_REFLINKS, UNDO
from tests.benchmarks.workloads.releasing import FLOOR, RELEASE
from tests.benchmarks.workloads.starting import START
from tests.benchmarks.workloads.upgrading import EMPTY, ONE_MORE, UP_TO_DATE

FLOORS = {
    EMPTY: Floor.name,
    UP_TO_DATE: Floor.name,
    ONE_MORE: Floor.name,
    START: "python -c pass",
    APPLY: SwapFloor.name,
    UNDO: SwapFloor.name,
    APPLY + ON_REFLINKS: SwapFloor.name,
    UNDO + ON_REFLINKS: SwapFloor.name,
    RELEASE: FLOOR,
}
"""Workload -> the subject that all are compared with."""

HOW = """\
Medians of {runs} runs, each a process from its start to its end by the clock, with quartiles in brackets and the ratio
to the floor. All subjects take turns, each round beginning with another one, and each has run once before, unmeasured.
Before each run the server writes a checkpoint. The SQL is the same for all: a release is a file with a `CREATE TABLE`
and an `INSERT`. Every tool runs in the fastest way that its documentation has for one transaction and one row of its
registry a release; half_orm's hop writes that row in a transaction of its own. hop runs with `--no-fetch`, as no
network is measured, and with `HOP_BACKUP_FORMAT=none`, as of all others only half_orm's hop makes a backup, always.
Memory is the peak of the tool's largest process, 9 MB at least, and processor time that of its processes; the server's
counts for neither. What a tool leaves in the background has ended before the next run, and counts only where it is
shown.
"""

ABOVE = """\
"ms a release" is the time above the floor, divided by the number of releases; "less a start" leaves out the tool's own
time when there is nothing to do.
"""

Column = tuple[str, Callable[[Series], str]]


def markdown(results: Results) -> str:
    """The whole report."""
    runs = max((len(series.readings) for series in results.series), default=0)
    parts = ["# hop beside psql and its peers\n", HOW.format(runs=runs)]
    parts.append("\n".join(f"- {name}: {value}" for name, value in results.facts.items()) + "\n")
    for releases in results.sizes(EMPTY):
        parts.append(f"## Empty database to {count(releases)}\n")
        parts += [ABOVE, _table(results, EMPTY, releases, [*_above(results, releases), *_cost()])]
        parts += [f"## Nothing to do, {count(releases)}\n", _table(results, UP_TO_DATE, releases, _cost())]
        parts += [f"## One release more than {releases - 1:,}\n", _table(results, ONE_MORE, releases, _cost())]
    for releases in results.sizes(START):
        parts += [f"## Start, {count(releases)}\n", _table(results, START, releases, _cost())]
    for workload in (APPLY, UNDO, APPLY + ON_REFLINKS, UNDO + ON_REFLINKS, RELEASE):
        for megabytes in results.sizes(workload):
            columns = _background() + _cost()
            parts += [f"## {workload.capitalize()}, {megabytes:,} MB\n", _table(results, workload, megabytes, columns)]
    if results.missing:
        parts.append("## Not measured\n")
        parts.append("\n".join(f"- {name}: {_one_line(reason)}" for name, reason in results.missing.items()) + "\n")
    return "\n".join(parts)


def plots(results: Results) -> dict[str, str]:
    """File name -> SVG: time against the number of releases, and of re-applying against the size of the database."""
    found = {}
    if results.of(EMPTY):
        found["releases.svg"] = plot("From an empty database to the newest release", "releases", _lines(results, EMPTY))
    if results.of(APPLY):
        found["reapply.svg"] = plot("Applying a release again", "MB in the database", _lines(results, APPLY))
    return found


def ratio(results: Results, series: Series) -> float:
    """How many times the floor's median the median of a series is."""
    floor = results.find(series.workload, series.size, FLOORS[series.workload])
    return series.median / floor.median if floor else 1.0


def above(results: Results, series: Series) -> float:
    """Milliseconds a release above the floor."""
    floor = results.find(EMPTY, series.size, Floor.name)
    return 1000 * (series.median - (floor.median if floor else 0)) / series.size


def above_start(results: Results, series: Series) -> float:
    """The same, less what the tool takes when there is nothing to do."""
    start = results.find(UP_TO_DATE, series.size, series.subject)
    return above(results, series) - 1000 * (start.median if start else 0) / series.size


def seconds(number: float) -> str:
    """Three digits, at most three of them behind the point."""
    return f"{number:.3f}" if number < 1 else f"{number:.2f}" if number < 10 else f"{number:.1f}"


def count(releases: int) -> str:
    """How many releases, in words."""
    return f"{releases:,} release{'' if releases == 1 else 's'}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown: the first column to the left, the others to the right."""
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _table(results: Results, workload: str, size: int, columns: Sequence[Column]) -> str:
    common: list[Column] = [
        ("seconds", lambda s: f"{seconds(s.median)} ({' to '.join(map(seconds, s.quartiles))})"),
        ("ratio", lambda s: f"{ratio(results, s):.2f}"),
    ]
    every = [*common, *columns, ("runs", lambda s: str(len(s.readings)))]
    rows = [[s.subject, *(show(s) for _, show in every)] for s in in_order(results, workload, size)]
    return table(["", *(name for name, _ in every)], rows)


def in_order(results: Results, workload: str, size: int) -> list[Series]:
    """The floors first, then the fastest."""
    return sorted(results.of(workload, size), key=lambda s: (not is_floor(s.subject), s.median))


def is_floor(subject: str) -> bool:
    return subject in {*FLOORS.values(), CloneFloor.name, IdempotentFloor.name}


def _above(results: Results, releases: int) -> list[Column]:
    def shown(value: Callable[[Results, Series], float]) -> Callable[[Series], str]:
        return lambda s: "" if is_floor(s.subject) else f"{value(results, s):.2f}"

    return [("ms a release", shown(above)), ("less a start", shown(above_start))]


def _cost() -> list[Column]:
    return [
        ("processor s", lambda s: seconds(s.processor)),
        ("memory MB", lambda s: f"{s.memory / 2**20:.0f}"),
    ]


def _background() -> list[Column]:
    return [("in the background s", lambda s: seconds(s.background) if s.background > 0.01 else "")]


def _lines(results: Results, workload: str) -> list[Line]:
    found = []
    for subject in results.subjects(workload):
        series = sorted((s for s in results.of(workload) if s.subject == subject), key=lambda s: s.size)
        points = tuple((float(s.size), s.median) for s in series)
        name = subject.removesuffix(" (floor)")
        found.append(Line(name, points, is_ours=subject.startswith("hop"), is_floor=is_floor(subject)))
    return found


def _one_line(text: str) -> str:
    return " / ".join(line.strip() for line in text.splitlines() if line.strip())
