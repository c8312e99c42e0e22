"""The figures in the README, between two comments that the bench rewrites."""

from __future__ import annotations

import re
from pathlib import Path

from tests.benchmarks.report import above, above_start, in_order, is_floor, plots, ratio, seconds, table
from tests.benchmarks.results import Results, Series
from tests.benchmarks.workloads.reapplying import APPLY, UNDO
from tests.benchmarks.workloads.upgrading import EMPTY, ONE_MORE, UP_TO_DATE

ROOT = Path(__file__).resolve().parents[2]
PICTURES = Path(__file__).with_name("results")
BLOCK = re.compile(r"(<!-- figures of the benchmark -->\n).*?(<!-- end of the figures -->\n)", re.DOTALL)

SHOWN = (300, 3000)
"""The lengths of the histories whose tables are shown, if they were measured; else the longest. The plot has all."""

UPGRADE_HEAD = ("from empty", "ratio", "ms a release above psql", "less a start", "nothing to do", "one more")
TITLES = {
    "releases.svg": "Time against the number of releases",
    "reapply.svg": "Time to apply a release again, against the size of the database",
}


def write_readme(results: Results) -> None:
    """Put the figures into the README, and the plots and the results beside this file."""
    PICTURES.mkdir(exist_ok=True)
    for name, picture in plots(results).items():
        (PICTURES / name).write_text(picture, "utf-8")
    (PICTURES / "report.json").write_text(str(results), "utf-8")
    readme = ROOT / "README.md"
    readme.write_text(with_figures(readme.read_text("utf-8"), results), "utf-8")


def with_figures(text: str, results: Results) -> str:
    """The README's text with other figures; raises ValueError if it has no place for them."""
    block = figures(results)
    changed, count = BLOCK.subn(lambda found: f"{found[1]}{block}{found[2]}", text)
    if count != 1:
        raise ValueError("README.md does not have the two comments of the figures once")
    return changed


def figures(results: Results) -> str:
    """What stands between the comments: the machine, two tables, two plots."""
    names = ("machine", "server", "its files")
    parts = [", ".join(results.facts[name] for name in names if name in results.facts) + ":\n"]
    if sizes := results.sizes(EMPTY):
        for releases in [size for size in sizes if size in SHOWN] or sizes[-1:]:
            rows = [_upgrade_row(results, series) for series in in_order(results, EMPTY, releases)]
            parts.append(table([f"{releases:,} releases, seconds", *UPGRADE_HEAD], rows))
    if sizes := results.sizes(APPLY):
        rows = [
            [series.subject, *(_reapply_cell(results, size, series.subject) for size in sizes)]
            for series in in_order(results, APPLY, sizes[-1])
        ]
        parts.append(table(["re-apply / undo, seconds", *(f"{size:,} MB" for size in sizes)], rows))
    pictures = [f"![{TITLES[name]}](tests/benchmarks/results/{name})" for name in plots(results)]
    return "\n".join([*parts, *(f"{picture}\n" for picture in pictures)])


def _upgrade_row(results: Results, series: Series) -> list[str]:
    per_release = ["", ""]
    if not is_floor(series.subject):
        per_release = [f"{value(results, series):.2f}" for value in (above, above_start)]
    others = [results.find(workload, series.size, series.subject) for workload in (UP_TO_DATE, ONE_MORE)]
    ratio_shown = f"{ratio(results, series):.2f}"
    return [series.subject, seconds(series.median), ratio_shown, *per_release, *(_plain(other) for other in others)]


def _reapply_cell(results: Results, size: int, subject: str) -> str:
    return " / ".join(_plain(results.find(workload, size, subject)) or "none" for workload in (APPLY, UNDO))


def _plain(series: Series | None) -> str:
    return seconds(series.median) if series else ""
