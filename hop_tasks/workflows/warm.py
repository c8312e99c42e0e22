"""A process that has imported all that a round needs, and does each piece of work in a copy of itself.

Whatever a patch file imports, opens, starts or breaks is gone with the copy, and so is each session of the server: the
process that watches for hours stays as it was at the beginning. A copy takes 10 ms where a new interpreter would take
half a second to import everything.

It is copied (fork) with one thread and no connection, which is safe on Linux and macOS alike; that could not be said
of the process that watches. `multiprocessing` has such a server too (forkserver), which imports the script of whoever
uses hop as a library once more, and lets a copy go on when the process that it works for is killed.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from hop_tasks.deferring import imported_on_use
from hop_tasks.errors import HopError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

START = "import sys; sys.path[:] = sys.argv[2:]; from hop_tasks.workflows.warm import serve; serve(int(sys.argv[1]))"

WITHOUT = ("tasks", "program")
LIBRARIES = ("git", "postgast", "psycopg2.extras", "psycopg2.sql", "semver", "sqlalchemy.dialects.postgresql.psycopg2")
"""What hop imports in functions. What is missing here is imported by each copy anew: slower, and nothing else."""

PATIENCE = 5.0
"""Seconds that a piece of work has to come to an end when it is asked to; then it is killed."""

CODE = struct.Struct("i")


class Work(Protocol):
    """A piece of work; it is pickled on its way to the copy that does it."""

    def run(self, send: Callable[[object], None]) -> None:
        """Do it; `send` takes what the process that waits for it is to know, which is pickled too."""


class Job:
    """A piece of work that is being done, in a session of its own: no terminal's Ctrl-C reaches it but by way of us.

    `code` is the exit code once it has ended, negative for a signal.
    """

    def __init__(self, connection: Connection, control: socket.socket) -> None:
        self.code: int | None = None
        self._pid: int = connection.recv()
        self._connection = connection
        self._control = control
        self._kill_at: float | None = None

    def messages(self, *, every: float | None = None) -> Iterator[Any]:
        """What the work sends, as it comes, until it has ended; and None every so many seconds."""
        from multiprocessing.connection import wait

        open_ends: list[Any] = [self._connection, self._control]
        while self.code is None:
            ready = wait(open_ends, self._seconds_left() if self._kill_at is not None else every)
            if self._kill_at is not None and not self._seconds_left():
                self._kill_at = None
                self._signal(signal.SIGKILL)
            if self._connection in ready:
                try:
                    yield self._connection.recv()
                except EOFError:
                    # It has become another program, or has ended.
                    open_ends.remove(self._connection)
            elif self._control in ready:
                told = self._control.recv(CODE.size)
                self.code = CODE.unpack(told)[0] if told else -signal.SIGKILL
            elif every is not None:
                yield None

    def interrupt(self, number: int = signal.SIGINT) -> None:
        """Ask it, and all that it has started, to come to an end; it is killed if it has not after PATIENCE seconds."""
        self._signal(number)
        self._kill_at = time.monotonic() + PATIENCE

    def cancel(self, number: int) -> None:
        """Pass a signal on to the work alone, which takes the time that it needs to put things in order."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, number)

    def close(self) -> None:
        """End it, if it has not ended."""
        if self.code is None:
            self.interrupt()
            for _ in self.messages():
                pass
        self._connection.close()

    def _seconds_left(self) -> float:
        return max(0.0, (self._kill_at or 0.0) - time.monotonic())

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, number)


class WarmProcess:
    """The process that is copied, as seen by the one that has started it. One piece of work is done at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._light()

    def start(self, work: Work) -> Job:
        """Begin a piece of work. Raises HopError if the operating system has no room for it."""
        try:
            return self._start(work)
        except (EOFError, OSError):
            # Somebody has killed the process.
            self.close()
        self._light()
        try:
            return self._start(work)
        except (EOFError, OSError) as error:
            raise HopError(f"no process can be started for a round: {error or 'it ended at once'}") from error

    def close(self) -> None:
        """End the process, and the work that is being done; wait for both."""
        if self._control is not None and self._process is not None:
            self._control.close()
            self._process.wait()
            self._control = self._process = None

    def _start(self, work: Work) -> Job:
        from multiprocessing import Pipe

        assert self._control is not None
        ours, theirs = Pipe()
        try:
            with theirs:
                socket.send_fds(self._control, [b"."], [theirs.fileno()])
            job = Job(ours, self._control)
            ours.send(work)
        except BaseException:
            ours.close()
            raise
        return job

    def _light(self) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", START, str(theirs.fileno()), *map(os.path.abspath, sys.path)],
                cwd=self._folder,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )


def serve(descriptor: int) -> NoReturn:
    """What the process does: a copy for each request on the socket, and an end when nobody is at its other end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    woken, waking = socket.socketpair()
    waking.setblocking(False)
    signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    control = socket.socket(fileno=descriptor)
    import_everything()
    pid: int | None = None
    while True:
        ready, _, _ = select.select([control, woken], [], [])
        if woken in ready:
            woken.recv(1024)
            code = None if pid is None else _code(pid)
            if pid is not None and code is not None:
                # What it has started and left running.
                _signal(pid, signal.SIGKILL)
                pid = None
                with contextlib.suppress(OSError):
                    control.sendall(CODE.pack(code))
        if control in ready:
            request, descriptors, _, _ = socket.recv_fds(control, 1, 1)
            if not request:
                if pid is not None:
                    _end(pid)
                sys.exit()
            pid = os.fork()
            if pid == 0:
                _become(descriptors[0], control, woken, waking)
            os.close(descriptors[0])


def import_everything() -> None:
    """All modules of hop, less those of the command line, and of its libraries."""
    package = Path(__file__).parents[1]
    with imported_on_use("inflect"):
        for path in sorted(package.rglob("*.py")):
            parts = path.relative_to(package).with_suffix("").parts
            if parts[0] not in WITHOUT and parts[-1] != "__init__":
                importlib.import_module(".".join((package.name, *parts)))
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    # What is there now stays: looking through it for garbage would only have its memory copied.
    gc.collect()
    gc.freeze()


def _become(descriptor: int, *inherited: socket.socket) -> NoReturn:
    """Do a piece of work in this copy, and end."""
    from multiprocessing.connection import Connection

    code = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for end in inherited:
            end.close()
        connection = Connection(descriptor)
        connection.send(os.getpid())
        connection.recv().run(connection.send)
        code = 0
    except (EOFError, BrokenPipeError):
        # Nobody waits for it any more.
        pass
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _code(pid: int) -> int | None:
    """The exit code of a copy, negative for a signal; None as long as it runs."""
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def _end(pid: int) -> None:
    """End a copy, with all that it has started."""
    _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while _code(pid) is None and time.monotonic() < deadline:
        time.sleep(0.02)
    _signal(pid, signal.SIGKILL)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
