"""What a person sees of the progress of a command whose output goes into a pipe: a log of CI, `tee`, a pager."""

from __future__ import annotations

import subprocess
import sys

WAITING = """
import time
from hop_tasks.tasks.console import ConsoleReporter

reporter = ConsoleReporter()
reporter.step("first")
reporter.note("second")
time.sleep(20)
"""

FAILING = """
from invoke.collection import Collection
from hop_tasks.errors import StateError
from hop_tasks.program import HopProgram
from hop_tasks.tasks.base import hop_task
from hop_tasks.tasks.console import ConsoleReporter

@hop_task()
def fail(context):
    reporter = ConsoleReporter()
    reporter.step("begun")
    reporter.warn("odd")
    reporter.step("going on")
    raise StateError("it failed")

HopProgram(namespace=Collection(fail)).run(["hop", "fail"])
"""


def test_a_line_appears_while_the_command_works_on() -> None:
    with subprocess.Popen([sys.executable, "-c", WAITING], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert [process.stdout.readline() for _ in range(2)] == ["  first\n", "  second\n"]
            assert process.poll() is None
        finally:
            process.kill()


def test_lines_come_before_what_is_said_after_them_elsewhere() -> None:
    found = subprocess.run(
        [sys.executable, "-c", FAILING], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert found.stdout.splitlines() == ["  begun", "  warning: odd", "  going on", "hop: it failed"]
    assert found.returncode == 7
