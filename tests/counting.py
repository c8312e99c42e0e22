"""Counting what a command does, whatever the machine: messages to the server, processes, and files opened."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import struct
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import make_url

import hop_tasks
from tests.playground import Playground
from tests.servers import reachable_folder

WATCHING = re.compile("pg_blocking_pids")
"""A thread that looks who blocks a release does so by the clock."""

PROGRAM = """
import atexit, json, sys
events = {"subprocess.Popen": [], "open": []}
def hear(event, arguments):
    if event in events:
        events[event].append(str(arguments[0]))
sys.addaudithook(hear)
target = sys.argv.pop()
sys.argv[0] = "hop"
from hop_tasks.program import main
atexit.register(lambda: open(target, "w").write(json.dumps(events)))
main()
"""


@dataclass(frozen=True)
class Counts:
    """What a command did.

    Attributes:
        round_trips: the messages with statements that it sent to the server.
        processes: the programs that it started.
        files: the files that it opened, less those of Python itself.
    """

    round_trips: int
    processes: int
    files: int


@dataclass
class Wire:
    """A server's address that counts what comes along: connections, and the texts of `queries`, each a round trip."""

    address: str | tuple[str, int]
    connections: int = 0
    queries: list[str] = field(default_factory=list)

    def serve(self, listener: socket.socket) -> None:
        """Take connections until the listener is closed, and wait until they have ended."""
        carrying = []
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                self.connections += 1
                carrying.append(threading.Thread(target=self._carry, args=(client,)))
                carrying[-1].start()
        for thread in carrying:
            thread.join()

    def _carry(self, client: socket.socket) -> None:
        family = socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET
        with client, socket.socket(family) as server:
            server.connect(self.address)
            answers = threading.Thread(target=_pour, args=(server, client))
            answers.start()
            with suppress(OSError, struct.error), client.makefile("rb") as messages:
                self._forward(messages, server)
            with suppress(OSError):
                server.shutdown(socket.SHUT_WR)
            answers.join()

    def _forward(self, messages: BinaryIO, server: socket.socket) -> None:
        kind = b""  # the first message has none
        while size := messages.read(4):
            body = messages.read(struct.unpack("!i", size)[0] - 4)
            if kind in (b"Q", b"P"):
                self.queries.append(body.rstrip(b"\0").decode("utf-8", "replace"))
            server.sendall(kind + size + body)
            kind = messages.read(1)


def _pour(server: socket.socket, client: socket.socket) -> None:
    with suppress(OSError):
        while data := server.recv(65536):
            client.sendall(data)
    with suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)


@contextmanager
def on_a_wire(place: Playground) -> Iterator[tuple[Playground, Wire]]:
    """The place, where each connection goes through a wire that counts."""
    url = make_url(place.url)
    host, port = str(url.query.get("host") or url.host or "localhost"), url.port or url.query.get("port") or 5432
    address: str | tuple[str, int] = f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, int(str(port)))
    with reachable_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / ".s.PGSQL.5432"))
        listener.listen()
        wire = Wire(address)
        thread = threading.Thread(target=wire.serve, args=(listener,))
        thread.start()
        query = {**url.query, "host": str(folder), "port": "5432"}
        wired = url.set(host=None, port=None, query=query).render_as_string(hide_password=False)
        try:
            yield replace(place, url=wired), wire
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextmanager
def counted_git(place: Playground) -> Iterator[tuple[Playground, list[str]]]:
    """The place with a git before the real one on its PATH; at the end the list has the arguments of each run."""
    folder, real = Path(tempfile.mkdtemp(prefix="hop-git-")), shutil.which("git")
    runs: list[str] = []
    log = folder / "log"
    log.touch()
    (folder / "git").write_text(f'#!/bin/sh\necho "$*" >>{log}\nexec {real} "$@"\n')
    (folder / "git").chmod(0o755)
    try:
        yield place.with_variables(PATH=f"{folder}:{os.environ['PATH']}"), runs
    finally:
        runs += log.read_text().splitlines()
        shutil.rmtree(folder)


def counted(place: Playground, *arguments: str) -> Counts:
    """Run hop, which must succeed, and count."""
    told = place.folder.parent / "counts.json"
    with on_a_wire(place) as (wired, wire):
        wired.run(sys.executable, "-c", PROGRAM, *arguments, str(told)).succeeds()
    events = json.loads(told.read_text())
    package = str(Path(hop_tasks.__file__).parent)
    files = [path for path in events["open"] if not path.startswith((sys.prefix, sys.base_prefix, package))]
    trips = [query for query in wire.queries if not WATCHING.search(query)]
    return Counts(len(trips), len(events["subprocess.Popen"]), len(files))
