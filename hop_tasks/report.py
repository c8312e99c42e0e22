"""How progress leaves the library: a protocol, and the default that writes to `logging`."""

from __future__ import annotations

import logging
from typing import Protocol


class Reporter(Protocol):
    """Receives what a workflow does while it does it. Every text is one line without a final period."""

    def step(self, text: str) -> None:
        """A step of the work begins or has been done."""

    def note(self, text: str) -> None:
        """Something a person wants to know and need not act on."""

    def warn(self, text: str) -> None:
        """Something a person should act on; the work goes on."""


class LoggingReporter:
    """Reports to the logger `hop_tasks`: steps as INFO, notes as INFO, warnings as WARNING."""

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("hop_tasks")

    def step(self, text: str) -> None:
        self._logger.info("%s", text)

    def note(self, text: str) -> None:
        self._logger.info("%s", text)

    def warn(self, text: str) -> None:
        self._logger.warning("%s", text)


def shown_size(size: int) -> str:
    """A number of bytes as a person reads it, in units of 1000."""
    amount = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


DEFAULT_REPORTER: Reporter = LoggingReporter()
