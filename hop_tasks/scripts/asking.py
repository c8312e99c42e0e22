"""What the probes ask the server, and the little that they do to it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from hop_tasks.database.statements import execute
from hop_tasks.report import Reporter
from hop_tasks.scripts.nontransactional import Name

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

POLL_SECONDS = 0.1
CLEAN_UP_SECONDS = 5.0
"""How long cleaning up behind an error waits for other sessions; the next run waits as long as it takes."""


class Outcome(Enum):
    """What became of a statement whose run was interrupted."""

    DONE = "done"
    NOT_DONE = "not done"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Index:
    """An index as the catalog has it.

    Attributes:
        oid: its own.
        table: the oid of its table; None if what has the name is no index.
        valid: whether queries use it and it is complete.
        schema, name: its name.
    """

    oid: int
    table: int | None
    valid: bool
    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


def relation_oid(connection: Connection, name: Name) -> int | None:
    """The oid of what the server would find by a name, in the search path unless it has a schema."""
    found = connection.exec_driver_sql(
        "SELECT to_regclass(coalesce(quote_ident(%(schema)s) || '.', '') || quote_ident(%(name)s))::oid::int8",
        {"schema": name.schema, "name": name.name},
    ).scalar_one()
    return None if found is None else int(found)


def find_indexes(
    connection: Connection,
    *,
    oid: int | None = None,
    tables: Sequence[int] = (),
    name: str | None = None,
    beside: int | None = None,
) -> list[Index]:
    """The index with an oid, those of tables, and what has a name in the schema of the table `beside`."""
    rows = connection.exec_driver_sql(
        """
        SELECT c.oid::int8, i.indrelid::int8, coalesce(i.indisvalid AND i.indisready, true), n.nspname, c.relname
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_index i ON i.indexrelid = c.oid
        WHERE c.oid = %(oid)s OR i.indrelid = ANY(%(tables)s::oid[])
           OR (c.relname = %(name)s AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = %(beside)s))
        """,
        {"oid": oid, "tables": list(tables), "name": name, "beside": beside},
    )
    return [Index(*row) for row in rows]


def is_being_built(connection: Connection, tables: Sequence[int]) -> bool:
    """Whether another session makes an index of one of these tables, as far as this role may know."""
    return bool(
        connection.exec_driver_sql(
            "SELECT 1 FROM pg_stat_progress_create_index"
            " WHERE relid = ANY(%s::oid[]) AND datname = current_database() AND pid <> pg_backend_pid()",
            (list(tables),),
        ).first()
    )


def await_builds(connection: Connection, tables: Sequence[int], reporter: Reporter) -> None:
    """Wait until no other session makes an index of one of these tables.

    A statement that waited for it would have a snapshot, for which the other one waits in turn: a deadlock.
    """
    told = False
    while is_being_built(connection, tables):
        if not told:
            reporter.note("another session is making an index of the same table: waiting for it")
            told = True
        time.sleep(POLL_SECONDS)


def drop_index(connection: Connection, index: Index) -> None:
    """Drop an index while others go on reading and writing its table."""
    execute(connection, "DROP INDEX CONCURRENTLY IF EXISTS {}.{}", index.schema, index.name)


@contextlib.contextmanager
def waiting_at_most(connection: Connection, seconds: float) -> Iterator[None]:
    """Statements of the body wait so long for other sessions, or as long as it takes if `seconds` is 0."""
    from psycopg2 import Error

    statement = "SELECT set_config('lock_timeout', %s, false)"
    before = connection.exec_driver_sql("SELECT current_setting('lock_timeout')").scalar_one()
    connection.exec_driver_sql(statement, (str(round(seconds * 1000)),))
    try:
        yield
    finally:
        # If the connection was lost, the body's error says so better.
        with contextlib.suppress(Error):
            connection.exec_driver_sql(statement, (before,))


def drop_left(connection: Connection, indexes: list[Index], reporter: Reporter) -> None:
    """Drop invalid indexes that an interrupted run has left, however long others have to be waited for."""
    for index in indexes:
        with waiting_at_most(connection, 0):
            drop_index(connection, index)
        reporter.note(f"invalid index {index}, left by the interrupted statement, is dropped")


def drop_soon(connection: Connection, indexes: list[Index], reporter: Reporter) -> bool:
    """The same within a few seconds each, or not at all; whether none of them is left."""
    from psycopg2 import Error

    clean = True
    for index in indexes:
        reason = None
        if index.table is not None and is_being_built(connection, [index.table]):
            reason = "another session is making an index of the same table"
        else:
            try:
                with waiting_at_most(connection, CLEAN_UP_SECONDS):
                    drop_index(connection, index)
            except Error as error:
                if connection.is_lost:
                    raise
                reason = str(error).split("\n", maxsplit=1)[0].strip()
        if reason is None:
            reporter.note(f"invalid index {index}, left by the failed statement, is dropped")
        else:
            reporter.warn(f"invalid index {index} is left: {reason}; the next run drops it")
            clean = False
    return clean


Before = Mapping[str, Any]
"""What a probe has noted before its statement, from JSON."""
