"""One run of the bench: what all workloads have in common."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tests.benchmarks.measuring import BenchmarkError, Command, measure
from tests.benchmarks.options import Options
from tests.benchmarks.peers import Environment
from tests.benchmarks.results import Reading, Results
from tests.benchmarks.server import Server

T = TypeVar("T")


@dataclass
class Bench:
    """What is measured, where, and what was found so far.

    Attributes:
        folder: for projects; removed at the end.
        peers: the tools that are installed, by name.
        failed: the subjects that failed, which are measured no more.
    """

    options: Options
    server: Server
    folder: Path
    peers: dict[str, Environment]
    results: Results
    failed: set[str] = field(default_factory=set)

    def take(
        self, workload: str, size: int, subject: str, command: Command, *, detached: bool = False
    ) -> Reading | None:
        """Measure a command and keep the reading; None if it failed, which becomes a line of the report."""
        if subject in self.failed:
            return None
        try:
            reading = measure(command, detached=detached)
        except BenchmarkError as error:
            self.give_up(subject, f"failed at {workload}: {error}")
            return None
        self.results.add(workload, size, subject, reading)
        self.say(f"{workload} {size}: {subject}: {reading.seconds:.3f} s")
        return reading

    def give_up(self, subject: str, reason: str) -> None:
        """Note that a subject cannot be measured, and leave it out from here on. A failure of hop ends the run."""
        if subject.startswith("hop"):
            raise BenchmarkError(f"{subject} {reason}")
        self.failed.add(subject)
        self.results.missing[subject] = reason
        self.say(f"{subject}: {reason}")

    def rounds(self, subjects: Sequence[T]) -> Iterator[T]:
        """The subjects in turn, as often as is wanted, each round beginning with another one."""
        for number in range(self.options.repeat):
            first = number % len(subjects)
            yield from [*subjects[first:], *subjects[:first]]

    def say(self, text: str) -> None:
        """Progress, on standard error."""
        print(text, file=sys.stderr, flush=True)
