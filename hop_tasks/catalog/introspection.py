"""Reading a database's catalog."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from hop_tasks.catalog.expressions import spread_array_casts
from hop_tasks.catalog.objects import Catalog, CatalogObject
from hop_tasks.database.statements import change_settings, current_settings

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection, Rows

FOUND = ("relations.sql", "types_and_routines.sql", "others.sql")
"""The queries for the kinds of objects, each a UNION ALL."""

SETTINGS = {
    # Nothing but PostgreSQL's own is visible, so every other name is qualified; temporary objects hide nothing.
    "search_path": "pg_catalog, pg_temp",
    "quote_all_identifiers": "off",
    # How constants are spelt in defaults, constraints, views and partition bounds.
    "bytea_output": "hex",
    "DateStyle": "ISO, MDY",
    "extra_float_digits": "1",
    "IntervalStyle": "postgres",
    "lc_monetary": "C",
    "standard_conforming_strings": "on",
    "TimeZone": "UTC",
    "xmlbinary": "base64",
    # The planner would compile the long query, which takes longer than running it.
    "jit": "off",
}
"""The settings that decide how PostgreSQL spells a definition, as they are while the catalog is read."""


def read_catalog(connection: Connection) -> Catalog:
    """The catalog of the connection's database, read in one statement and therefore of one moment.

    Within a transaction of the caller it stays within it, and the locks of its views (ACCESS SHARE on the tables
    they read) are kept until that transaction ends. Settings of the session are as before afterwards.
    """
    with _transaction(connection) as joined:
        before = current_settings(connection, SETTINGS) if joined else {}
        rows: Iterable[Any] = _run(connection, f"{_settings_statement()};\n{_objects_query()}").all()
        if before:
            # Only after success: a failed statement ends the transaction or its savepoint, and the settings with it.
            change_settings(connection, before)
    return Catalog(tuple(CatalogObject(kind, identity, spread_array_casts(text)) for kind, identity, text in rows))


def has_user_objects(connection: Connection) -> bool:
    """Whether the database holds a relation, function or type that is neither an extension's nor the registry's."""
    with _transaction(connection):
        return bool(_run(connection, _resource("user_objects.sql")).scalar_one())


@contextmanager
def _transaction(connection: Connection) -> Iterator[bool]:
    """Join the caller's transaction (true), or begin and end one."""
    if connection.in_transaction():
        yield True
    else:
        with connection.begin():
            yield False


def _run(connection: Connection, script: str) -> Rows:
    """The last result of a script that is sent as it is: all at once, its percent signs and colons untouched.

    In autocommit such a script is one transaction, so a transaction's settings hold from its start to its end.
    """
    return connection.exec_driver_sql(script, as_is=True)


@cache
def _resource(name: str) -> str:
    return (files("hop_tasks.catalog") / "queries" / name).read_text(encoding="utf-8")


def _objects_query() -> str:
    """The query for all objects: what is looked at, one SELECT a kind of object, and what is told of those found."""
    found = "\nUNION ALL\n\n".join(_resource(name) for name in FOUND)
    columns = "class, object, part, kind, identity, definition"
    return f"{_resource('scope.sql')}\nfound ({columns}) AS (\n{found}),\n\n{_resource('result.sql')}"


@cache
def _settings_statement() -> str:
    changes = (f"pg_catalog.set_config('{name}', '{value}', true)" for name, value in SETTINGS.items())
    return f"SELECT {', '.join(changes)}"
