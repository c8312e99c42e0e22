"""A session in which PostgreSQL writes the same expressions and names for everyone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection

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


@contextmanager
def neutral_session(connection: Connection) -> Iterator[None]:
    """Settings that do not depend on role, database or client; afterwards session and transaction are as before."""
    driver: Any = connection.connection.dbapi_connection
    if driver.autocommit:
        before = _apply(connection, NEUTRAL_SETTINGS, local=False)
        try:
            yield
        finally:
            _apply(connection, before, local=False)
        return
    # Statements that went past SQLAlchemy, by the driver's own cursor, may have begun a transaction unseen by it.
    begun_here = not connection.in_transaction() and driver.info.transaction_status == IDLE
    savepoint = connection.begin_nested()
    try:
        _apply(connection, NEUTRAL_SETTINGS, local=True)
        yield
    finally:
        savepoint.rollback()
        if begun_here:
            connection.rollback()


def _apply(connection: Connection, settings: dict[str, str], *, local: bool) -> dict[str, str]:
    """Set `settings`; returns what was set before."""
    from sqlalchemy import func, select

    before = connection.execute(select(*(func.current_setting(name).label(name) for name in settings))).one()
    connection.execute(select(*(func.set_config(name, value, local) for name, value in settings.items())))
    return dict(before._mapping)
