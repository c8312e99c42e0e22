"""Counting what hop costs others: the processes of git that it starts, and what it asks the server."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import make_url

from tests.playground import Playground


@dataclass
class Traffic:
    """What went to the server: how many connections were made, and each statement, which is a round trip."""

    connections: int = 0
    statements: list[str] = field(default_factory=list)


@contextmanager
def watched(place: Playground) -> Iterator[tuple[Playground, Traffic]]:
    """The place with a URL that leads through a relay, and what comes along there."""
    url = make_url(place.url)
    folder = tempfile.mkdtemp(prefix="hop-relay-")
    traffic, server = Traffic(), (str(url.query["host"]), str(url.query["port"]))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{folder}/.s.PGSQL.{server[1]}")
        listening.listen()
        thread = threading.Thread(target=_accept, args=(listening, server, traffic), daemon=True)
        thread.start()
        try:
            yield (
                replace(place, url=url.update_query_dict({"host": folder}).render_as_string(hide_password=False)),
                traffic,
            )
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            shutil.rmtree(folder)


def _accept(listening: socket.socket, server: tuple[str, str], traffic: Traffic) -> None:
    threads = []
    with suppress(OSError):
        while True:
            client, _ = listening.accept()
            traffic.connections += 1
            threads.append(threading.Thread(target=_relay, args=(client, server, traffic), daemon=True))
            threads[-1].start()
    for thread in threads:
        thread.join()


def _relay(client: socket.socket, server: tuple[str, str], traffic: Traffic) -> None:
    with client, socket.socket(socket.AF_UNIX) as target:
        target.connect(f"{server[0]}/.s.PGSQL.{server[1]}")
        back = threading.Thread(target=_copy, args=(target, client), daemon=True)
        back.start()
        with closing(client.makefile("rb")) as messages, suppress(OSError):
            target.sendall(_startup(messages.read(4), messages))
            while head := messages.read(5):
                kind, length = struct.unpack("!ci", head)
                body = messages.read(length - 4)
                if kind in (b"Q", b"P"):
                    traffic.statements.append(body.rstrip(b"\0").decode())
                target.sendall(head + body)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)
        back.join()


def _startup(length: bytes, messages: object) -> bytes:
    return length + messages.read(struct.unpack("!i", length)[0] - 4)  # type: ignore[attr-defined]


def _copy(source: socket.socket, to: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(1 << 16):
            to.sendall(part)
        to.shutdown(socket.SHUT_WR)


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
