"""A process that has imported all that hop needs, and becomes hop in a copy of itself whenever it is asked to.

It is a script, started by `tests.warm`, with the number of a socket as its argument. A request is a byte with four
descriptors: one to report to, and the standard input, output and errors. What to do is then read from the first, as
JSON: the arguments, the folder, the variables and the umask. The report is a line with the process's number, and
one with its exit code as `subprocess` has it, negative for a signal.

A copy does what the script `hop` would do, and ends as it would. There are no threads and no connections that a copy
could inherit.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path

LIBRARIES = (
    "git",
    "postgast",
    "psycopg2.errors",
    "psycopg2.extras",
    "sqlacodegen.generators",
    "sqlalchemy.dialects.postgresql.psycopg2",
)
"""What hop imports in functions."""


def import_everything() -> None:
    """All modules of hop and of its libraries."""
    import hop_tasks

    for module in pkgutil.walk_packages(hop_tasks.__path__, "hop_tasks."):
        importlib.import_module(module.name)
    for name in LIBRARIES:
        importlib.import_module(name)
    assert threading.active_count() == 1
    # What is there now stays: looking through it for garbage would only have its memory copied.
    gc.collect()
    gc.freeze()


def serve(control: socket.socket) -> list[int]:
    """Copy this process at each request, and end with whoever asks; returns in the copies, with the descriptors."""
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    woken, waking = socket.socketpair()
    waking.setblocking(False)
    signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    reports: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([control, woken], [], [])
        if woken in ready:
            woken.recv(1024)
            for number, code in ended():
                with reports.pop(number) as report, suppress(OSError):
                    report.sendall(f"{code}\n".encode())
        if control in ready:
            request, descriptors, _, _ = socket.recv_fds(control, 1, 4)
            if not request:
                sys.exit()
            number = os.fork()
            if number == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                signal.signal(signal.SIGINT, interrupt)
                for inherited in (control, woken, waking, *reports.values()):
                    inherited.close()
                return descriptors
            reports[number] = socket.socket(fileno=descriptors[0])
            for descriptor in descriptors[1:]:
                os.close(descriptor)
            with suppress(OSError):
                reports[number].sendall(f"{number}\n".encode())


def ended() -> list[tuple[int, int]]:
    """The numbers and exit codes of copies that have ended."""
    found = []
    with suppress(ChildProcessError):
        while (answer := os.waitpid(-1, os.WNOHANG))[0]:
            found.append((answer[0], os.waitstatus_to_exitcode(answer[1])))
    return found


def become(descriptors: list[int]) -> None:
    """Take over what a request says: streams, arguments, folder, variables, umask."""
    report, *streams = descriptors
    with os.fdopen(report, encoding="utf-8") as file:
        wanted = json.load(file)
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.umask(wanted["umask"])
    os.chdir(wanted["folder"])
    os.environ.clear()
    os.environ.update(wanted["variables"])
    sys.argv = wanted["arguments"]
    sys.path[0] = str(Path(sys.argv[0]).parent)


if __name__ == "__main__":
    import_everything()
    become(serve(socket.socket(fileno=int(sys.argv[1]))))
    from hop_tasks.program import script

    script()
