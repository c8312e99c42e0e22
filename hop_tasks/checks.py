"""The service `checks`: the project's own tests, run against a database of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hop_tasks.database.interrupts import begun
from hop_tasks.errors import ChecksError
from hop_tasks.report import Reporter

if TYPE_CHECKING:
    pass

PYTEST = "pytest"
PYTEST_NO_TESTS = 5
"""pytest's exit code for a run that collected no test (`pytest.ExitCode.NO_TESTS_COLLECTED`)."""


@dataclass(frozen=True)
class ChecksRun:
    """What the tests came to: the command, and its last line; `found_none` if there were no tests."""

    command: str
    summary: str
    found_none: bool


def run_checks(
    command: Sequence[str], folder: Path, url: str, reporter: Reporter, variables: Mapping[str, str] | None = None
) -> ChecksRun:
    """Run the test command in `folder`, with HOP_DATABASE_URL and DATABASE_URL naming the database to test.

    `pytest` runs as a module of this Python. Each line of output goes to the reporter. `variables` are set besides.
    Raises ChecksError if the command fails or cannot be run; pytest without tests is a success.
    """
    shown = " ".join(command)
    is_pytest = command[0] == PYTEST
    lines = []
    try:
        with begun(
            lambda: subprocess.Popen(
                checks_arguments(command),
                cwd=folder,
                env={**checks_environment(os.environ, url), **(variables or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
        ) as process:
            try:
                assert process.stdout is not None
                with process.stdout:
                    for line in process.stdout:
                        lines.append(line.rstrip("\n"))
                        if lines[-1].strip():
                            reporter.note(lines[-1])
                process.wait()
            except BaseException:
                process.terminate()
                process.wait()
                raise
    except OSError as error:
        raise ChecksError(
            f"the tests could not be run: {shown}: {error.strerror}", hint="correct the setting tests in [tool.hop]"
        ) from error
    found_none = is_pytest and process.returncode == PYTEST_NO_TESTS
    summary = next((line for line in reversed(lines) if line.strip()), "").strip("= ")
    if process.returncode and not found_none:
        raise ChecksError(
            f"the tests failed ({shown} ended with code {process.returncode}: {summary or 'it printed nothing'}); "
            "nothing was released",
            hint="correct them, commit, hop apply, hop release",
        )
    return ChecksRun(shown, summary, found_none)


def checks_arguments(command: Sequence[str]) -> list[str]:
    """A command as it is started: `pytest` as a module of this Python."""
    return [sys.executable, "-m", *command] if command[0] == PYTEST else list(command)


def checks_environment(environ: Mapping[str, str], url: str) -> dict[str, str]:
    """The environment of the tests: the database to test and no other, and no bytecode files in the tree."""
    kept = {key: value for key, value in environ.items() if key not in ("PGDATABASE", "PGSERVICE", "HOP_PRODUCTION")}
    return {**kept, "HOP_DATABASE_URL": url, "DATABASE_URL": url, "PYTHONDONTWRITEBYTECODE": "1"}
