"""The servers' places, and the number of cases at the end."""

from __future__ import annotations

import pytest

from tests.workflows.shelf import shelf

__all__ = ["shelf"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, value in getattr(report, "user_properties", ()):
            if name == "cases" and report.when == "call":
                terminalreporter.write_line(f"{report.nodeid}: {value}")
