"""A session in which PostgreSQL writes the same expressions and names for everyone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hop_tasks.database.statements import change_settings, current_settings

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hop_tasks.database.connections import Connection as HopConnection

NEUTRAL_SETTINGS = {
    # Only with nothing of the user's in it are names in expressions and types always written with their schema.
    "search_path": "pg_catalog",
    "quote_all_identifiers": "off",
    # Constants in expressions are written in the formats of the session.
    "DateStyle": "ISO, DMY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "lc_monetary": "C",
    "standard_conforming_strings": "on",
}

IDLE = 0
"""libpq's PQTRANS_IDLE: the driver's connection is in no transaction."""

SAVEPOINT = "hop_neutral"


@contextmanager
def neutral_session(connection: Connection | HopConnection) -> Iterator[None]:
    """Settings that do not depend on role, database or client; afterwards session and transaction are as before."""
    driver: Any = connection.driver if hasattr(connection, "driver") else connection.connection.dbapi_connection
    if driver.autocommit:
        before = current_settings(connection, NEUTRAL_SETTINGS)
        change_settings(connection, NEUTRAL_SETTINGS, local=False)
        try:
            yield
        finally:
            change_settings(connection, before, local=False)
        return
    # Statements that went past SQLAlchemy, by the driver's own cursor, may have begun a transaction unseen by it.
    begun_here = driver.info.transaction_status == IDLE
    connection.exec_driver_sql(f"SAVEPOINT {SAVEPOINT}")
    try:
        change_settings(connection, NEUTRAL_SETTINGS, local=True)
        yield
    finally:
        if begun_here:
            connection.rollback()
        else:
            connection.exec_driver_sql(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")
            connection.exec_driver_sql(f"RELEASE SAVEPOINT {SAVEPOINT}")
