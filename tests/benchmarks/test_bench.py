"""The bench runs, in its smallest size; its figures are nobody's promise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.benchmarks.measuring import BenchmarkError, Command, measure
from tests.benchmarks.readme import ROOT, with_figures
from tests.benchmarks.report import markdown, plots
from tests.benchmarks.results import Reading, Results
from tests.benchmarks.subjects import Floor
from tests.benchmarks.subjects.developing import CloneFloor, IdempotentFloor, SwapFloor
from tests.benchmarks.workloads.reapplying import APPLY
from tests.benchmarks.workloads.upgrading import EMPTY, UP_TO_DATE


def reading(seconds: float) -> Reading:
    return Reading(seconds, seconds / 2, 20 * 2**20)


def made_up() -> Results:
    """Two rounds with 100 releases, of a server and tools that there are not."""
    results = Results({"machine": "a made-up one"}, missing={"yoyo": "not installed"})
    for subject, workload, seconds in (
        (Floor.name, EMPTY, (0.9, 1.1)),
        (Floor.name, UP_TO_DATE, (0.01, 0.01)),
        ("hop", EMPTY, (1.5, 1.5)),
        ("hop", UP_TO_DATE, (0.2, 0.2)),
        (SwapFloor.name, APPLY, (0.02, 0.02)),
        ("hop", APPLY, (0.3, 0.3)),
    ):
        for number in seconds:
            results.add(workload, 100, subject, reading(number))
    return results


def row(text: str, section: str, subject: str) -> list[str]:
    """The cells of a subject's line in a section of the report."""
    lines = text.split(f"## {section}\n")[1].split("\n## ", maxsplit=1)[0].splitlines()
    (found,) = [line for line in lines if line.startswith(f"| {subject} |")]
    return [cell.strip() for cell in found.strip("|").split("|")]


def bench(work: Path, server_url: str, *more: str) -> str:
    """What the bench prints in its smallest size."""
    options = ["--releases=1", "--sizes=1", "--repeat=1", "--peers=dbmate", "--no-install", f"--work={work}", *more]
    words = [sys.executable, "-m", "tests.benchmarks", *options, f"--url={server_url}"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_hop_is_compared_with_psql(tmp_path: Path, server_url: str) -> None:
    text = bench(tmp_path, server_url, "--workloads=upgrade,reapply")
    for section in ("Empty database to 1 release", "Nothing to do, 1 release", "One release more than 0"):
        for subject in (Floor.name, "hop"):
            assert float(row(text, section, subject)[2]) > 0
    for subject in (SwapFloor.name, CloneFloor.name, IdempotentFloor.name, "hop"):
        row(text, "Re-apply, 1 MB", subject)
    row(text, "Undo, 1 MB", "hop")
    assert "- dbmate: not installed\n" in text
    assert "fsync = " in text
    results = Results.parse((tmp_path / "report.json").read_text("utf-8"))
    assert markdown(results) == (tmp_path / "report.md").read_text("utf-8")
    for name in ("releases.svg", "reapply.svg"):
        ElementTree.parse(tmp_path / name)


@pytest.mark.campaign
def test_start_and_release_are_measured_too(tmp_path: Path, server_url: str) -> None:
    text = bench(tmp_path, server_url, "--workloads=start,release")
    for subject in ("python -c pass", "hop --help", "hop (status)"):
        row(text, "Start, 1 release", subject)
    row(text, "Release, 1 MB", "hop")


def test_the_report_gives_ratios_and_milliseconds_a_release() -> None:
    cells = row(markdown(made_up()), "Empty database to 100 releases", "hop")
    assert cells[:5] == ["hop", "1.50 (1.50 to 1.50)", "1.50", "5.00", "3.00"]
    assert row(markdown(made_up()), "Empty database to 100 releases", Floor.name)[1] == "1.00 (0.950 to 1.05)"


def test_a_peer_that_is_not_installed_is_a_line() -> None:
    assert "- yoyo: not installed\n" in markdown(made_up())


def test_results_survive_as_json() -> None:
    assert Results.parse(str(made_up())) == made_up()


def test_a_plot_has_a_line_and_a_name_for_each_subject() -> None:
    text = plots(made_up())["releases.svg"]
    assert text.count("<polyline") == 2
    assert ">psql 1 s</text>" in text
    assert ">hop 1.5 s</text>" in text


def test_the_figures_take_their_place_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    changed = with_figures(readme, made_up())
    assert "| hop | 1.50 | 1.50 | 5.00 | 3.00 | 0.200 |" in changed
    assert with_figures(changed, made_up()) == changed
    assert changed.split("<!-- figures")[0] == readme.split("<!-- figures")[0]
    assert changed.split("<!-- end of")[1] == readme.split("<!-- end of")[1]


def test_the_plots_of_the_readme_are_there() -> None:
    for name in plots(made_up()):
        assert f"(tests/benchmarks/results/{name})" in (ROOT / "README.md").read_text("utf-8")
        ElementTree.parse(ROOT / "tests/benchmarks/results" / name)


def test_a_command_that_fails_is_told_with_what_it_printed(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"(?s)ended with 3 .*\nno such table"):
        measure(Command(("/bin/sh", "-c", "echo no such table; exit 3"), tmp_path))


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux shows the end of what is in the background"
)
def test_what_a_command_leaves_in_the_background_has_ended_when_the_next_begins(tmp_path: Path) -> None:
    script = "(sleep 0.3; echo done >ended) </dev/null >/dev/null 2>&1 &"
    left = measure(
        Command(("/bin/sh", "-c", f"setsid /bin/sh -c '{script}'"), tmp_path, {"PATH": "/usr/bin:/bin"}), detached=True
    )
    assert (tmp_path / "ended").exists()
    assert left.seconds < left.background
