"""The command line of the bench."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.peers import REQUIREMENTS

WORKLOADS = ("upgrade", "start", "reapply", "release")
WORK = Path("build/bench")


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        workloads: some of WORKLOADS.
        releases: the lengths of the histories.
        sizes: of the databases in development, in megabytes.
        repeat: how many rounds there are; what is shown is the median.
        limit: seconds; whoever takes longer from empty to the newest release is measured once.
        peers: the tools beside hop and psql.
        install: whether tools that are not there are installed.
        work: the folder that keeps the tools, and the report.
        url: a server's maintenance database; None for a server of the bench's own.
        reflink: a folder on a file system with reflinks, to measure re-applying there too.
        loop: the file system to make on a loop device for the same, `xfs` or `btrfs`; takes root.
        render: a report of an earlier run to show again, instead of measuring.
        readme: whether the figures are written into the README.
    """

    workloads: tuple[str, ...] = WORKLOADS
    releases: tuple[int, ...] = (300,)
    sizes: tuple[int, ...] = (100,)
    repeat: int = 5
    limit: float = 60.0
    peers: tuple[str, ...] = tuple(REQUIREMENTS)
    install: bool = True
    work: Path = WORK
    url: str | None = None
    reflink: Path | None = None
    loop: str | None = None
    render: Path | None = None
    readme: bool = False

    @classmethod
    def parse(cls, arguments: Sequence[str]) -> Options:
        """The options of a command line; leaves with a message and code 2 if they are wrong."""
        found = _parser().parse_args(arguments)
        return cls(**{**vars(found), "work": found.work.absolute()})


def _parser() -> argparse.ArgumentParser:
    default = Options()
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measure hop, psql and peers.")
    add = parser.add_argument
    add("--workloads", type=_some_of(WORKLOADS), default=WORKLOADS, help="default: all: " + ",".join(WORKLOADS))
    add("--releases", type=_numbers, default=default.releases, metavar="N,…", help="default: 300")
    add("--sizes", type=_numbers, default=default.sizes, metavar="MB,…", help="of the database; default: 100")
    add("--repeat", type=_positive, default=default.repeat, metavar="N", help="rounds; default: 5")
    add(
        "--limit",
        type=float,
        default=default.limit,
        metavar="SECONDS",
        help="longer runs are not repeated; default: 60",
    )
    add("--peers", type=_peers, default=default.peers, help="or none; default: all: " + ",".join(REQUIREMENTS))
    add("--no-install", dest="install", action="store_false", help="measure only the peers that are there")
    add("--work", type=Path, default=WORK, metavar="FOLDER", help=f"peers and report; default: {WORK}")
    add("--url", help="a server's maintenance database, as superuser; default: a private embedded server")
    add("--reflink", type=Path, metavar="FOLDER", help="measure re-applying in this folder of xfs or btrfs too")
    add("--loop", choices=["xfs", "btrfs"], help="make such a file system on a loop device, as root")
    add("--render", type=Path, metavar="REPORT.json", help="show an earlier report again instead of measuring")
    add("--readme", action="store_true", help="write figures and plots into the README and tests/benchmarks/results")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(_positive(part) for part in text.split(","))


def _peers(text: str) -> tuple[str, ...]:
    return () if text == "none" else _some_of(tuple(REQUIREMENTS))(text)


def _some_of(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        parts = tuple(text.split(","))
        if unknown := [part for part in parts if part not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        return parts

    return parse
