"""What a role lacks is told in words, before anything is changed: asked of real roles without privileges."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import psycopg2
import pytest
from sqlalchemy import make_url

from hop_tasks.database.clients import find_client, run_client
from hop_tasks.database.engines import Database
from hop_tasks.database.privileges import (
    missing_for_ending,
    missing_for_replacing,
    missing_on_tables,
    require,
    unreadable,
)
from hop_tasks.database.sessions import sessions_on
from hop_tasks.errors import DatabaseError

pytestmark = pytest.mark.every_server

OBJECTS = """
CREATE TABLE open (n serial);
GRANT SELECT ON open TO {role};
GRANT SELECT ON SEQUENCE open_n_seq TO {role};
CREATE TABLE closed (n integer) PARTITION BY RANGE (n);
CREATE TABLE closed_1 PARTITION OF closed FOR VALUES FROM (1) TO (9);
CREATE SEQUENCE ticket;
CREATE TABLE rows_apart (n integer);
ALTER TABLE rows_apart ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON rows_apart TO {role};
CREATE SCHEMA hidden;
CREATE TABLE hidden.away (n integer);
GRANT SELECT ON hidden.away TO {role};
SELECT lo_create(17), lo_create(18);
GRANT SELECT ON LARGE OBJECT 18 TO {role};
CREATE VIEW seen AS SELECT 1 AS one;
"""

ALLOWED = """
GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {role};
GRANT USAGE ON SCHEMA hidden TO {role};
GRANT SELECT ON LARGE OBJECT 17 TO {role};
ALTER TABLE rows_apart DISABLE ROW LEVEL SECURITY;
"""


@dataclass(frozen=True)
class Place:
    """A database, and the same as an ordinary role sees it."""

    database: Database
    role: str

    @property
    def seen(self) -> Database:
        return Database(self.database.url.set(username=self.role))

    def run(self, statements: str) -> None:
        with self.database.connect(autocommit=True) as connection:
            for statement in filter(str.strip, statements.format(role=self.role, name=self.database.name).split(";")):
                connection.exec_driver_sql(statement)


@pytest.fixture
def place(server_url: str, database: Database) -> Iterator[Place]:
    role = f"clerk_{secrets.token_hex(3)}"
    with database.administer() as admin:
        admin.exec_driver_sql(f"CREATE DATABASE {database.name}")
        admin.exec_driver_sql(f"CREATE ROLE {role} LOGIN")
    place = Place(database, role)
    yield place
    place.run("DROP OWNED BY {role} CASCADE")
    with database.administer() as admin:
        admin.exec_driver_sql(f"ALTER DATABASE {database.name} OWNER TO CURRENT_USER")
        admin.exec_driver_sql(f"DROP OWNED BY {role}")
        admin.exec_driver_sql(f"DROP ROLE {role}")


def test_what_pg_dump_must_read(place: Place) -> None:
    place.run(OBJECTS)
    with place.seen.connect() as connection:
        assert unreadable(connection) == (
            "USAGE on schema hidden",
            "SELECT on table public.closed, public.closed_1",
            "SELECT on sequence public.ticket",
            "BYPASSRLS for the row security of table public.rows_apart",
            "SELECT on large object 17",
        )
        with pytest.raises(DatabaseError, match=r"cannot save it; it lacks USAGE.*; SELECT on table.*nothing was"):
            require(connection, unreadable(connection), "save it")
    # It is what pg_dump itself stumbles over, and nothing else.
    place.run(ALLOWED)
    with place.seen.connect() as connection:
        assert unreadable(connection) == ()
        require(connection, (), "save it")
        version = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one())
    run_client(find_client("pg_dump", version), ["--format=plain"], place.seen.url)
    with place.database.connect() as connection:
        assert unreadable(connection) == ()


def test_many_tables_are_counted_and_a_few_named(place: Place) -> None:
    place.run("".join(f"CREATE TABLE t{number} ();" for number in range(9)))
    with place.seen.connect() as connection:
        (missing,) = unreadable(connection)
    assert missing.endswith("public.t4 and 4 more")


def test_what_the_registry_needs(place: Place) -> None:
    wanted = {"release": ("SELECT", "INSERT"), "attempt": ("INSERT", "UPDATE")}

    def missing() -> tuple[str, ...]:
        with place.seen.connect() as connection:
            return missing_on_tables(connection, "meta", wanted)

    assert missing() == ("CREATE on the database",)
    place.run("GRANT CREATE ON DATABASE {name} TO {role}")
    assert missing() == ()
    place.run("CREATE SCHEMA meta; CREATE TABLE meta.release (n integer)")
    assert missing() == (
        "USAGE on schema meta",
        "CREATE on schema meta",
        "ownership of table meta.release, to complete it",
        "SELECT, INSERT on table meta.release",
    )
    place.run("CREATE TABLE meta.attempt (n integer); GRANT USAGE ON SCHEMA meta TO {role}")
    place.run("GRANT SELECT ON meta.release TO {role}; GRANT INSERT, UPDATE ON meta.attempt TO {role}")
    assert missing() == ("INSERT on table meta.release",)


def test_what_a_restore_needs(place: Place) -> None:
    name = place.database.name

    def missing() -> tuple[str, ...]:
        with place.seen.administer() as admin:
            return missing_for_replacing(admin, name)

    with place.database.administer() as admin:
        owner = admin.exec_driver_sql("SELECT current_user").scalar_one()
        assert missing_for_replacing(admin, name) == ()
    assert missing() == (
        "CREATEDB, to create and rename databases",
        f"membership in role {owner}, which owns the database, to rename it",
    )
    place.run("ALTER ROLE {role} CREATEDB; ALTER DATABASE {name} OWNER TO {role}")
    assert missing() == ()
    place.run("ALTER DATABASE {name} SET log_min_duration_statement TO 7; ALTER DATABASE {name} SET work_mem TO '9MB'")
    place.run("ALTER ROLE CURRENT_USER IN DATABASE {name} SET work_mem TO '8MB'")
    assert missing() == (
        "the right to set log_min_duration_statement, which the database has of its own",
        f"CREATEROLE, for the settings that role {owner} has in the database",
    )


def test_whose_sessions_may_be_ended(place: Place, server_url: str) -> None:
    other = f"{place.role}_other"
    url = make_url(server_url)
    place.run(f"CREATE ROLE {other} LOGIN")
    arguments = {**url.translate_connect_args(database="dbname", username="user"), **url.query}

    def missing(user: str) -> tuple[str, ...]:
        with (
            closing(psycopg2.connect(**{**arguments, "user": user, "dbname": place.database.name})),
            place.seen.administer() as admin,
        ):
            return missing_for_ending(admin, sessions_on(admin, place.database.name))

    try:
        assert missing(place.role) == ()
        assert missing(other) == (f"membership in pg_signal_backend, to end sessions of {other}",)
        assert missing(str(url.username)) == (f"SUPERUSER, to end sessions of the superuser {url.username}",)
        place.run("GRANT pg_signal_backend TO {role}")
        assert missing(other) == ()
    finally:
        place.run(f"DROP ROLE {other}")
