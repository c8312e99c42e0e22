"""What a person sees of the progress of a command whose output goes into a pipe: a log of CI, `tee`, a pager."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


WORKING = """
import sys
import time
from invoke.collection import Collection
from hop_tasks.program import HopProgram
from hop_tasks.tasks.base import hop_task
from hop_tasks.tasks.console import ConsoleReporter, show

@hop_task()
def work(context):
    reporter = ConsoleReporter()
    for number in range(3):
        reporter.step(f"step {number}")
        time.sleep(0.15)  # what was printed is flushed in the meantime
    print("by hand")
    show("the end")
    print("done", file=sys.stderr)

HopProgram(namespace=Collection(work)).run(["hop", "work"])
"""


def test_a_command_whose_reader_has_ended_does_what_it_was_to_do() -> None:
    """As in `hop upgrade | head -1`: left halfway and in silence it would be of use to nobody."""
    with subprocess.Popen(
        [sys.executable, "-c", WORKING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == "done\n"
    assert process.returncode == 0


def test_a_command_whose_log_is_on_a_full_disk_does_what_it_was_to_do_and_says_so() -> None:
    with Path("/dev/full").open("w") as full:
        found = subprocess.run(
            [sys.executable, "-c", WORKING], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert found.stderr.splitlines() == [
        "done",
        "hop: the output could not be written (No space left on device); what the command was to do is done. "
        "Next: hop shows the state",
    ]
    assert found.returncode == 20


def test_a_full_disk_is_no_fault_of_hops_and_ends_in_a_line() -> None:
    code = WORKING.replace('show("the end")', "open('/dev/full', 'wb', buffering=0).write(b'too much')")
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.stderr == (
        "hop: No space left on device; what was begun was rolled back, what was finished stays. "
        "Next: make room for it, or let hop write there, and try again; hop shows the state\n"
    )
    assert found.returncode == 1
