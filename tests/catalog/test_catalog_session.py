"""Reading a catalog leaves the caller's session and transaction alone, and does not depend on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from psycopg2 import OperationalError
from psycopg2.extensions import cursor

from hop_tasks.catalog import has_user_objects, read_catalog
from hop_tasks.database.connections import Connection
from hop_tasks.database.engines import Database

ODD_SETTINGS = """
    SET search_path TO shop, public;
    SET quote_all_identifiers TO on;
    SET bytea_output TO escape;
    SET DateStyle TO 'SQL, DMY';
    SET extra_float_digits TO -2;
    SET IntervalStyle TO iso_8601;
    SET TimeZone TO 'Asia/Kathmandu';
    SET standard_conforming_strings TO off;
    CREATE TEMPORARY TABLE pg_class AS SELECT 1 AS oid;
    CREATE TEMPORARY TABLE pg_namespace AS SELECT 1 AS oid;
"""


def settings(connection: Connection) -> list[object]:
    return list(connection.exec_driver_sql("SELECT name, setting, source FROM pg_catalog.pg_settings ORDER BY name"))


@contextmanager
def statements(connection: Connection) -> Iterator[list[str]]:
    sent: list[str] = []

    class Recording(cursor):
        def execute(self, query: str, vars: object = None) -> None:
            sent.append(query)
            super().execute(query, vars)

    connection.driver.cursor_factory = Recording
    yield sent
    connection.driver.cursor_factory = cursor


def test_the_settings_of_the_session_neither_change_the_catalog_nor_are_changed(rich_database: Database) -> None:
    with rich_database.connect() as connection:
        expected = read_catalog(connection)
    with rich_database.connect() as connection:
        connection.exec_driver_sql(ODD_SETTINGS.replace("%", "%%"))
        connection.commit()
        before = settings(connection)
        connection.rollback()
        assert read_catalog(connection) == expected
        assert settings(connection) == before


def test_within_a_transaction_the_settings_are_as_before_during_and_after_it(rich_database: Database) -> None:
    with rich_database.connect() as connection:
        outside = connection.exec_driver_sql("SHOW search_path").scalar_one()
        connection.exec_driver_sql("SET LOCAL search_path TO shop, public")
        expected = read_catalog(connection)
        assert connection.in_transaction()
        assert connection.exec_driver_sql("SHOW search_path").scalar_one() == "shop, public"
        connection.commit()
        assert connection.exec_driver_sql("SHOW search_path").scalar_one() == outside
        connection.exec_driver_sql("SET search_path TO shop")
        assert read_catalog(connection) == expected
        connection.commit()
        assert connection.exec_driver_sql("SHOW search_path").scalar_one() == "shop"


def test_within_a_transaction_its_own_changes_are_seen(rich_database: Database) -> None:
    with rich_database.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE shop.uncommitted ()")
        assert "table shop.uncommitted" in {f"{o.kind} {o.identity}" for o in read_catalog(connection).objects}
        connection.rollback()
        assert "shop.uncommitted" not in {o.identity for o in read_catalog(connection).objects}


def test_without_a_transaction_none_is_left_open(rich_database: Database) -> None:
    with rich_database.connect() as connection:
        read_catalog(connection)
        assert not connection.in_transaction()
        has_user_objects(connection)
        assert not connection.in_transaction()
    with rich_database.connect(autocommit=True) as connection:
        connection.exec_driver_sql("SET search_path TO shop")
        before = settings(connection)
        catalog = read_catalog(connection)
        assert settings(connection) == before
        assert connection.exec_driver_sql("SHOW search_path").scalar_one() == "shop"
    with rich_database.connect() as connection:
        assert read_catalog(connection) == catalog


def test_a_transaction_begun_by_hand_in_autocommit_goes_on(rich_database: Database) -> None:
    with rich_database.connect(autocommit=True) as connection:
        connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql("SET LOCAL search_path TO shop")
        connection.exec_driver_sql("CREATE TABLE shop.uncommitted ()")
        assert "shop.uncommitted" in {o.identity for o in read_catalog(connection).objects}
        assert connection.exec_driver_sql("SHOW search_path").scalar_one() == "shop"
        connection.exec_driver_sql("ROLLBACK")
        assert not connection.exec_driver_sql("SELECT to_regclass('shop.uncommitted')").scalar_one()


def test_a_reading_that_fails_leaves_the_settings_as_before_once_it_is_rolled_back(rich_database: Database) -> None:
    with rich_database.connect() as connection, rich_database.connect() as other:
        other.exec_driver_sql("LOCK TABLE shop.sale IN ACCESS EXCLUSIVE MODE")
        connection.exec_driver_sql("SET LOCAL search_path TO shop")
        connection.exec_driver_sql("SAVEPOINT here")
        connection.exec_driver_sql("SET LOCAL lock_timeout TO 50")
        with pytest.raises(OperationalError, match="lock timeout"):
            read_catalog(connection)
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT here")
        assert connection.exec_driver_sql("SHOW search_path").scalar_one() == "shop"
        other.rollback()
        assert read_catalog(connection).objects


def test_a_reading_sends_at_most_three_statements(rich_database: Database) -> None:
    with rich_database.connect() as connection:
        with statements(connection) as sent:
            read_catalog(connection)
        assert len(sent) == 1
        connection.exec_driver_sql("SELECT 1")
        with statements(connection) as sent:
            read_catalog(connection)
        assert len(sent) == 3


def test_a_role_without_privileges_reads_the_same_catalog(rich_database: Database) -> None:
    with rich_database.connect() as connection:
        expected = read_catalog(connection)
        connection.exec_driver_sql("CREATE ROLE catalog_reader; SET LOCAL ROLE catalog_reader")
        assert read_catalog(connection) == expected
        assert has_user_objects(connection)
        connection.rollback()


def test_identities_are_unique_and_nothing_is_named_by_an_oid(rich_database: Database) -> None:
    with rich_database.connect() as connection:
        objects = read_catalog(connection).objects
        oids = set(connection.exec_driver_sql("SELECT oid::text FROM pg_class WHERE oid >= 16384").scalars())
    assert len({(o.kind, o.identity) for o in objects}) == len(objects)
    words = {word for o in objects for word in f"{o.identity} {o.definition}".replace("_", " ").split()}
    assert not words & oids


def test_a_script_of_percent_signs_and_colons_is_sent_as_it_is(make_database: Callable[[str], Database]) -> None:
    with make_database("CREATE TABLE t (a text DEFAULT '%s :name %%')").connect() as connection:
        (column,) = (o for o in read_catalog(connection).objects if o.kind == "column")
    assert "default '%s :name %%'::text" in column.definition
