"""Counting the rows of all tables in the very snapshot that pg_dump reads, so that the two agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from hop_tasks.database.engines import Database, explain_errors

if TYPE_CHECKING:
    from concurrent.futures import Future

    from hop_tasks.database.connections import Connection

Result = TypeVar("Result")

CANCEL_SECONDS = 0.1

LOCK_WAIT = "60s"
"""So long a backup waits for a lock on a table that somebody changes or rewrites; pg_dump itself would for ever."""

NO_TIMEOUTS = (
    "statement_timeout",
    "idle_in_transaction_session_timeout",
    "transaction_timeout",
)
"""Settings that could end a session that only waits for pg_dump; not every server has each."""

TABLES = """
    SELECT n.nspname, c.relname, format('%%I.%%I', n.nspname, c.relname), coalesce(e.condition, '')
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_depend d
      ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    LEFT JOIN LATERAL (
        SELECT x.extcondition[array_position(x.extconfig, c.oid)] AS condition
        FROM pg_catalog.pg_extension x WHERE x.oid = d.refobjid AND c.oid = ANY (x.extconfig)
    ) e ON true
    WHERE c.relkind = 'r' AND c.relpersistence <> 't'
      AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%%'
      AND (d.objid IS NULL OR e.condition IS NOT NULL)
    ORDER BY 1, 2
"""
"""The tables whose rows pg_dump dumps: an extension's own only where the extension says that they are configuration,
and of those the rows that it names; partitions, but not what they are partitions of; nothing of a foreign server."""


@dataclass(frozen=True)
class Snapshot:
    """A state of a database that other sessions can read too, for as long as this one goes on.

    Attributes:
        name: what pg_dump is given as --snapshot.
        connection: the session that holds it, in a transaction that reads.
    """

    name: str
    connection: Connection


@contextmanager
def exported_snapshot(database: Database) -> Iterator[Snapshot]:
    """The state of a database as it is now, held while the body runs."""
    with database.connect() as connection:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        be_patient(connection)
        name = connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
        yield Snapshot(name, connection)


def be_patient(connection: Connection) -> None:
    """The timeouts of a backup, in the connection's transaction."""
    connection.exec_driver_sql(
        "SELECT set_config(name, CASE name WHEN 'lock_timeout' THEN %s ELSE '0' END, true) "
        "FROM pg_settings WHERE name = ANY (%s)",
        (LOCK_WAIT, ["lock_timeout", *NO_TIMEOUTS]),
    )


def count_rows(connection: Connection) -> dict[str, int]:
    """The rows of each table that pg_dump would dump, by its quoted name, as pg_dump would read them."""
    from psycopg2 import sql

    connection.exec_driver_sql("SET LOCAL row_security = off")
    connection.exec_driver_sql("SET LOCAL search_path = pg_catalog")
    counts = {}
    for schema, table, shown, condition in connection.exec_driver_sql(TABLES, ()).all():
        # The condition is SQL of the extension's author, which pg_dump runs in the same way.
        statement = sql.SQL("SELECT count(*) FROM ONLY {} ").format(sql.Identifier(schema, table)) + sql.SQL(condition)
        text = statement.as_string(connection.driver)
        counts[shown] = int(connection.exec_driver_sql(text, as_is=True).scalar_one())
    return counts


def counted_meanwhile(
    database: Database, snapshot: Snapshot, act: Callable[[], Result]
) -> tuple[dict[str, int], Result]:
    """Do `act` while the rows are counted; both results. An exception, Ctrl-C too, ends the counting."""

    def count() -> Mapping[str, int]:
        with explain_errors(database.shown):
            return count_rows(snapshot.connection)

    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1, thread_name_prefix="hop-count") as pool:
        counting: Future[Mapping[str, int]] = pool.submit(count)
        try:
            result = act()
            return dict(counting.result()), result
        except BaseException:
            _cancel(snapshot, counting)
            raise


def _cancel(snapshot: Snapshot, counting: Future[Mapping[str, int]]) -> None:
    from psycopg2 import Error

    raw = snapshot.connection.driver
    # Again and again: one that comes between two statements cancels nothing.
    while not counting.done():
        try:
            raw.cancel()
        except Error:
            return
        from concurrent.futures import wait

        wait([counting], CANCEL_SECONDS)
