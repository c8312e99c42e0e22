"""SIGINT and SIGTERM: the first cancels what runs, so that it is rolled back; a second one ends hop at once.

The driver waits for the server in C, where Python's own handlers do not run. The interpreter writes the number of each
signal to a descriptor as it arrives, also then; a thread that reads it asks the server to cancel.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

if TYPE_CHECKING:
    from psycopg2.extensions import connection as DriverConnection

    from hop_tasks.database.connections import Connection

Process = TypeVar("Process", bound="subprocess.Popen[Any]")

ENDING = (signal.SIGINT, signal.SIGTERM)

CANCEL_AGAIN_SECONDS = 0.1
"""A request to cancel that comes too early, before the statement does, has no effect."""


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived; what Ctrl-C undoes is undone."""


class Interrupts:
    """The signals that arrive while a command runs.

    Attributes:
        number: the first one, None so far.
        announced: whether a person is told what a signal does.
    """

    def __init__(self, *, second_ends: bool, announced: bool = True) -> None:
        self.number: int | None = None
        self.announced = announced
        self._second_ends = second_ends
        self._arrived = 0
        self._untold = [True]
        self._handled = threading.Event()
        self._puts_off = False
        self._put_off: int | None = None

    def handle(self, number: int, _frame: object) -> None:
        """Python's handler: raises KeyboardInterrupt or Terminated; a second time it ends the process."""
        if self._puts_off:
            self._put_off = number
            return
        if self._handled.is_set():
            end_at_once(number)
        self.number = self.number or number
        self._announce(number)
        self._handled.set()
        raise _exception(number)

    def arrived(self, number: int) -> None:
        """Called for each signal as it arrives, whatever the main thread is in the middle of."""
        self._arrived += 1
        self.number = self.number or number
        if self._arrived == 1:
            self._announce(number)
            # In a thread of its own: the server that is asked may not answer.
            threading.Thread(target=self._cancel, name="hop-cancel", daemon=True).start()
        elif self._second_ends:
            end_at_once(number)

    def _announce(self, number: int) -> None:
        """Say what the first signal does: once, by whoever comes first, the watching thread or Python's handler."""
        with contextlib.suppress(IndexError):
            self._untold.pop()  # one step, which no signal and no other thread comes between
            if self._second_ends and self.announced:
                _say(f"  {signal.Signals(number).name}: cancelling what runs; a second one ends hop at once")

    @contextmanager
    def put_off(self) -> Iterator[None]:
        """Nothing is raised while the body runs; `raise_put_off` does it afterwards."""
        self._puts_off = True
        try:
            yield
        finally:
            self._puts_off = False

    def raise_put_off(self) -> None:
        """Raises what was put off, if anything was."""
        number, self._put_off = self._put_off, None
        if number is not None:
            self.handle(number, None)

    def over(self) -> None:
        """What runs from now on is not cancelled."""
        self._handled.set()

    def _cancel(self) -> None:
        import psycopg2
        from psycopg2.extensions import TRANSACTION_STATUS_ACTIVE

        # Until Python has the signal, and no longer: what is run after that puts things in order.
        while not self._handled.is_set():
            for connection in list(_connections):
                with contextlib.suppress(psycopg2.Error):
                    if connection.info.transaction_status == TRANSACTION_STATUS_ACTIVE:
                        connection.cancel()
            self._handled.wait(CANCEL_AGAIN_SECONDS)


_connections: set[DriverConnection] = set()
_processes: set[subprocess.Popen[Any]] = set()
_current: Interrupts | None = None
_ending = threading.Lock()


@contextmanager
def obeying_signals(*, announced: bool = True) -> Iterator[Interrupts]:
    """While the body runs, the first SIGINT or SIGTERM cancels what the server does and raises KeyboardInterrupt or
    Terminated; a second one ends the process at once, whatever it does. Both are said, unless not `announced`.

    Only the main thread of a program gets signals; in others, and inside another such body, the body just runs.
    """
    if _current is not None or threading.current_thread() is not threading.main_thread():
        yield _current or Interrupts(second_ends=False)
        return
    with _watching(second_ends=True, announced=announced) as interrupts:
        previous = {number: signal.getsignal(number) for number in ENDING}
        try:
            for number, handler in previous.items():
                # Whoever starts a program in the background of a script has it ignore Ctrl-C.
                if handler is not signal.SIG_IGN:
                    signal.signal(number, interrupts.handle)
            yield interrupts
        finally:
            for number, handler in previous.items():
                # None is one that was not installed from Python, and could not be put back.
                signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextmanager
def at_rest() -> Iterator[None]:
    """While the body runs there is nothing to cancel, and nothing is said when a signal arrives."""
    interrupts = _current
    if interrupts is None:
        yield
        return
    announced, interrupts.announced = interrupts.announced, False
    try:
        yield
    finally:
        interrupts.announced = announced


@contextmanager
def cancelled_by_signals(connection: Connection) -> Iterator[None]:
    """While the body runs, SIGINT and SIGTERM cancel the statement that runs on `connection`.

    For programs that use hop as a library, and handle signals themselves.
    """
    with cancellable(connection.driver):
        if _current is not None or threading.current_thread() is not threading.main_thread():
            yield
            return
        with _watching(second_ends=False):
            yield


@contextmanager
def cancellable(connection: DriverConnection) -> Iterator[None]:
    """While the body runs, signals cancel the statement that runs on `connection`, where signals are obeyed."""
    added = connection not in _connections
    _connections.add(connection)
    try:
        yield
    finally:
        if added:
            _connections.discard(connection)


@contextmanager
def begun(start: Callable[[], Process]) -> Iterator[Process]:
    """The process that `start` starts; it is killed if a second signal ends hop at once while the body runs.

    No signal comes between its start and its being known, when nobody would end it.
    """
    is_main = threading.current_thread() is threading.main_thread()
    interrupts = _current if _current is not None and is_main else Interrupts(second_ends=False)
    with _ending, interrupts.put_off():
        process = start()
        _processes.add(process)
    try:
        try:
            interrupts.raise_put_off()
        except BaseException:
            process.kill()
            process.wait()
            raise
        yield process
    finally:
        _processes.discard(process)


def stop_if_interrupted() -> None:
    """Raises KeyboardInterrupt or Terminated again if a signal has arrived: code of users may have swallowed it."""
    if _current is not None and _current.number is not None:
        raise _exception(_current.number)


def end_at_once(number: int) -> NoReturn:
    """End this process and those it has started, with the exit code of a signal. The server undoes the rest."""
    with _ending:
        for process in list(_processes):
            with contextlib.suppress(OSError):
                process.kill()
        name = signal.Signals(number).name
        if _current is None or _current.announced:
            _say(
                f"hop: ended at once by a second signal, {name}; the server rolls back by itself what was not committed"
            )
        os._exit(128 + number)


@contextmanager
def _watching(*, second_ends: bool, announced: bool = True) -> Iterator[Interrupts]:
    global _current  # noqa: PLW0603 (signals are the process's own, and so is who watches them)
    interrupts = Interrupts(second_ends=second_ends, announced=announced)
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    previous = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(target=_watch, args=(reading, interrupts), name="hop-signals", daemon=True)
    watcher.start()
    _current = interrupts
    try:
        yield interrupts
    finally:
        _current = None
        interrupts.over()
        signal.set_wakeup_fd(previous)
        writing.close()
        watcher.join()
        reading.close()


def _watch(reading: socket.socket, interrupts: Interrupts) -> None:
    while numbers := reading.recv(64):
        for number in numbers:
            if number in ENDING:
                interrupts.arrived(number)


def _exception(number: int) -> KeyboardInterrupt:
    return Terminated() if number == signal.SIGTERM else KeyboardInterrupt()


def _say(text: str) -> None:
    """A line on standard error, in one piece, and without the locks that the main thread may hold."""
    with contextlib.suppress(OSError):
        os.write(2, f"{text}\n".encode())
