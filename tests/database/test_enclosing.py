"""A connection whose commits stay inside a transaction that is rolled back."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from hop_tasks.database.enclosing import enclosed, enclosing_engine
from hop_tasks.errors import StateError


@pytest.fixture
def schema(server_url: str) -> Iterator[str]:
    """A schema with tables `a`, and `b` whose references to it are checked at COMMIT."""
    name = f"s_{secrets.token_hex(4)}"
    with create_engine(make_url(server_url), poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql(
            f"CREATE SCHEMA {name}; CREATE TABLE {name}.a (n integer PRIMARY KEY);"
            f'CREATE TABLE {name}.b (n integer CONSTRAINT "B refers" REFERENCES {name}.a DEFERRABLE INITIALLY DEFERRED)'
        )
        yield name
        connection.exec_driver_sql(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture
def engine(server_url: str, schema: str) -> Iterator[Engine]:
    made = enclosing_engine(make_url(server_url).update_query_dict({"options": f"-csearch_path={schema}"}))
    yield made
    made.dispose()


def add(connection: Connection | Session, number: int, table: str = "a") -> None:
    connection.execute(text(f"INSERT INTO {table} VALUES (:n)"), {"n": number})


def numbers(connection: Connection, table: str = "a") -> list[int]:
    return list(connection.execute(text(f"SELECT n FROM {table} ORDER BY n")).scalars())


def outside(url: URL) -> list[int]:
    with create_engine(url, poolclass=NullPool).connect() as connection:
        return numbers(connection)


@pytest.mark.every_server
def test_what_is_committed_is_there_until_the_end_and_for_nobody_else(engine: Engine) -> None:
    with enclosed(engine) as connection:
        add(connection, 1)
        connection.commit()
        add(connection, 2)
        connection.rollback()
        with connection.begin():
            add(connection, 3)
        with pytest.raises(IntegrityError), connection.begin():
            add(connection, 3)
        assert numbers(connection) == [1, 3]
        assert outside(engine.url) == []
    with enclosed(engine) as connection:
        assert numbers(connection) == []


def test_sessions_and_connections_of_its_engine_are_inside_too(engine: Engine) -> None:
    with enclosed(engine) as connection:
        with Session(connection.engine) as session:
            add(session, 1)
            session.commit()
        with Session(connection) as session:
            add(session, 2)
            with pytest.raises(IntegrityError), session.begin_nested():
                add(session, 2)
            session.commit()
        with connection.engine.begin() as other:
            add(other, 3)
        assert numbers(connection) == [1, 2, 3]
    assert outside(engine.url) == []


def test_a_transaction_that_has_failed_is_rolled_back_by_commit_as_the_server_does(engine: Engine) -> None:
    with enclosed(engine) as connection:
        add(connection, 1)
        connection.commit()
        add(connection, 2)
        with pytest.raises(DBAPIError):
            connection.exec_driver_sql("SELECT nonsense")
        connection.commit()
        assert numbers(connection) == [1]


def test_what_is_checked_at_commit_is_checked(engine: Engine) -> None:
    with enclosed(engine) as connection:
        add(connection, 1, "b")
        with pytest.raises(IntegrityError, match="B refers"):
            connection.commit()
        connection.rollback()
        for number in (1, 2):
            # In the second round too the check is put off to the commit.
            add(connection, number, "b")
            add(connection, number)
            connection.commit()
        assert numbers(connection, "b") == [1, 2]


def test_a_commit_in_sql_is_found_at_the_next_commit_and_at_the_end(engine: Engine) -> None:
    with pytest.raises(StateError, match="COMMIT or ROLLBACK in SQL"), enclosed(engine) as connection:
        connection.exec_driver_sql("COMMIT")
    with pytest.raises(StateError, match="COMMIT or ROLLBACK in SQL"), enclosed(engine) as connection:
        add(connection, 1)
        connection.exec_driver_sql("ROLLBACK")
        add(connection, 2)
        with pytest.raises(StateError, match="stay inside"):
            connection.commit()


def test_a_session_that_was_lost_hides_no_other_error(engine: Engine) -> None:
    with pytest.raises(DBAPIError, match="terminat"), enclosed(engine) as connection:
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
    with enclosed(engine) as connection:
        assert numbers(connection) == []
