"""Runs one command and writes what it took: a script of its own, started with `python -I -S`.

A process that is started counts the memory of the one that started it as its own until it has more: so what starts
the measured commands must be small, and the bench, with its drivers, is not.
"""

import json
import os
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
"""See prctl(2)."""

PATIENCE = 10
"""Seconds to wait for what is in the background, where it cannot be seen to end."""


def adopt_descendants() -> bool:
    """Have processes whose parents end become children of this one, so that they can be waited for; Linux alone can."""
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    return bool(ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def main(target: str, detached: str, *command: str) -> int:
    """Run a command to its end.

    Args:
        target: the file for what was measured.
        detached: `1` to wait also for what the command left behind in the background.
        command: the program and its arguments.

    The time ends with the command itself. Returns its exit code.
    """
    adopts = detached == "1" and adopt_descendants()
    began = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - began
    if adopts:
        wait_for_children()
    elif detached == "1":
        time.sleep(PATIENCE)
    # In KiB; macOS counts bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    measured = {
        "seconds": round(seconds, 5),
        "processor": round(usage.ru_utime + usage.ru_stime, 5),
        "memory": usage.ru_maxrss * unit,
        "background": round(time.perf_counter() - began - seconds, 5),
    }
    # pathlib would weigh as much as all the rest of this process.
    with open(target, "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(measured, file)
    return os.waitstatus_to_exitcode(status)


def wait_for_children() -> None:
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
