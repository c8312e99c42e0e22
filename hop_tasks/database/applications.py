"""The names by which hop's sessions are known on the server: who holds the lock, and what works under it.

PostgreSQL keeps 63 bytes of an application_name and shows it to every role, unlike most else about a session.
"""

from __future__ import annotations

import getpass
import hashlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

APPLICATION = "hop"
"""The application_name of sessions that only look, and need no lock."""

LONGEST = 63
"""The bytes of an application_name (NAMEDATALEN - 1)."""

_work: ContextVar[str | None] = ContextVar("work", default=None)


def whoami() -> str:
    """The operating system's user and host, such as `ann@laptop`."""
    return "@".join(_user_and_host())


def holder_application(verb: str, database: str) -> str:
    """The name of the session that holds a lock: `hop upgrade shop by ann@laptop`; long parts are shortened."""
    user, host = _user_and_host()
    parts = [_plain(database), _plain(user), _plain(host)]
    room = LONGEST - len(f"hop {verb}  by @")
    if sum(map(len, parts)) > room:
        parts[2] = parts[2].partition(".")[0]
    while sum(map(len, parts)) > room:
        longest = max(range(3), key=lambda index: len(parts[index]))
        parts[longest] = _shortened(parts[longest], len(parts[longest]) - 1)
    return f"hop {verb} {parts[0]} by {parts[1]}@{parts[2]}"


def work_application(database: str) -> str:
    """The name of the sessions that work under the lock of a database: another one for each database."""
    prefix, plain = "hop at work on ", _plain(database)
    if plain == database and len(prefix + plain) <= LONGEST:
        return prefix + plain
    digest = hashlib.sha256(database.encode()).hexdigest()[:8]
    return f"{prefix}{plain[: LONGEST - len(prefix) - 11]}.. {digest}"


@contextmanager
def at_work_on(database: str) -> Iterator[None]:
    """While the body runs, sessions that are begun in this thread are work under the lock of `database`."""
    token = _work.set(work_application(database))
    try:
        yield
    finally:
        _work.reset(token)


def application_at_work() -> str | None:
    """The name for a session that is begun now under a lock, None without one.

    It goes before what a URL says, so that what a killed hop left running can be told from other programs.
    """
    return _work.get()


def own_applications() -> frozenset[str]:
    """The names that hop's sessions may have now, less the one that holds the lock."""
    return frozenset({APPLICATION, application_at_work() or APPLICATION})


def _user_and_host() -> tuple[str, str]:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return user, socket.gethostname()


def _plain(text: str) -> str:
    """Printable ASCII: servers show other characters of an application_name differently."""
    return "".join(character if " " <= character <= "~" else "?" for character in text)


def _shortened(text: str, length: int) -> str:
    """`length` characters of a text, its middle replaced by two dots."""
    begin = max(length - 2, 0) // 2
    end = max(length - 2 - begin, 0)
    return f"{text[:begin]}..{text[len(text) - end :]}"[:length]
