"""Ctrl-C and SIGTERM while the server works: the running statement is cancelled at once.

The driver waits for the server in C, where Python's own handlers do not run. The interpreter writes the number of each
signal to a descriptor as it arrives, also then; a thread that reads it asks the server to cancel.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg2.extensions import connection as DriverConnection
    from sqlalchemy import Connection

CANCELLING = frozenset({signal.SIGINT, signal.SIGTERM})


@contextmanager
def cancelled_by_signals(connection: Connection) -> Iterator[None]:
    """While the body runs, SIGINT and SIGTERM cancel the statement that runs on `connection`.

    Only the main thread of a program gets signals; in others the body just runs.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    raw: DriverConnection = connection.connection.driver_connection  # type: ignore[assignment]
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    previous = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(target=_cancel_on_signal, args=(reading, raw), name="hop-cancel", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(previous)
        writing.close()
        watcher.join()
        reading.close()


def _cancel_on_signal(reading: socket.socket, connection: DriverConnection) -> None:
    import psycopg2

    while numbers := reading.recv(64):
        if CANCELLING.intersection(numbers):
            with contextlib.suppress(psycopg2.Error):
                connection.cancel()
