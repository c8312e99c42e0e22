"""The schema file of a release: the schema, and the rows of the tables that are declared as reference data."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import make_url

from hop_tasks import apply_release, prepare_release, release_prepared, upgrade_database
from hop_tasks.catalog import read_catalog
from hop_tasks.database.clients import client_environment, find_client
from hop_tasks.database.engines import Database
from hop_tasks.database.statements import server_version
from hop_tasks.errors import ProjectError
from hop_tasks.report import DEFAULT_REPORTER
from hop_tasks.scripts import PatchFile
from hop_tasks.versions import Version
from hop_tasks.workflows.deploying import found_registry
from hop_tasks.workflows.schemas import released_schema
from tests.playground import Playground
from tests.workflows.calling import project_of, refused
from tests.workflows.shelf import CUSTOMER, SCHEMA, Shelf, clone, database_of, maintain, published

ODD = r"""
CREATE SCHEMA "Odd One";
CREATE TABLE country (
    code text PRIMARY KEY,
    name text NOT NULL,
    label text GENERATED ALWAYS AS (code || ': ' || name) STORED
);
INSERT INTO country VALUES ('fr', E'tab\t, line\nend, back\\slash, \\.'), ('DE', ''), ('ch', 'Zürich'), ('Éi', '\N');
CREATE TABLE region (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    country text NOT NULL REFERENCES country,
    since timestamptz, area double precision, flag bytea, shift interval
);
INSERT INTO region (country, since, area, flag, shift)
    VALUES ('fr', '2020-07-01 12:00+02', 0.1::float8 + 0.2, '\x00ff5c', '-1 year 2 days'),
           ('DE', NULL, NULL, NULL, NULL);
DELETE FROM region WHERE country = 'DE';
CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''fired''; END';
CREATE TRIGGER never BEFORE INSERT ON region FOR EACH ROW EXECUTE FUNCTION never();
CREATE TABLE "Odd One"."Tax ""Rate"" %" ("order" numeric, "Note" text);
INSERT INTO "Odd One"."Tax ""Rate"" %" VALUES (2.50, 'b'), (10, 'a'), (2.50, 'b'), (NULL, NULL);
CREATE TABLE part (id serial, kind text, PRIMARY KEY (kind, id)) PARTITION BY LIST (kind);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a');
CREATE TABLE part_rest PARTITION OF part DEFAULT;
INSERT INTO part (kind) VALUES ('b'), ('a'), ('a');
CREATE TABLE parent (id integer PRIMARY KEY);
CREATE TABLE child (more text) INHERITS (parent);
INSERT INTO parent VALUES (2), (1);
INSERT INTO child VALUES (3, 'not declared');
CREATE TABLE nothing (id bigserial PRIMARY KEY);
CREATE TABLE sale (id integer PRIMARY KEY, region integer REFERENCES region);
INSERT INTO sale VALUES (1, 1);
CREATE VIEW seen AS SELECT * FROM country;
"""

DECLARED = (
    "country", "public.region", '"Odd One"."Tax ""Rate"" %"', "part", "part_a", "parent", "NOTHING", "Country",
)  # fmt: skip

OTHER_WAYS = {
    "DateStyle": "SQL, DMY",
    "TimeZone": "Asia/Tokyo",
    "IntervalStyle": "sql_standard",
    "bytea_output": "escape",
    "extra_float_digits": "-10",
    "search_path": "nowhere",
}
"""Settings that decide how PostgreSQL writes values."""


def schema_of(database: Database, *tables: str) -> str:
    with database.administer() as admin:
        return released_schema(database, server_version(admin), programs=None, reference_data=tables)


def rows_of(text: str, table: str) -> list[str]:
    """The lines of a table's block."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"COPY {table} "))
    return lines[start + 1 : lines.index("\\.", start)]


@pytest.mark.every_server
def test_rows_come_out_the_same_and_go_in_again(
    play: Playground, database: Database, other_database: Callable[[], str], tmp_path: Path
) -> None:
    maintain(play, f"CREATE DATABASE {database.name}")
    play.sql(ODD)
    text = schema_of(database, *DECLARED)
    # In the order of bytes, with what is generated left out.
    assert [line.split("\t")[0] for line in rows_of(text, "public.country (code, name)")] == ["DE", "ch", "fr", "Éi"]
    assert rows_of(text, '"Odd One"."Tax ""Rate"" %" ("order", "Note")') == ["\\N\t\\N", "10\ta", "2.50\tb", "2.50\tb"]
    assert rows_of(text, "public.part (id, kind)") == ["2\ta", "3\ta", "1\tb"]
    assert rows_of(text, "public.parent (id)") == ["1", "2"]
    assert rows_of(text, "public.nothing (id)") == []
    assert "COPY public.part_a" not in text
    assert "COPY public.sale" not in text
    # The number that was given to a row that is gone is not in the rows.
    assert "SELECT pg_catalog.setval('public.region_id_seq', 1, true);" in text
    assert "nothing_id_seq', " not in text

    for setting, value in OTHER_WAYS.items():
        maintain(play, f"ALTER DATABASE {database.name} SET {setting} = '{value}'")
    assert schema_of(database, *reversed(DECLARED)) == text

    play.sql("UPDATE public.country SET name = 'Alemania' WHERE code = 'DE'")
    changed = schema_of(database, *DECLARED)
    assert set(changed.splitlines()) - set(text.splitlines()) == {"DE\tAlemania"}
    play.sql("UPDATE public.country SET name = '' WHERE code = 'DE'")

    # By hop's own loader and by psql, it makes a database with the same catalog and rows.
    by_hop, by_psql = (database.beside(str(make_url(other_database()).database)) for _ in range(2))
    for made in (by_hop, by_psql):
        maintain(play, f"CREATE DATABASE {made.name}")
    found_registry(by_hop, PatchFile("schema.sql", text.encode()), message="", reporter=DEFAULT_REPORTER)
    file = tmp_path / "schema.sql"
    file.write_text(text)
    with database.administer() as admin:
        psql = find_client("psql", server_version(admin))
    subprocess.run(
        [psql, "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f", file],
        env=client_environment(by_psql.url),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    for made in (by_hop, by_psql):
        assert schema_of(made, *DECLARED) == text
        with made.connect() as connection, database.connect() as original:
            assert read_catalog(connection).fingerprint == read_catalog(original).fingerprint


def test_without_reference_data_there_are_no_rows(play: Playground, database: Database) -> None:
    maintain(play, f"CREATE DATABASE {database.name}")
    play.sql("CREATE TABLE country (code text); INSERT INTO country VALUES ('fr')")
    assert "COPY" not in schema_of(database)


def test_what_cannot_be_reference_data_is_refused(play: Playground, database: Database) -> None:
    maintain(play, f"CREATE DATABASE {database.name}")
    play.sql(ODD)
    cases = {
        ("contry",): "contry, which is no table",
        ("shop.country",): "shop.country, which is no table",
        ("a.b.c",): "not written as a table's name",
        ("seen",): "seen, which is a view",
        ("region_id_seq",): "a sequence",
        ("pg_catalog.pg_class",): "none of the project's own",
        ("region",): "add public.country to reference_data",
        ("country", "region", "sale", "part", "parent"): None,
    }
    for tables, words in cases.items():
        if words is None:
            assert schema_of(database, *tables)
            continue
        with refused(ProjectError.exit_code, "reference_data", words, "nothing was changed"):
            schema_of(database, *tables)
    play.sql("DELETE FROM sale; DELETE FROM region")
    assert schema_of(database, "region"), "there is no row that refers to another table's"


class TestRelease:
    def test_the_rows_are_released_and_a_fresh_database_begins_with_them(
        self, project: Playground, other_database: Callable[[], str]
    ) -> None:
        place = project.with_variables(HOP_TESTS="none", HOP_REFERENCE_DATA="country,contry")
        with project_of(place) as here:
            prepare_release(here, "patch", "countries")
            place.write(
                "Patches/0/0/1/01.sql",
                f"CREATE TABLE country (code text PRIMARY KEY, name text);\n{CUSTOMER}"
                "INSERT INTO country VALUES ('fr', 'France'), ('de', 'Germany');\n"
                "INSERT INTO customer (name) VALUES ('Ann');\n",
            )
            apply_release(here)
            place.commit("countries")
        before = place.refs(), place.databases(), place.releases()
        place.hop("release").fails(3, "reference_data", "contry", "nothing was changed", "pyproject.toml")
        assert (place.refs(), place.databases(), place.releases()) == before

        place = place.with_variables(HOP_REFERENCE_DATA="country")
        with project_of(place) as here:
            release_prepared(here)
            prepare_release(here, "patch", "one more")
            place.write("Patches/0/0/2/01.sql", "INSERT INTO country VALUES ('ch', 'Switzerland');\n")
            apply_release(here)
            place.commit("one more")
            release_prepared(here)
        first, second = (place.read(f"Releases/shop-0.0.{patch}.sql").splitlines() for patch in (1, 2))
        assert [line for line in second if line not in first] == ["ch\tSwitzerland"]
        assert len(second) == len(first) + 1

        url = other_database()
        maintain(place, f"CREATE DATABASE {make_url(url).database}")
        begun = replace(place, url=url).production()
        with project_of(begun) as here:
            upgrade_database(here, schema="0.0.1")
        assert begun.releases() == ["0.0.1", "0.0.2"]
        assert begun.sql("SELECT code FROM country ORDER BY 1") == [("ch",), ("de",), ("fr",)]
        assert begun.sql("SELECT * FROM customer") == [], "its rows are not part of a release"


def test_a_project_begins_with_the_rows_of_the_database_that_it_takes_over(play: Playground) -> None:
    maintain(play, f"CREATE DATABASE {database_of(play)}")
    play.sql(SCHEMA)
    wrong = play.with_variables(HOP_REFERENCE_DATA="products")
    wrong.hop("new", "shop", "--devel").fails(3, "reference_data", "products", "nothing was changed")
    assert list(play.folder.iterdir()) == []
    assert play.sql("SELECT to_regnamespace('half_orm_meta')") == [(None,)]
    play.with_variables(HOP_REFERENCE_DATA="product").hop("new", "shop", "--devel").succeeds()
    text = play.inside("shop").read("Releases/shop-0.0.0.sql")
    assert rows_of(text, "public.product (id, name, price)") == ["1\tbell\t10", "2\tlock\t20", "3\tsaddle\t40"]
    assert "COPY workshop.job" not in text


class TestBeginning:
    @pytest.mark.every_server
    def test_a_schema_file_and_later_patches_make_what_all_patches_make(
        self, shelf: Shelf, play: Playground, other_database: Callable[[], str]
    ) -> None:
        place = clone(shelf.copy(published, play, databases=False), "production").production()
        catalogs = []
        for schema in (None, "0.0.1", "0.0.3"):
            url = other_database()
            maintain(place, f"CREATE DATABASE {make_url(url).database}")
            there = replace(place, url=url)
            with project_of(there) as here:
                done = upgrade_database(here, schema=schema)
            assert str(done.after) == "0.0.3"
            assert there.releases() == [f"0.0.{patch}" for patch in range(int((schema or "0.0.0")[-1]), 4)]
            with Database(make_url(url).set(drivername="postgresql+psycopg2")).connect() as connection:
                catalogs.append(read_catalog(connection))
        assert not catalogs[0].compare(catalogs[1])
        assert not catalogs[0].compare(catalogs[2])

    def test_the_registry_begins_with_that_release(
        self, shelf: Shelf, play: Playground, other_database: Callable[[], str]
    ) -> None:
        place = clone(shelf.copy(published, play, databases=False), "production").production()
        maintain(place, f"CREATE DATABASE {database_of(place)}")
        assert "the schema of 0.0.2 would be loaded" in place.hop("upgrade", "-s", "0.0.2", "--dry-run").succeeds().out
        place.hop("upgrade", "--schema", "0.0.9").fails(7, "there is no release 0.0.9")
        place.hop("upgrade", "--schema", "0.0.2", "--to", "0.0.1").fails(7, "begin at 0.0.2", "above 0.0.1")
        place.hop("upgrade", "--schema", "0.0.2", "--baseline", "0.0.2").fails(2, "give one of them")
        assert place.sql("SELECT to_regnamespace('half_orm_meta')") == [(None,)]
        place.hop("upgrade", "--schema", "0.0.2").succeeds()
        rows = place.sql(
            'SELECT "commit", author, changelog FROM half_orm_meta.hop_release WHERE (major, minor, patch) = (0, 0, 2)'
        )
        assert rows == [(place.git("rev-parse", "0.0.2^{commit}"), "Ann Author <ann@example.com>", "a patch release")]
        assert place.sql("SELECT production FROM half_orm_meta.database") == [(True,)]
        before = place.releases()
        assert "nothing to do" in place.hop("upgrade", "--schema", "0.0.2").succeeds().out, "it has begun so"
        place.hop("upgrade", "--schema", "0.0.1").fails(7, "not empty", "0.0.3", "nothing was changed")
        assert place.releases() == before
        assert "nothing to do" in place.hop("upgrade").succeeds().out

        occupied = replace(place, url=other_database())
        maintain(place, f"CREATE DATABASE {database_of(occupied)}")
        occupied.sql("CREATE TABLE mine (id integer)")
        with project_of(occupied) as here, refused(7, "not empty", "--schema 0.0.2"):
            upgrade_database(here, schema=Version(0, 0, 2))
