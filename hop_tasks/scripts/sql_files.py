"""Running one SQL patch file, statement by statement as psql does, with errors placed at file:line:column."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hop_tasks.errors import PatchError
from hop_tasks.scripts.excerpts import excerpt
from hop_tasks.scripts.files import PatchFile
from hop_tasks.scripts.outcomes import NOTHING_RUN, ROLLED_BACK

if TYPE_CHECKING:
    from psycopg2 import Error
    from psycopg2.extensions import connection as DriverConnection

    from hop_tasks.scripts.statements import Statement

TRANSACTION_CONTROL = re.compile(
    r"(?:BEGIN|START\s+TRANSACTION|COMMIT|END|ABORT|PREPARE\s+TRANSACTION|ROLLBACK(?!(?:\s+(?:WORK|TRANSACTION))?\s+TO\b))\b",
    re.IGNORECASE,
)
COPY_LINE = re.compile(r"^COPY .*?, line (\d+)", re.MULTILINE)

HINTS = {
    "25001": "if it cannot be part of a transaction, say so on the first line of its file: -- hop: no-transaction",
    "55P04": "a new enum value can be used only by a later release: split this one in two",
    "55P03": "somebody holds a lock on the table: find who in pg_stat_activity, or raise lock_timeout",
}
"""SQLSTATE -> what a person can do about it."""


def parse_sql(file: PatchFile) -> tuple[Statement, ...]:
    """The statements of a file, before anything is run.

    Raises PatchError for text that is not UTF-8, not SQL on the surface, has no statement, or controls the transaction.
    """
    # Its expressions are compiled as it is imported, and most commands read no script.
    from hop_tasks.scripts.statements import ScriptError, split_statements

    text = sql_text(file)
    try:
        statements = tuple(split_statements(text))
    except ScriptError as error:
        raise failure(file, text, error.offset, f"{error}; {NOTHING_RUN}") from error
    if not statements:
        raise PatchError(f"{file.path}: the file has no statement; {NOTHING_RUN}", hint="write it, or remove it")
    for statement in statements:
        found = TRANSACTION_CONTROL.match(statement.text)
        if found:
            word = " ".join(found.group().upper().split())
            message = f"{word} is not for a patch file, a release is one transaction; {NOTHING_RUN}"
            raise failure(file, text, statement.offset, message, hint=f"remove the {word}")
    return statements


def sql_text(file: PatchFile) -> str:
    """The text of an SQL or psql file. Raises PatchError, with the place, for what no server could be given."""
    text = file.text
    if "\0" in text:
        hint = "remove it: the server takes none, not even in a string"
        raise failure(file, text, text.index("\0"), f"there is a NUL byte; {NOTHING_RUN}", hint=hint)
    return text


def run_sql(connection: DriverConnection, file: PatchFile, statements: Sequence[Statement]) -> int:
    """Run the statements of a file in the open transaction; the number of rows that they inserted, updated, deleted.

    Raises PatchError with the place in the file; the transaction is then broken and must be rolled back.
    """
    from psycopg2 import Error

    rows = 0
    with connection.cursor() as cursor:
        for statement in statements:
            try:
                if statement.copy_data is None:
                    cursor.execute(statement.text)
                else:
                    cursor.copy_expert(statement.text, io.StringIO(statement.copy_data))
            except Error as error:
                raise explain(file, statement, error) from error
            if (cursor.statusmessage or "").startswith(("INSERT", "UPDATE", "DELETE", "MERGE", "COPY")):
                rows += max(cursor.rowcount, 0)
    return rows


def explain(file: PatchFile, statement: Statement, error: Error) -> PatchError:
    """The PatchError for what the server said of a statement."""
    diagnostics = error.diag
    primary = diagnostics.message_primary or (str(error).strip().splitlines() or ["the connection was lost"])[0]
    place = statement.offset
    if diagnostics.statement_position:
        place += int(diagnostics.statement_position) - 1
    elif statement.copy_data is not None and (row := COPY_LINE.search(diagnostics.context or "")):
        place = _row_offset(file.text, statement, int(row.group(1)))
    message = primary + (f" ({diagnostics.message_detail})" if diagnostics.message_detail else "")
    more = [
        f"{name}: {value}"
        for name, value in (("hint", diagnostics.message_hint), ("context", diagnostics.context))
        if value
    ]
    return failure(
        file,
        file.text,
        place,
        f"{message}; {ROLLED_BACK}",
        hint=HINTS.get(error.pgcode or ""),
        more=more,
        sqlstate=error.pgcode,
    )


def failure(
    file: PatchFile,
    text: str,
    offset: int,
    message: str,
    *,
    hint: str | None = None,
    more: Sequence[str] = (),
    sqlstate: str | None = None,
) -> PatchError:
    """A PatchError at a place of a file, with the line shown."""
    from hop_tasks.scripts.statements import locate

    line, column = locate(text, min(offset, len(text)))
    return PatchError(
        f"{file.path}:{line}:{column}: {message}",
        hint=hint,
        details=[*excerpt(text, line, column), *(f"  {part}" for entry in more for part in entry.splitlines())],
        sqlstate=sqlstate,
    )


def _row_offset(text: str, statement: Statement, row: int) -> int:
    """Where a row of an inline COPY block begins."""
    offset = text.index("\n", statement.offset + len(statement.text)) + 1
    for _ in range(row - 1):
        offset = text.find("\n", offset) + 1
    return offset
