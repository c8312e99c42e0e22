"""Snapshots as files, for a role that may not create databases: a state that is loaded again within a transaction.

A dump is a folder with three scripts: what must be there before the rows, the rows, and the rest. They are run over a
connection of ours, so that what they do is rolled back with whatever comes after them.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import IO, TYPE_CHECKING

from hop_tasks.checkpoints import checkpoint
from hop_tasks.database.archives import TRANSACTION_TIMEOUT_SINCE
from hop_tasks.database.clients import find_client, run_client
from hop_tasks.database.engines import Database, driver_connection
from hop_tasks.database.statements import execute, server_version
from hop_tasks.errors import DatabaseError
from hop_tasks.snapshots.dump_folders import RELEASE_FILE, SECTIONS, begin_dump, finish_dump, is_whole
from hop_tasks.versions import Version

if TYPE_CHECKING:
    from psycopg2.extensions import connection as DriverConnection

    from hop_tasks.database.connections import Connection

ROWS = "data"

DUMP_OPTIONS = ("--format=custom", "--compress=1", "--no-publications", "--no-subscriptions")

ENTRY = re.compile(r"\d+; \d+ \d+ (?P<what>.*)")
LEFT_ALONE = ("EXTENSION ", "COMMENT - EXTENSION ", "EVENT TRIGGER ")
LEFT_SCHEMA = ("SCHEMA - {} ", "COMMENT - SCHEMA {} ", "ACL - SCHEMA {} ")
"""How the entries of a dump begin, in its table of contents, for what `wipe` leaves where it is."""

COPY_LINE = re.compile(rb"COPY .* FROM stdin;\n")
KEY_LINE = re.compile(rb"\\(?:un)?restrict \w+\n?")
"""What pg_dump writes around a script, so that psql obeys no commands within; older ones do not."""

LEXICAL_LINE = re.compile(rb"SET (client_encoding|standard_conforming_strings) = [^;\n]+;\n")
"""What is near the beginning of each script, and says how the rest of it is to be read."""

HEAD_LINE = re.compile(rb"\n|--|\\restrict |SET |SELECT pg_catalog\.set_config\(")
TIMEOUT_LINE = re.compile(rb"SET transaction_timeout = [^;\n]+;\n")
"""How lines of a script begin before its first object; and one that servers before PostgreSQL 17 do not know."""

END_OF_ROWS = b"\\.\n"

WHOLE_SCHEMAS = """
    SELECT n.nspname FROM pg_namespace n
    WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'public')
      AND NOT EXISTS (
        SELECT FROM pg_depend e
        WHERE e.deptype = 'e' AND (
          (e.classid = 'pg_namespace'::regclass AND e.objid = n.oid)
          OR EXISTS (
            SELECT FROM pg_depend d
            WHERE d.classid = e.classid AND d.objid = e.objid
              AND d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid)))
    ORDER BY 1
"""
"""The schemas that go as a whole: extensions have nothing in them."""

ALL_SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"

TABLES = """
    SELECT string_agg(format('%%I.%%I', n.nspname, c.relname), ', ' ORDER BY c.oid)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
"""
"""All tables but those of extensions, as the server writes them in a list."""

DROP_ONE = """
    WITH extensions AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),
    kept AS (SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema')
    SELECT CASE relkind WHEN 'S' THEN 2 ELSE 1 END, format('DROP %%s %%s CASCADE', CASE relkind
               WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
               WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END, oid::regclass)
    FROM pg_class WHERE relnamespace IN (SELECT oid FROM kept) AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
      AND ('pg_class'::regclass, oid) NOT IN (SELECT classid, objid FROM extensions)
    UNION ALL
    SELECT 3, format('DROP ROUTINE %%s CASCADE', oid::regprocedure)
    FROM pg_proc WHERE pronamespace IN (SELECT oid FROM kept)
      AND ('pg_proc'::regclass, oid) NOT IN (SELECT classid, objid FROM extensions)
    UNION ALL
    SELECT 4, format('DROP %%s %%s CASCADE', CASE typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, oid::regtype)
    FROM pg_type WHERE typnamespace IN (SELECT oid FROM kept) AND typtype IN ('e', 'd', 'r')
      AND ('pg_type'::regclass, oid) NOT IN (SELECT classid, objid FROM extensions)
    ORDER BY 1 LIMIT 1
"""
"""What drops one thing in a schema that stays; the server writes its name."""


def write_dump(
    database: Database, folder: Path, *, release: Version | None, server: int, programs: Path | None
) -> None:
    """Dump a database to a folder, which gets its name when it is whole and on the disk.

    Args:
        database: the database.
        folder: is replaced.
        release: the release that the database is at.
        server: libpq's number of the server's version.
        programs: the only folder to look for pg_dump and pg_restore in.

    Raises DatabaseError, with nothing changed.
    """
    try:
        new = begin_dump(folder)
        try:
            (new / RELEASE_FILE).write_text("" if release is None else str(release))
            _write_scripts(database, new, server, programs)
            finish_dump(new, folder)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
    except OSError as error:
        raise DatabaseError(
            f"no dump of {database.name} could be written to {folder}: {error.strerror}; nothing was changed",
            hint="free some space, or see who owns the folder",
        ) from error
    except DatabaseError as error:
        raise DatabaseError(
            f"no dump of {database.name} could be made: {error.message}; nothing was changed",
            hint=error.hint,
            details=error.details,
        ) from error


def _write_scripts(database: Database, new: Path, server: int, programs: Path | None) -> None:
    archive, contents = new / "archive", new / "contents"
    run_client(find_client("pg_dump", server, folder=programs), [*DUMP_OPTIONS, f"--file={archive}"], database.address)
    checkpoint("dump.begun")
    restore = find_client("pg_restore", server, folder=programs)
    lines = run_client(restore, ["--list", str(archive)], database.address).splitlines()
    with database.connect() as connection:
        gone = set(connection.exec_driver_sql(WHOLE_SCHEMAS).scalars())
        schemas = set(connection.exec_driver_sql(ALL_SCHEMAS).scalars()) - gone
    left = (*LEFT_ALONE, *(entry.format(schema) for schema in schemas for entry in LEFT_SCHEMA))
    entries = [line for line in lines if (found := ENTRY.match(line)) and not found["what"].startswith(left)]
    contents.write_text("".join(f"{line}\n" for line in entries), "utf-8")
    for section in SECTIONS:
        options = [f"--section={section}", f"--use-list={contents}", f"--file={new / section}"]
        run_client(restore, [*options, str(archive)], database.address)
    archive.unlink()
    contents.unlink()
    if not is_whole(new):
        raise DatabaseError("pg_restore ended before its scripts did", hint="see whether the disk is full")


def load_dump(connection: Connection, folder: Path) -> None:
    """Make a database what it was when it was dumped, in the caller's transaction; nothing else of it stays.

    Raises the driver's errors; DatabaseError, before it begins, for a dump that is not whole.
    """
    if not is_whole(folder):
        raise DatabaseError(
            f"the dump {folder} is not whole; nothing was changed",
            hint="remove that folder, and have a role with CREATEDB build the state",
        )
    wipe(connection)
    checkpoint("load.wiped")
    raw = driver_connection(connection)
    known = server_version(connection) >= TRANSACTION_TIMEOUT_SINCE
    for section in SECTIONS:
        with (folder / section).open("rb") as script:
            if section == ROWS:
                _run_rows(raw, script, known)
            else:
                lines = _without_key(list(script))
                lines = lines if known else _without_timeout(lines)
                _run(raw, _lexical(lines))
                _run(raw, lines)
    connection.exec_driver_sql("RESET ALL")
    # What the server said meanwhile, such as what a drop took along, is of no file of the user's.
    del driver_connection(connection).notices[:]


def hold_tables(connection: Connection) -> None:
    """Have the caller's transaction keep others from writing to the tables that `wipe` drops; they may be read.

    Raises the driver's errors, for a lock that cannot be had too.
    """
    tables = connection.exec_driver_sql(TABLES, ()).scalar()
    if tables:
        _run(driver_connection(connection), [f"LOCK TABLE {tables} IN EXCLUSIVE MODE;".encode()])


def wipe(connection: Connection) -> None:
    """Drop what people have made in a database, in the caller's transaction. Extensions stay, and the schema public."""
    # So that the server writes names with their schemas.
    connection.exec_driver_sql("SET LOCAL search_path = ''")
    for (schema,) in connection.exec_driver_sql(WHOLE_SCHEMAS).all():
        execute(connection, "DROP SCHEMA {} CASCADE", schema)
    raw = driver_connection(connection)
    while found := connection.exec_driver_sql(DROP_ONE, ()).first():
        _run(raw, [f"{found[1]};".encode()])


def has_large_objects(connection: Connection) -> bool:
    """Whether a database has large objects, which a dump of this kind does not bring back."""
    return connection.exec_driver_sql("SELECT 1 FROM pg_largeobject_metadata LIMIT 1").first() is not None


def _run(raw: DriverConnection, lines: list[bytes]) -> None:
    with raw.cursor() as cursor:
        # The driver takes nothing but comments for an error.
        cursor.execute(b"".join([*lines, b"\nSELECT 1"]))


def _lexical(lines: list[bytes]) -> list[bytes]:
    """What must be in force before the server gets a script: it takes a message apart before it runs any of it."""
    found: dict[bytes, bytes] = {}
    for line in lines:
        # The first of each: a function may have lines that look the same.
        if (setting := LEXICAL_LINE.fullmatch(line)) and setting[1] not in found:
            found[setting[1]] = line
    return list(found.values())


def _without_key(lines: list[bytes]) -> list[bytes]:
    """A script without the two commands of psql's, of which a function may have some that look the same."""
    first = next((number for number, line in enumerate(lines) if line.strip() and not line.startswith(b"--")), 0)
    if not lines or not KEY_LINE.fullmatch(lines[first]):
        return lines
    last = max(number for number, line in enumerate(lines) if KEY_LINE.fullmatch(line))
    return [line for number, line in enumerate(lines) if number not in (first, last)]


def _without_timeout(lines: list[bytes]) -> list[bytes]:
    """A script that does not set transaction_timeout at its head; a function may do so."""
    for number, line in enumerate(lines):
        if TIMEOUT_LINE.fullmatch(line):
            return [*lines[:number], *lines[number + 1 :]]
        if not HEAD_LINE.match(line):
            break
    return lines


def _run_rows(raw: DriverConnection, script: IO[bytes], known: bool) -> None:
    pending: list[bytes] = []
    for line in script:
        if COPY_LINE.fullmatch(line):
            _run(raw, pending)
            pending = []
            with raw.cursor() as cursor:
                cursor.copy_expert(line, _Rows(script))
        elif not KEY_LINE.fullmatch(line) and (known or not TIMEOUT_LINE.fullmatch(line)):
            pending.append(line)
    _run(raw, pending)


class _Rows:
    """The rows of one COPY, up to its end, as a file that the driver reads."""

    def __init__(self, script: IO[bytes]) -> None:
        self._script = script
        self._rest = b""
        self._ended = False

    def readline(self, size: int = -1) -> bytes:
        raise NotImplementedError("the driver reads blocks")

    def read(self, size: int = 8192) -> bytes:
        while len(self._rest) < size and not self._ended:
            line = self._script.readline()
            self._ended = line in (END_OF_ROWS, b"")
            if not self._ended:
                self._rest += line
        part, self._rest = self._rest[:size], self._rest[size:]
        return part
