"""PostgreSQL's client programs: pg_dump, pg_restore and psql.

They learn where to connect from their environment alone: a password on a command line is seen by everybody on the
machine, and a database's name there may be taken for a connection string.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

from hop_tasks.database import embedded
from hop_tasks.database.addresses import Address
from hop_tasks.database.applications import application_at_work
from hop_tasks.database.interrupts import begun
from hop_tasks.database.services import service_keywords
from hop_tasks.errors import DatabaseError

if TYPE_CHECKING:
    from sqlalchemy import URL

VERSIONED_FOLDERS = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin")
# libpq's keywords and the variables that stand for them. The others, such as keepalives, have no variable.
VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "passfile": "PGPASSFILE",
    "service": "PGSERVICE",
    "servicefile": "PGSERVICEFILE",
    "options": "PGOPTIONS",
    "application_name": "PGAPPNAME",
    "client_encoding": "PGCLIENTENCODING",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "load_balance_hosts": "PGLOADBALANCEHOSTS",
    "require_auth": "PGREQUIREAUTH",
    "requirepeer": "PGREQUIREPEER",
    "channel_binding": "PGCHANNELBINDING",
    "sslmode": "PGSSLMODE",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "sslcompression": "PGSSLCOMPRESSION",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslcertmode": "PGSSLCERTMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcrl": "PGSSLCRL",
    "sslcrldir": "PGSSLCRLDIR",
    "sslsni": "PGSSLSNI",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
    "min_protocol_version": "PGMINPROTOCOLVERSION",
    "max_protocol_version": "PGMAXPROTOCOLVERSION",
    "gssencmode": "PGGSSENCMODE",
    "gsslib": "PGGSSLIB",
    "gssdelegation": "PGGSSDELEGATION",
    "krbsrvname": "PGKRBSRVNAME",
}
LINES_SHOWN = 20
PATIENCE = 5.0
ERROR_LINE = re.compile(r"\b(error|fatal|panic):", re.IGNORECASE)


@dataclass(frozen=True)
class Ended:
    """How a client program has ended: its exit code, what it printed, and its messages, without the password."""

    code: int
    output: str
    messages: str


def find_client(name: str, server_version: int, *, folder: Path | None = None) -> Path:
    """The client program that fits a server.

    One of the server's major version, or else of the lowest newer one: pg_dump refuses a server newer than itself.

    Args:
        name: pg_dump, pg_restore or psql.
        server_version: libpq's number of the server's version, such as 180006.
        folder: the only folder to look in; otherwise PATH, the system's folders and the embedded server's.
    """
    needed = _major(server_version)
    found = []
    for place, path in enumerate(_candidates(name, folder)):
        version = client_version(path)
        if version is not None:
            found.append((_major(version), -version, place, path))
    fitting = [entry for entry in found if entry[0] >= needed]
    if fitting:
        return min(fitting)[3]
    wanted = _shown(server_version)
    where = f"in {folder}" if folder is not None else "on this machine"
    older = ", ".join(f"{path} ({_shown(-version)})" for _, version, _, path in found)
    raise DatabaseError(
        f"the server is PostgreSQL {wanted} and needs {name} {wanted} or newer; "
        + (f"there is only {older}" if older else f"there is no {name} {where}"),
        hint=f"install PostgreSQL {wanted}'s client programs (Debian: apt install postgresql-client-{wanted}), "
        "or name their folder in the setting client_programs",
    )


def client_environment(place: Address | URL) -> dict[str, str]:
    """The environment in which a client program connects as the driver would there.

    Like the driver, it takes what that leaves open from libpq's variables and service files.
    Raises DatabaseError for a service that is in no file.
    """
    keywords = {
        keyword: ",".join(value) if isinstance(value, tuple) else str(value)
        for keyword, value in Address.of(place).arguments.items()
    }
    environment = dict(os.environ)
    # Colours would end up in messages.
    environment.pop("PG_COLOR", None)
    service = keywords.get("service") or environment.get("PGSERVICE")
    if service:
        # libpq prefers a service to variables, though not to what the driver is given: so it is resolved here.
        file = keywords.get("servicefile") or environment.get("PGSERVICEFILE")
        keywords = {**service_keywords(service, file), **keywords}
        keywords.pop("service", None)
        environment.pop("PGSERVICE", None)
    work = application_at_work()
    if work is not None:
        keywords["application_name"] = work
    environment.update({VARIABLES[keyword]: value for keyword, value in keywords.items() if keyword in VARIABLES})
    return environment


def run_client(
    program: Path,
    arguments: Sequence[str],
    place: Address | URL,
    *,
    stdin: bytes | IO[bytes] | None = None,
    stdout: Path | None = None,
) -> str:
    """Run a client program to its end, connected to a database; it never asks for a password.

    Args:
        program: from `find_client`.
        arguments: without anything about the connection; but pg_restore only connects when given `--dbname=`.
        place: where to connect to.
        stdin: what the program reads, as bytes or an open file; nothing by default.
        stdout: the file that gets the program's output; it is overwritten.

    Returns what it printed; with `stdout`, its messages.

    Raises DatabaseError if it fails. If hop is interrupted, it is ended before the exception goes on.
    """
    ended = run_to_end(program, arguments, place, stdin=stdin, stdout=stdout)
    if ended.code != 0:
        raise failure(program, ended)
    return ended.messages if stdout is not None else ended.output


def run_to_end(
    program: Path,
    arguments: Sequence[str],
    place: Address | URL,
    *,
    stdin: bytes | IO[bytes] | None = None,
    stdout: Path | None = None,
) -> Ended:
    """The same, whether it fails or not. Raises DatabaseError if it cannot be started."""
    environment = client_environment(place)
    # Its messages are read here.
    environment["LANGUAGE"] = "C"
    given = stdin if isinstance(stdin, bytes) else None
    source = stdin if stdin is not None and not isinstance(stdin, bytes) else None
    with contextlib.ExitStack() as stack:
        try:
            target = stack.enter_context(stdout.open("wb")) if stdout is not None else None
            process = stack.enter_context(
                running(
                    [program, "--no-password", *arguments],
                    stdin=subprocess.PIPE if given is not None else source or subprocess.DEVNULL,
                    stdout=target or subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env=environment,
                )
            )
        except OSError as error:
            raise DatabaseError(
                f"{program.name} cannot be run: {error}",
                hint=f"see whether {error.filename or program} is there and may be used",
            ) from error
        output, messages = process.communicate(given)
    text = masked(messages.decode("utf-8", "replace"), environment.get("PGPASSWORD"))
    return Ended(process.returncode, (output or b"").decode("utf-8", "replace"), text)


def failure(program: Path, ended: Ended) -> DatabaseError:
    """The error for a program that failed, with the first that it says, of which others are consequences."""
    lines = [line for line in ended.messages.splitlines() if line.strip()]
    telling = [line for line in lines if ERROR_LINE.search(line)] or lines[-1:] or [f"exit code {ended.code}"]
    return DatabaseError(
        f"{program.name} failed: {telling[0].strip()}",
        hint=f"mend what {program.name} says, and run the command again",
        details=lines[-LINES_SHOWN:],
    )


@contextlib.contextmanager
def running(arguments: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process, with the options of `subprocess.Popen`; raises OSError if it cannot be started.

    It is ended if the body fails: politely, so that it cancels what the server does for it.
    """
    with begun(lambda: subprocess.Popen(arguments, **options)) as process:
        try:
            yield process
        except BaseException:
            # It must not wait for someone to read what it writes.
            _close(process.stdin, process.stdout)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
                process.send_signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(PATIENCE)
                    break
            raise
        finally:
            _close(process.stdin, process.stdout, process.stderr)


def _close(*pipes: IO[bytes] | None) -> None:
    for pipe in pipes:
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def masked(text: str, password: str | None) -> str:
    """A text without the password, also where it is written as in a URL."""
    for secret in {password, quote(password, safe="")} if password else ():
        text = text.replace(secret, "***")
    return text


def _candidates(name: str, folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        folders = [folder.expanduser()]
    else:
        folders = [Path(entry) for entry in os.environ.get("PATH", os.defpath).split(os.pathsep) if entry]
        for pattern in VERSIONED_FOLDERS:
            folders += sorted(Path("/").glob(pattern))
        if embedded.is_available():
            folders.append(embedded.binaries())
    for path in dict.fromkeys(entry / name for entry in folders):
        # Asked first, since nothing else takes a closed folder on the PATH for an answer.
        if not os.access(path, os.X_OK) or not path.is_file():
            continue
        # Debian's wrapper runs now this version and now that one; what it chooses from is in the system's folders.
        if folder is not None or path.resolve().name != "pg_wrapper":
            yield path


def client_version(path: Path) -> int | None:
    """The version that a program says it has, as libpq's number; None if it does not run."""
    found = path.stat()
    return _ask_version(path, found.st_mtime_ns, found.st_size)


@functools.lru_cache
def _ask_version(path: Path, _modified: int, _size: int) -> int | None:
    """The version that a program says it has, as libpq's number; None if it does not run."""
    try:
        answer = subprocess.run(
            [path, "--version"], check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=60
        ).stdout.decode("utf-8", "replace")
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?(?:\.(\d+))?", answer)
    if match is None:
        return None
    first, second, third = (int(number or 0) for number in match.groups())
    return first * 10000 + (second if first >= 10 else second * 100 + third)


def _major(version: int) -> int:
    # Before 10, the first two numbers named a major version.
    return version // 10000 * 100 if version >= 100000 else version // 100


def _shown(version: int) -> str:
    return str(version // 10000) if version >= 100000 else f"{version // 10000}.{version // 100 % 100}"
