"""Which process serves a data folder: what `postmaster.pid` says, and whether that is still true."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

PID_FILE = "postmaster.pid"
SERVER_PROGRAM = "postgres"
CONNECT_TIMEOUT = 1.0


@dataclass(frozen=True)
class PidFile:
    """What a server wrote about itself when it started.

    Attributes:
        pid: the process that started.
        port: the port, which is part of the socket's name.
        socket_folder: the folder of the socket; None as long as it has none.
        ready: whether it had begun to accept connections, and was not about to stop.
    """

    pid: int
    port: int
    socket_folder: Path | None
    ready: bool


def socket_path(folder: Path, port: int) -> Path:
    """The socket of a server."""
    return folder / f".s.PGSQL.{port}"


def read_pid_file(data: Path) -> PidFile | None:
    """What the server of a data folder wrote; None if there is nothing, or nothing that can be read."""
    # Lines: pid, data folder, time of start, port, socket folder, listen address, shared memory, status.
    try:
        lines = os.fsdecode((data / PID_FILE).read_bytes()).splitlines()
        folder = Path(lines[4]) if len(lines) > 4 and lines[4] else None
        status = lines[7].strip() if len(lines) > 7 else ""
        return PidFile(int(lines[0]), int(lines[3]) if len(lines) > 3 else 0, folder, status == "ready")
    except (OSError, ValueError, IndexError):
        return None


def accepts_connections(pid_file: PidFile) -> bool:
    """Whether the process that wrote the file is the one behind its socket, and ready."""
    if not pid_file.ready or pid_file.socket_folder is None or not is_alive(pid_file.pid):
        return False
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(CONNECT_TIMEOUT)
        try:
            client.connect(os.fsencode(socket_path(pid_file.socket_folder, pid_file.port)))
        except BlockingIOError:
            return True  # Its queue of new connections is full: it is busy, and it is there.
        except OSError:
            return False
        if sys.platform == "linux":
            # The kernel knows who listens, so that a number used again by another process deceives nobody.
            credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            return bool(struct.unpack("3i", credentials)[0] == pid_file.pid)
    return True


def is_alive(pid: int) -> bool:
    """Whether a process with this number runs. A dead one that nobody has waited for counts as gone, on Linux."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    # In a container without an init, nobody waits for a server that died.
    return sys.platform != "linux" or _name_and_state(pid)[1] not in {"Z", "X"}


def live_postmaster(data: Path) -> int | None:
    """The process that serves a data folder, in whatever state. Errs towards there being one: it guards rows."""
    pid_file = read_pid_file(data)
    return pid_file.pid if pid_file is not None and _serves(pid_file.pid, data) else None


def remove_stale_files(data: Path, socket_folder: Path, port: int) -> None:
    """Remove what a server that is gone left behind: PostgreSQL refuses to start if its number is in use again.

    Only for a caller that keeps others from starting a server on the same data folder.
    """
    if live_postmaster(data) is None:
        (data / PID_FILE).unlink(missing_ok=True)
    path = socket_path(socket_folder, port)
    lock = path.with_name(path.name + ".lock")
    with contextlib.suppress(OSError, ValueError, IndexError):
        if not _serves(int(lock.read_text("ascii").splitlines()[0]), data):
            lock.unlink()
            path.unlink(missing_ok=True)


def _serves(pid: int, data: Path) -> bool:
    if not is_alive(pid):
        return False
    if sys.platform != "linux":
        import subprocess

        answer = subprocess.run(["ps", "-o", "comm=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return Path(answer.stdout.strip()).name == SERVER_PROGRAM
    if _name_and_state(pid)[0] not in {SERVER_PROGRAM, None}:
        return False
    try:
        # A server works in its data folder.
        return Path(f"/proc/{pid}/cwd").samefile(data)
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _name_and_state(pid: int) -> tuple[str | None, str | None]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None, None  # Gone since, or hidden because it is another user's.
    # The name is in parentheses, and may hold some.
    name, _, rest = text.partition("(")[2].rpartition(")")
    return name, rest.split(maxsplit=1)[0]
