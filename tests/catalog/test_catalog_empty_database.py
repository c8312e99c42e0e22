"""Whether a database is empty."""

from __future__ import annotations

import pytest

from hop_tasks.catalog import has_user_objects, read_catalog
from hop_tasks.database.engines import Database

REGISTRY = """
    CREATE SCHEMA half_orm_meta;
    CREATE SCHEMA "half_orm_meta.view";
    CREATE TYPE half_orm_meta.state AS ENUM ('on', 'off');
    CREATE TYPE half_orm_meta.span AS RANGE (subtype = numeric);
    CREATE TABLE half_orm_meta.hop_release (id serial PRIMARY KEY, at half_orm_meta.state DEFAULT 'on', note text);
    CREATE INDEX ON half_orm_meta.hop_release (note);
    CREATE FUNCTION half_orm_meta.watch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
    CREATE FUNCTION half_orm_meta.state_of(integer) RETURNS half_orm_meta.state
        LANGUAGE sql AS 'SELECT NULL::half_orm_meta.state';
    CREATE CAST (integer AS half_orm_meta.state) WITH FUNCTION half_orm_meta.state_of(integer);
    CREATE TRIGGER watch BEFORE INSERT ON half_orm_meta.hop_release
        FOR EACH ROW EXECUTE FUNCTION half_orm_meta.watch();
    CREATE RULE keep AS ON DELETE TO half_orm_meta.hop_release DO INSTEAD NOTHING;
    CREATE VIEW "half_orm_meta.view".hop_last_release AS SELECT max(id) FROM half_orm_meta.hop_release;
    COMMENT ON TABLE half_orm_meta.hop_release IS 'releases';
    COMMENT ON SCHEMA half_orm_meta IS 'ours';
"""


def is_used(database: Database, schema: str) -> bool:
    with database.connect() as connection:
        connection.exec_driver_sql(schema)
        used = has_user_objects(connection)
        connection.rollback()
    return used


@pytest.mark.parametrize(
    "schema",
    [
        "SELECT 1",
        "CREATE SCHEMA shop",
        REGISTRY,
        "CREATE EXTENSION citext",
        "CREATE EXTENSION hstore",
        "CREATE EXTENSION pg_stat_statements",
        "CREATE EXTENSION seg",
        "CREATE TABLE t (); DROP TABLE t",
        "CREATE TEMPORARY TABLE t ()",
    ],
)
def test_a_database_is_empty_with_only_schemas_extensions_or_the_registry(
    empty_database: Database, schema: str
) -> None:
    assert not is_used(empty_database, schema)


@pytest.mark.parametrize(
    "schema",
    [
        "CREATE TABLE t ()",
        "CREATE VIEW v AS SELECT 1",
        "CREATE MATERIALIZED VIEW v AS SELECT 1",
        "CREATE SEQUENCE s",
        "CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE PROCEDURE f() LANGUAGE sql AS 'SELECT 1'",
        "CREATE AGGREGATE a(numeric) (SFUNC = numeric_mul, STYPE = numeric)",
        "CREATE TYPE e AS ENUM ()",
        "CREATE TYPE c AS (a integer)",
        "CREATE TYPE r AS RANGE (subtype = numeric)",
        "CREATE DOMAIN d AS integer",
        'CREATE SCHEMA "odd one"; CREATE TABLE "odd one"."select" ()',
        "CREATE EXTENSION citext; CREATE DOMAIN d AS citext",
        REGISTRY + "; CREATE TABLE t ()",
    ],
)
def test_a_database_with_a_relation_a_function_or_a_type_is_not_empty(empty_database: Database, schema: str) -> None:
    assert is_used(empty_database, schema)


def test_the_registry_is_no_part_of_the_catalog(empty_database: Database) -> None:
    with empty_database.connect() as connection:
        connection.exec_driver_sql(REGISTRY)
        assert read_catalog(connection).objects == ()
        connection.rollback()


def test_a_new_database_has_an_empty_catalog(empty_database: Database) -> None:
    with empty_database.connect() as connection:
        assert read_catalog(connection).objects == ()
