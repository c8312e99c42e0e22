"""A server of a test's own, that can be stopped as if the power had failed, and started again."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hop_tasks.database import embedded
from hop_tasks.report import LoggingReporter


class CrashingServer:
    """An embedded server; what is committed survives `crash`, as with `pg_ctl stop -m immediate`."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self.start()

    @property
    def url(self) -> str:
        """The URL of the maintenance database, the same after each start."""
        return self._server.url("postgres").render_as_string(hide_password=False)

    def start(self) -> None:
        """Start it, with recovery if it crashed."""
        self._server = embedded.start(self._data, LoggingReporter())

    def crash(self) -> None:
        """End all its processes at once; nothing is rolled back or written before that."""
        pid = self._server.pid
        os.kill(pid, signal.SIGQUIT)
        while _is_there(pid):
            time.sleep(0.005)

    def remove(self) -> None:
        """Stop it and remove its data."""
        folder = self._data.resolve()
        embedded.stop(self._data)
        shutil.rmtree(folder)


@contextmanager
def crashing_server(folder: Path) -> Iterator[CrashingServer]:
    """A CrashingServer for as long as the body runs."""
    server = CrashingServer(folder / "pgdata")
    try:
        yield server
    finally:
        server.remove()


def _is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return not Path("/proc").is_dir()
