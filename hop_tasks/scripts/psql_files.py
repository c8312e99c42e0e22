"""Running one patch file with psql, for its own commands: \\copy, \\i, \\gexec and the like."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from hop_tasks.database.applications import APPLICATION
from hop_tasks.database.clients import client_environment, masked, running
from hop_tasks.errors import DatabaseError, PatchError
from hop_tasks.report import Reporter
from hop_tasks.scripts.excerpts import excerpt
from hop_tasks.scripts.files import PatchFile
from hop_tasks.scripts.nontransactional import Declaration, declared
from hop_tasks.scripts.outcomes import NOTHING_RUN, ROLLED_BACK
from hop_tasks.scripts.psql_messages import UNWANTED, Message, place_of, read_messages
from hop_tasks.scripts.sql_files import HINTS, failure, sql_text

if TYPE_CHECKING:
    from sqlalchemy import URL

    from hop_tasks.database.addresses import Address
    from hop_tasks.scripts.runner import FileRun

PARTLY_DONE = "what the file did before that stays"
LINES_SHOWN = 50
"""Lines of psql's output that are reported."""

OPTIONS = ("--no-psqlrc", "--no-password", "--quiet", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=verbose")
STOPPING_AGAIN = "\\set ON_ERROR_STOP 1"
"""In case that the file has switched it off."""

# Not options of the connection: poolers refuse those.
SETTINGS = """
    DO $$ BEGIN
        PERFORM set_config('lock_timeout', '%d', false);
        IF current_setting('server_version_num')::int >= 140000 THEN
            PERFORM set_config('client_connection_check_interval', '1s', false);
        END IF;
    END $$
"""

# A lock of the transaction's own ends with it, whatever has ended it, and nothing else in a file can take it away: not
# RESET ALL as a setting, not DISCARD TEMP as a table.
LOCK_CLASS = 0x686F70
TAKE_LOCK = "DO $$ BEGIN PERFORM pg_advisory_xact_lock(%d, %d); END $$"
CHECK_LOCK = """
    DO $$ BEGIN
        IF NOT EXISTS (
            SELECT FROM pg_locks
            WHERE locktype = 'advisory' AND granted AND pid = pg_backend_pid()
              AND classid = %d AND objid = %d AND objsubid = 2
        ) THEN
            RAISE EXCEPTION USING ERRCODE = 'HOPTX', MESSAGE = 'the transaction has ended';
        END IF;
    END $$
"""
TRANSACTION_ENDED = "HOPTX"
IN_TRANSACTION = "25001"
ABORTED = "25P02"


def check_psql(file: PatchFile) -> Declaration | None:
    """What can be seen of a psql file before anything is run: what its first line says of transactions.

    Raises PatchError for text that is not UTF-8, has nothing to run, or a first line that says what hop does not know.
    """
    from hop_tasks.scripts.statements import ScriptError, split_statements

    text = sql_text(file)
    try:
        declaration = declared(text)
    except ScriptError as error:
        raise failure(file, text, error.offset, f"{error}; {NOTHING_RUN}") from error
    try:
        empty = not split_statements(text)
    except ScriptError:
        empty = False  # psql's own commands, or something that psql and the server explain themselves
    if empty:
        raise PatchError(f"{file.path}: the file has no statement; {NOTHING_RUN}", hint="write it, or remove it")
    return declaration


def run_psql(
    file: PatchFile,
    *,
    root: Path,
    place: Address | URL,
    program: Path,
    lock_timeout: float,
    before: str = "",
    after: str = "",
    single_transaction: bool,
    reporter: Reporter,
) -> FileRun:
    r"""Run a file with psql, as `psql -f` would in the project's folder.

    psql's own `--single-transaction` is not used: up to version 14 it commits what was done before an error that is not
    the server's, such as a file that `\i` does not find.

    Args:
        file: the file, which is below `root` too.
        root: the folder of the project as it is in that release; psql's working directory.
        place: the database.
        program: psql, from `find_client`.
        lock_timeout: seconds that a statement waits for a lock.
        before, after: SQL without results that is run before and behind the file, in its transaction if it has one.
        single_transaction: whether all is one transaction, which the file must not end.
        reporter: gets the file, and what the server and psql say.

    Returns how long it took; psql does not tell how many rows it has changed.

    Raises PatchError with the place in the file; DatabaseError if psql does not run or does not get a connection.
    """
    if not (root / file.path).is_file():
        raise PatchError(f"{file.path}: there is no such file in {root}; {NOTHING_RUN}")
    from hop_tasks.scripts.runner import FileRun

    started = time.perf_counter()
    settings = SETTINGS % round(lock_timeout * 1000)
    commands = (_transaction if single_transaction else _plain)(file, before, after)
    code, output, errors = _run(program, [*OPTIONS, *_commands(settings), *commands], place, root)
    messages = read_messages(errors)
    if code:
        faults = [message for message in messages if message.is_fault]
        _tell([message for message in messages if message not in faults], output, reporter)
        if not faults:
            said = messages[-1].shown if messages else f"exit code {code}"
            raise DatabaseError(f"{file.path}: psql failed: {said}", hint="see whether the server runs and psql works")
        raise _explained(file, root, faults, single_transaction=single_transaction)
    run = FileRun(file.path, time.perf_counter() - started, 0)
    reporter.step(f"{run.path} ({run.seconds:.2f} s)")
    _tell(messages, output, reporter)
    return run


def _transaction(file: PatchFile, before: str, after: str) -> list[str]:
    key = (LOCK_CLASS, secrets.randbelow(2**31))
    first = ["BEGIN", TAKE_LOCK % key, before]
    # What was deferred to the end of the transaction fails while it can be told from an error in `after`.
    last = [STOPPING_AGAIN, "SET CONSTRAINTS ALL IMMEDIATE", CHECK_LOCK % key]
    last += ["SET SESSION AUTHORIZATION DEFAULT", "RESET ALL", after, "COMMIT"]
    return [*_commands(*first), f"--file={file.path}", *_commands(*last)]


def _plain(file: PatchFile, before: str, after: str) -> list[str]:
    # It fails in a transaction: one that the file has left open would be rolled back silently, `after` with it.
    last = [STOPPING_AGAIN, "\\set AUTOCOMMIT on", "DISCARD ALL", after]
    return [*_commands(before), f"--file={file.path}", *_commands(*last)]


def _commands(*commands: str) -> list[str]:
    return [f"--command={command}" for command in commands if command]


def _run(program: Path, arguments: list[str], place: Address | URL, root: Path) -> tuple[int, str, str]:
    """Exit code, output and messages of psql."""
    environment = client_environment(place)
    # The files are UTF-8, whatever the database or the terminal is.
    environment["PGCLIENTENCODING"] = "UTF8"
    environment.setdefault("PGAPPNAME", APPLICATION)
    with ExitStack() as stack:
        try:
            process = stack.enter_context(
                running(
                    [program, *arguments],
                    cwd=root,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
            )
        except OSError as error:
            raise DatabaseError(
                f"{program.name} cannot be run: {error}",
                hint=f"see whether {error.filename or program} is there and may be used",
            ) from error
        output, errors = (
            masked(written.decode("utf-8", "replace"), environment.get("PGPASSWORD"))
            for written in process.communicate()
        )
    return process.returncode, output, errors


def _tell(messages: list[Message], output: str, reporter: Reporter) -> None:
    for message in messages:
        (reporter.note if message.is_note else reporter.warn)(message.shown)
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    for line in lines[:LINES_SHOWN]:
        reporter.note(line)
    if len(lines) > LINES_SHOWN:
        reporter.note(f"and {len(lines) - LINES_SHOWN} more lines of psql's output")


def _explained(file: PatchFile, root: Path, faults: list[Message], *, single_transaction: bool) -> PatchError:
    # The rest of an aborted transaction fails too, if the file wants psql to go on; and when the server ends a session,
    # psql says after it only that the connection was lost.
    telling = [fault for fault in faults if fault.state != ABORTED] or faults
    ending = [fault for fault in telling if (fault.state or "").startswith("57P")]
    fault = (ending or telling)[-1]
    outcome = ROLLED_BACK if single_transaction else PARTLY_DONE
    if fault.path is None and fault.state == TRANSACTION_ENDED:
        return PatchError(
            f"{file.path}: it ended the release's transaction, what it had done before that is committed",
            hint="remove COMMIT, ROLLBACK and \\connect, or make `-- hop: no-transaction` the file's first line",
        )
    if fault.path is None and fault.state == IN_TRANSACTION and not single_transaction:
        return PatchError(
            f"{file.path}: it leaves a transaction open, what it did in that is rolled back; {PARTLY_DONE}",
            hint="end the file with COMMIT, or remove the first line to make it one transaction",
        )
    detail = dict(fault.fields).get("DETAIL")
    said = " ".join(fault.text.split()) + (f" ({' '.join(detail.split())})" if detail else "")
    place, shown = f"{file.path}: at the end of the file", []
    if fault.path is not None:
        text, line, column = place_of(fault, root)
        place = f"{os.path.relpath(fault.path, root) if fault.path.startswith('/') else fault.path}:{line}"
        place += f":{column}" if column is not None else ""
        shown = excerpt(text, line, column) if text else []
    hint = HINTS.get(fault.state or "")
    if fault.state == IN_TRANSACTION and single_transaction:
        hint = "make `-- hop: no-transaction` the file's first line if it is not to be one transaction"
    more = [f"{name.lower()}: {value}" for name, value in fault.fields if name not in {*UNWANTED, "DETAIL"}]
    return PatchError(
        f"{place}: {said}; {outcome}",
        hint=hint,
        details=[*shown, *(f"  {line}" for entry in more for line in entry.splitlines())],
        sqlstate=fault.state,
    )
