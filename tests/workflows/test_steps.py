"""Releases that cannot be one transaction: their steps, their journal, and going on after a failure."""

from __future__ import annotations

import pytest

from tests.playground import Playground
from tests.workflows.shelf import Shelf, clone, database_of, maintain, published, release_here

TABLE = "CREATE TABLE visit (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer integer NOT NULL);\n"
INDEX = "SET search_path = public;\nCREATE UNIQUE INDEX CONCURRENTLY product_price ON product (price);\n"
SALE = "\\set factor 2\nUPDATE product SET price = price * :factor WHERE name = 'saddle';\n"
STATE = "ALTER TYPE workshop.state ADD VALUE 'lost';\nINSERT INTO workshop.job (product, state) VALUES (2, 'lost');\n"


def stepped(shelf: Shelf, play: Playground) -> Playground:
    """0.0.4 is released on top of the three: a table, an index built concurrently, a psql file, an enum's value."""
    place = shelf.copy(published, play)
    files = {"01_visit.sql": TABLE, "02_price.sql": INDEX, "03_sale.psql": SALE, "04_lost.sql": STATE}
    release_here(place, files, push=True)
    return place


@pytest.fixture
def production(shelf: Shelf, play: Playground) -> Playground:
    """A production clone at 0.0.3, with 0.0.4 to come."""
    place = clone(shelf.copy(stepped, play, databases=False), "production").production()
    maintain(place, f"CREATE DATABASE {database_of(place)}")
    place.hop("upgrade", "--to", "0.0.3").succeeds()
    place.sql("INSERT INTO product VALUES (1, 'bell', 10), (2, 'lock', 20), (3, 'saddle', 40)")
    return place


def steps_of(place: Playground) -> list[tuple[int, str]]:
    return place.sql("SELECT step, state FROM half_orm_meta.hop_step ORDER BY step")


def prices(place: Playground) -> list[int]:
    return [row[0] for row in place.sql("SELECT price FROM product ORDER BY id")]


class TestSteps:
    def test_the_plan_shows_where_the_release_is_cut(self, production: Playground) -> None:
        out = production.hop("upgrade", "--dry-run").succeeds().out
        assert "5 steps" in out
        for title in ("transaction: Patches/0/0/4/01_visit.sql", "02_price.sql:2: CREATE INDEX CONCURRENTLY", "psql"):
            assert title in out

    def test_all_steps_run_once(self, production: Playground) -> None:
        out = production.hop("upgrade").succeeds().out
        assert "CREATE INDEX CONCURRENTLY" in out
        assert production.releases()[-1] == "0.0.4"
        assert prices(production) == [10, 20, 80]
        assert {state for _, state in steps_of(production)} == {"done"}
        assert production.hop("upgrade").succeeds().out.count("nothing to do") == 1
        assert prices(production) == [10, 20, 80]

    def test_a_step_that_fails_leaves_those_before_it_and_the_next_upgrade_goes_on(
        self, production: Playground
    ) -> None:
        production.sql("INSERT INTO product VALUES (9, 'twin', 10)")
        failed = production.hop("upgrade")
        failed.fails(1, "02_price.sql:2:", "could not create unique index", "the step before it is done and stays")
        assert production.releases()[-1] == "0.0.3"
        assert production.sql("SELECT to_regclass('visit') IS NOT NULL, to_regclass('product_price')") == [(True, None)]
        status = production.hop().succeeds().out
        assert "begun" in status
        assert "1. done" in status
        assert "hop upgrade goes on with 0.0.4" in status
        production.sql("UPDATE product SET price = 11 WHERE id = 9")
        out = production.hop("upgrade").succeeds().out
        assert "step 1 of 5 was done before" in out
        assert production.sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'product_price'::regclass") == [
            (True,)
        ]
        assert prices(production)[:3] == [10, 20, 80]
        states = production.sql("SELECT state FROM half_orm_meta.hop_attempt ORDER BY id")
        assert [row[0] for row in states] == ["done", "failed", "done"]
