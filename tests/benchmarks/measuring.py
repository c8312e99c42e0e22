"""Measuring commands: one process each, from its start to its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.results import Reading

STOPWATCH = Path(__file__).with_name("stopwatch.py")
LINES_SHOWN = 15
TIMEOUT = 1800
"""Seconds after which a command is taken for dead."""


class BenchmarkError(Exception):
    """A command that was to be measured failed, or something that it needs is not there."""


@dataclass(frozen=True)
class Command:
    """A process: the words of its command line, the folder it runs in, and all of its variables."""

    words: tuple[str, ...]
    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)


def measure(command: Command, *, detached: bool = False) -> Reading:
    """Run a command once; with `detached` also wait, outside the measured time, for what it left in the background.

    Raises BenchmarkError with the end of what it printed if it fails.
    """
    with tempfile.TemporaryDirectory(prefix="hop-bench-") as place:
        target, log = Path(place, "measured.json"), Path(place, "log")
        words = [sys.executable, "-I", "-S", str(STOPWATCH), str(target), "1" if detached else "0", *command.words]
        with log.open("wb") as output:
            process = subprocess.Popen(
                words,
                cwd=command.folder,
                env=dict(command.variables),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            code = _wait(process)
        if code != 0:
            end = "\n".join(log.read_text("utf-8", "replace").splitlines()[-LINES_SHOWN:])
            raise BenchmarkError(f"{' '.join(command.words)} ended with {code} in {command.folder}\n{end}")
        return Reading(**json.loads(target.read_text("utf-8")))


def _wait(process: subprocess.Popen[bytes]) -> int:
    """The exit code; nothing that was started survives an interruption, or a wait that is too long."""
    try:
        return process.wait(TIMEOUT)
    except subprocess.TimeoutExpired:
        raise BenchmarkError(f"a command had not ended after {TIMEOUT} s") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
