"""What was measured, and its form as JSON."""

from __future__ import annotations

import dataclasses
import json
import statistics
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reading:
    """One run of one command.

    Attributes:
        seconds: from its start to its end, by the clock.
        processor: seconds of processor time that it and its children took, the server's not among them.
        memory: its peak resident memory in bytes, or that of the largest of its children.
        background: seconds until what it left in the background had ended too; zero where nobody waited for that.
    """

    seconds: float
    processor: float
    memory: int
    background: float = 0.0


@dataclass
class Series:
    """The runs of one subject at one workload and one size."""

    workload: str
    size: int
    subject: str
    readings: list[Reading] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(reading.seconds for reading in self.readings)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The lower and the upper quartile of the seconds."""
        seconds = [reading.seconds for reading in self.readings]
        if len(seconds) == 1:
            return seconds[0], seconds[0]
        lower, _, upper = statistics.quantiles(seconds, n=4, method="inclusive")
        return lower, upper

    @property
    def processor(self) -> float:
        return statistics.median(reading.processor for reading in self.readings)

    @property
    def background(self) -> float:
        return statistics.median(reading.background for reading in self.readings)

    @property
    def memory(self) -> int:
        return max(reading.memory for reading in self.readings)


@dataclass
class Results:
    """All that one run of the bench found.

    Attributes:
        facts: name -> value of what the figures depend on: machine, server, versions.
        series: what was measured, in the order in which it is shown.
        missing: name -> reason of what could not be measured.
    """

    facts: dict[str, str] = field(default_factory=dict)
    series: list[Series] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)

    def add(self, workload: str, size: int, subject: str, reading: Reading) -> None:
        found = self.find(workload, size, subject)
        if found is None:
            found = Series(workload, size, subject)
            self.series.append(found)
        found.readings.append(reading)

    def find(self, workload: str, size: int, subject: str) -> Series | None:
        for series in self.series:
            if (series.workload, series.size, series.subject) == (workload, size, subject):
                return series
        return None

    def of(self, workload: str, size: int | None = None) -> list[Series]:
        """The series of a workload, at one size or all of them."""
        return [s for s in self.series if s.workload == workload and size in (None, s.size)]

    def sizes(self, workload: str) -> list[int]:
        return sorted({series.size for series in self.of(workload)})

    def subjects(self, workload: str) -> list[str]:
        """In the order in which they were first measured."""
        return list(dict.fromkeys(series.subject for series in self.of(workload)))

    def __str__(self) -> str:
        """The JSON text."""
        return json.dumps(dataclasses.asdict(self), separators=(",", ":"), ensure_ascii=False) + "\n"

    @classmethod
    def parse(cls, text: str) -> Results:
        """What `__str__` wrote."""
        data: dict[str, Any] = json.loads(text)
        series = [
            Series(s["workload"], s["size"], s["subject"], [Reading(**reading) for reading in s["readings"]])
            for s in data["series"]
        ]
        return cls(data["facts"], series, data["missing"])
