"""Whether anybody wrote to a development database since hop made it, at the price of one small query.

PostgreSQL counts the rows inserted, updated and deleted for each table, the catalogs' own included, so that a table
that a person created counts too. The sum is noted when hop has finished its work; another sum later means that
somebody wrote. Counters that were lost in a crash differ as well, and then the safe answer is given.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hop_tasks.database.engines import Database
from hop_tasks.database.sessions import await_end_of_sessions
from hop_tasks.database.statements import server_version

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

WRITES = """
    SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint
    FROM pg_stat_all_tables AS counted
    JOIN pg_class ON pg_class.oid = counted.relid
    WHERE counted.schemaname NOT IN ('half_orm_meta', 'pg_toast')
      AND NOT pg_class.relisshared
      AND counted.relid NOT IN ('pg_statistic'::regclass, 'pg_statistic_ext_data'::regclass)
"""
"""Rows written, less what ANALYZE writes, TOAST's own tables, catalogs of the whole server, and the registry."""


UNCOUNTED = -1
"""What is noted instead of a number of rows as long as hop is at work."""

OWN_SESSION_SECONDS = 0.5
"""Seconds in which the server sees that a session of this process was closed."""

SHARED_COUNTERS = 150_000
"""Since PostgreSQL 15 sessions count in shared memory. Before, they told a process of the server's, the statistics
collector, and a reader is content with what that one wrote half a second ago (PGSTAT_STAT_INTERVAL in pgstat.c)."""

COLLECTED_SECONDS = 0.75
"""That half second, and what the collector may be behind."""


def note_writes(admin: Connection, database: Database) -> None:
    """Note how many rows have been written so far to a database that only hop has been in."""
    _await_counters(admin, database)
    if not _note(database):
        _await_counters(admin, database, seconds=OWN_SESSION_SECONDS)
        _note(database)


def _await_counters(admin: Connection, database: Database, *, seconds: float = 2.0, but: int | None = None) -> bool:
    """Wait until the counters are complete, as those of a session are once it has ended; False if one goes on.

    The backend `but` may go on.
    """
    ended = await_end_of_sessions(admin, database.name, seconds=seconds, but=but)
    if server_version(admin) < SHARED_COUNTERS:
        time.sleep(COLLECTED_SECONDS)
    return ended


def _note(database: Database) -> bool:
    """Note it; False if there was no table for that, which is made: rows in several catalogs, that count too."""
    with database.connect() as connection:
        there = _has_note(connection)
        if there:
            connection.exec_driver_sql("DELETE FROM half_orm_meta.hop_writes")
            connection.exec_driver_sql("INSERT INTO half_orm_meta.hop_writes " + WRITES)
        else:
            connection.exec_driver_sql("CREATE TABLE half_orm_meta.hop_writes (writes bigint NOT NULL)")
        connection.commit()
    return there


def _has_note(connection: Connection) -> bool:
    return bool(connection.exec_driver_sql("SELECT to_regclass('half_orm_meta.hop_writes') IS NOT NULL").scalar_one())


COUNTED = """
    SELECT current_setting('track_counts')::boolean
       AND NOT EXISTS (SELECT FROM pg_db_role_setting AS s, unnest(s.setconfig) AS c WHERE c LIKE 'track_counts=%')
"""
"""Whether every session counts what it writes: the setting is on, and nobody has one of his own."""


def note_own_writes(connection: Connection) -> None:
    """Note in the caller's transaction that hop itself has written to the database, and has yet to note how much."""
    if not _has_note(connection):
        connection.exec_driver_sql("CREATE TABLE half_orm_meta.hop_writes (writes bigint NOT NULL)")
    connection.exec_driver_sql("DELETE FROM half_orm_meta.hop_writes")
    connection.exec_driver_sql("INSERT INTO half_orm_meta.hop_writes VALUES (%s)", (UNCOUNTED,))


def wrote_itself(connection: Connection) -> bool:
    """Whether the last one who wrote may have been hop, which then ended before it could note how much."""
    if not _has_note(connection):
        return False
    return bool(connection.exec_driver_sql("SELECT writes FROM half_orm_meta.hop_writes").scalar() == UNCOUNTED)


def written_since(admin: Connection, database: Database, *, but: int | None = None) -> bool:
    """Whether rows were written since `note_writes`; True when that is not known.

    To be asked of a database that no program can come back to, for the counters of a session that goes on are late.
    The backend `but`, which has written nothing, may be on it.
    """
    if not _await_counters(admin, database, but=but):
        return True
    with database.connect() as connection:
        if not _has_note(connection):
            return True
        if not connection.exec_driver_sql(COUNTED.replace("%", "%%")).scalar_one():
            return True
        noted = connection.exec_driver_sql("SELECT writes FROM half_orm_meta.hop_writes").scalar()
        return bool(connection.exec_driver_sql(WRITES).scalar_one() != noted)
