"""Running hop without its start-up: copies of a process that has imported everything already (see `tests.forking`).

The start-up is most of the time that a short command takes. A copy is a process like any other, with a number of its
own; signals reach it, and SIGKILL ends it. What it is not is a new interpreter. So hop runs cold, as the script
that pip has installed, where that may matter: in tests that are marked so, those of the program, of what is wrong
before a command begins, of the README, and the first time that someone in the scenario gives a command; through Invoke,
nox and shells; whenever a variable differs that counts at the start of a process; and with --cold everywhere.
"""

from __future__ import annotations

import atexit
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

SCRIPT = Path(__file__).with_name("forking.py")
PREFIXES = ("PYTHON", "LC_", "LD_", "GIT_PYTHON")
SILENT = ("PYTHONWARNINGS", "ignore")
NAMES = ("LANG", "LANGUAGE", "PATH", "TZ")
"""Variables that count at the start of a process."""


class WarmProcess:
    """A command that runs, to be used as a `subprocess.Popen` with pipes for its output and errors."""

    def __init__(self, arguments: Sequence[str], report: socket.socket, stdout: int, stderr: int) -> None:
        self.args = list(arguments)
        self.stdout: IO[str] = os.fdopen(stdout, encoding="utf-8")
        self.stderr: IO[str] = os.fdopen(stderr, encoding="utf-8")
        self.returncode: int | None = None
        self._report = report
        self._lines = report.makefile("rb")
        number = self._lines.readline()
        assert number, "the process that is copied could not start; see above"
        self.pid = int(number)

    def poll(self) -> int | None:
        """The exit code; None as long as it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended."""
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._report, selectors.EVENT_READ)
                if not selector.select(timeout):
                    raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.returncode = int(self._lines.readline())
            self._lines.close()
            self._report.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Output and errors, once it has ended and nobody holds their pipes open any more."""
        deadline = time.monotonic() + (timeout or sys.maxsize)
        read: dict[int, list[bytes]] = {stream.fileno(): [] for stream in (self.stdout, self.stderr)}
        with selectors.DefaultSelector() as selector:
            for descriptor in read:
                selector.register(descriptor, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(max(0.0, deadline - time.monotonic()) if timeout else None)
                if not ready:
                    raise subprocess.TimeoutExpired(self.args, timeout or 0)
                for key, _ in ready:
                    part = os.read(key.fd, 1 << 16)
                    read[key.fd].append(part)
                    if not part:
                        selector.unregister(key.fd)
        self.wait(max(0.0, deadline - time.monotonic()) if timeout else None)
        self.stdout.close()
        self.stderr.close()
        out, err = (b"".join(parts).decode().replace("\r\n", "\n") for parts in read.values())
        return out, err

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> WarmProcess:
        return self

    def __exit__(self, *_: object) -> None:
        """Wait, and close the pipes."""
        self.stdout.close()
        self.stderr.close()
        self.wait()


class Stove:
    """The process that is copied; it starts at the first request, and ends with this one."""

    def __init__(self) -> None:
        self.off = False
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._variables: dict[str, str] = {}
        self._lock = threading.Lock()

    def suits(self, variables: Mapping[str, str]) -> bool:
        """Whether a copy would find what a new interpreter with these variables finds."""
        mine, wanted = self._variables or interpreters(os.environ), interpreters(variables)
        # Programs that are found before the others, such as another git, are looked for when they are run.
        if wanted.get("PATH", "").endswith(f"{os.pathsep}{mine.get('PATH')}"):
            wanted["PATH"] = mine["PATH"]
        return not self.off and wanted == mine

    def start(self, arguments: Sequence[str], folder: Path, variables: Mapping[str, str]) -> WarmProcess:
        """Begin hop in a folder, with these variables and nothing to read; `arguments` begin with the script's path."""
        mine, theirs = socket.socketpair()
        (out, stdout), (err, stderr) = os.pipe(), os.pipe()
        given = [theirs.detach(), os.open(os.devnull, os.O_RDONLY), stdout, stderr]
        with self._lock:
            socket.send_fds(self._control or self._light(arguments[0], variables), [b"."], given)
            mask = os.umask(0o077)
            os.umask(mask)
        for descriptor in given:
            os.close(descriptor)
        wanted = {"arguments": arguments, "folder": str(folder), "variables": dict(variables), "umask": mask}
        mine.sendall(json.dumps(wanted).encode())
        mine.shutdown(socket.SHUT_WR)
        return WarmProcess(arguments, mine, out, err)

    def _light(self, script: str, variables: Mapping[str, str]) -> socket.socket:
        self._variables = interpreters(variables)
        self._control, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, str(SCRIPT), str(theirs.fileno())]
            self._process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                cwd=Path(script).parent,
                env=dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        atexit.register(self._put_out)
        return self._control

    def _put_out(self) -> None:
        if self._control is not None and self._process is not None:
            self._control.close()
            self._process.wait()


STOVE = Stove()


def interpreters(variables: Mapping[str, str]) -> dict[str, str]:
    """Those variables that count at the start of a process; not one that only has warnings of libraries left out."""
    return {
        name: value
        for name, value in variables.items()
        if (name in NAMES or name.startswith(PREFIXES)) and (name, value) != SILENT
    }
