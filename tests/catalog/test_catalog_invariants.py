"""What is not the schema does not change the catalog."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hop_tasks.catalog import read_catalog
from hop_tasks.database.engines import Database

NO_CHANGES = [
    # Rows, and what comes from them.
    "INSERT INTO shop.animal VALUES (1, 'cat', 4)",
    "INSERT INTO shop.customer (name) SELECT 'c' || n FROM generate_series(1, 500) AS n; ANALYZE",
    "SELECT nextval('shop.ticket'), nextval('shop.sale_id_seq'), setval('shop.customer_id_seq', 700)",
    "ALTER SEQUENCE shop.ticket RESTART",
    "REFRESH MATERIALIZED VIEW shop.totals",
    "TRUNCATE shop.sale",
    # Owners and privileges.
    "CREATE ROLE catalog_owner; ALTER TABLE shop.sale OWNER TO catalog_owner; ALTER SCHEMA shop OWNER TO catalog_owner",
    "CREATE ROLE catalog_owner; ALTER FUNCTION shop.watch() OWNER TO catalog_owner",
    "GRANT SELECT, UPDATE (price) ON shop.sale TO PUBLIC; GRANT USAGE ON SCHEMA shop TO PUBLIC",
    "REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA shop FROM PUBLIC",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO PUBLIC",
    # OIDs and attribute numbers.
    "DROP INDEX shop.customer_parent; CREATE INDEX customer_parent ON shop.customer USING hash (parent)",
    "ALTER TABLE shop.sale ADD extra text; ALTER TABLE shop.sale DROP extra",
    "ALTER TABLE shop.booking DROP during, ADD during int4range, ADD EXCLUDE USING gist (during WITH &&)",
    "ALTER TABLE shop.sale DISABLE TRIGGER watch; ALTER TABLE shop.sale ENABLE TRIGGER watch",
    "DROP FUNCTION shop.total(numeric) CASCADE; CREATE FUNCTION shop.total(price numeric) RETURNS numeric "
    "LANGUAGE sql IMMUTABLE AS 'SELECT price'; COMMENT ON FUNCTION shop.total(numeric) IS 'sums'; "
    "CREATE OPERATOR shop.!! (FUNCTION = shop.total, RIGHTARG = numeric); "
    "COMMENT ON OPERATOR shop.!! (NONE, numeric) IS 'bangs'",
    # What is local to a session or a server, or secret.
    "CREATE TEMPORARY TABLE sale (); CREATE TEMPORARY VIEW v AS SELECT 1",
    "ALTER SERVER far OPTIONS (SET host 'elsewhere.example.org', ADD port '5433', ADD dbname 'x')",
    "ALTER USER MAPPING FOR PUBLIC SERVER far OPTIONS (SET password 'other', ADD user 'x')",
    "ALTER FOREIGN DATA WRAPPER elsewhere OPTIONS (SET api_key 'other')",
    # What is PostgreSQL's own, or an extension's.
    "ALTER FUNCTION shop.citext_eq(shop.citext, shop.citext) COST 7; COMMENT ON TYPE shop.citext IS 'x'",
    "COMMENT ON FUNCTION pg_catalog.now() IS 'x'",
    "CREATE SCHEMA other; DROP SCHEMA other",
]


@pytest.mark.parametrize("script", NO_CHANGES)
def test_what_is_not_the_schema_does_not_change_the_catalog(change_made: Callable[[str], str], script: str) -> None:
    assert change_made(script) == "no difference"


STATEMENTS = (
    "CREATE TYPE mood AS ENUM ('sad', 'glad')",
    "CREATE FUNCTION three() RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 3'",
    "CREATE TABLE a (id integer PRIMARY KEY, x text CHECK (x IN ('a', 'b')), y integer)",
    "CREATE TABLE b (id serial PRIMARY KEY, x varchar(3), y integer GENERATED ALWAYS AS IDENTITY)",
    "CREATE TABLE c (id integer, at date) PARTITION BY RANGE (at)",
    "CREATE VIEW v AS SELECT now() AS at",
)
LATER_STATEMENTS = (
    "ALTER TABLE a ADD FOREIGN KEY (y) REFERENCES b",
    "ALTER TABLE b ADD UNIQUE (y)",
    "CREATE INDEX by_x ON a (x)",
    "CREATE INDEX by_y ON a (y) WHERE y > 0",
    "CREATE TABLE c_2020 PARTITION OF c FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')",
    "CREATE TABLE c_2021 PARTITION OF c FOR VALUES FROM ('2021-01-01') TO ('2022-01-01')",
    "COMMENT ON TABLE a IS 'a'",
    "COMMENT ON TABLE b IS 'b'",
)


def test_the_order_of_creation_does_not_change_the_catalog(make_database: Callable[[str], Database]) -> None:
    catalogs = []
    for schema in ((*STATEMENTS, *LATER_STATEMENTS), (*reversed(STATEMENTS), *reversed(LATER_STATEMENTS))):
        with make_database("; ".join(schema)).connect() as connection:
            catalogs.append(read_catalog(connection))
    first, second = catalogs
    assert first.compare(second).summary() == "no difference"
    assert first.fingerprint == second.fingerprint
    assert len(first.objects) > 25


def test_a_column_that_was_dropped_leaves_no_trace(make_database: Callable[[str], Database]) -> None:
    with make_database("CREATE TABLE t (a integer, b text, c date)").connect() as connection:
        expected = read_catalog(connection)
    script = (
        "CREATE TABLE t (x integer, a integer, y text, b text); ALTER TABLE t DROP x, DROP y; ALTER TABLE t ADD c date"
    )
    with make_database(script).connect() as connection:
        found = read_catalog(connection)
    assert expected.compare(found).summary() == "no difference"


def test_the_order_of_columns_counts(make_database: Callable[[str], Database]) -> None:
    with make_database("CREATE TABLE t (a integer, b text)").connect() as connection:
        expected = read_catalog(connection)
    with make_database("CREATE TABLE t (b text, a integer)").connect() as connection:
        found = read_catalog(connection)
    assert expected.compare(found).summary() == "2 changed: column public.t.a, column public.t.b"


def test_what_every_database_is_born_with_is_not_missed(make_database: Callable[[str], Database]) -> None:
    with make_database("DROP SCHEMA public; DROP EXTENSION plpgsql").connect() as connection:
        assert read_catalog(connection).objects == ()
