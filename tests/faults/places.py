"""Where the commands begin that are interrupted. Dates are fixed, so that commits have the same ids each time."""

from __future__ import annotations

from tests.playground import Playground
from tests.workflows.shelf import Shelf, applied, clone, database_of, maintain, published, release_here, with_origin
from tests.workflows.sparing import sparing

DATES = {"GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z"}

STEPS = {
    "01_visit.sql": "CREATE TABLE visit (id integer PRIMARY KEY);\nINSERT INTO visit SELECT generate_series(1, 50);\n",
    "02_price.sql": "CREATE INDEX CONCURRENTLY product_price ON product (price);\n",
    "03_sale.psql": "\\set factor 3\nUPDATE product SET price = price * :factor;\n",
    "04_note.sql": "ALTER TABLE product ADD COLUMN note text;\nUPDATE product SET note = 'dear' WHERE price > 100;\n",
}
"""A release that is four steps, one of which must not be done twice."""


def releases(shelf: Shelf, play: Playground) -> Playground:
    """The three releases of the shop, and 0.0.4, which is more than one transaction; origin has them."""
    place = shelf.copy(published, play)
    release_here(place, STEPS, push=True)
    return place


def behind(shelf: Shelf, play: Playground) -> Playground:
    """Production at 0.0.1, with rows: prices are to be doubled, checked, and made three times as high."""
    place = clone(shelf.copy(releases, play, databases=False), "production").production()
    maintain(place, f"CREATE DATABASE {database_of(place)}")
    place.hop("upgrade", "--to", "0.0.1").succeeds()
    place.sql("INSERT INTO product SELECT n, 'product ' || n, n FROM generate_series(1, 90) AS n")
    return place


def empty(shelf: Shelf, play: Playground) -> Playground:
    """Production with an empty database."""
    place = clone(shelf.copy(releases, play, databases=False), "production").production()
    maintain(place, f"CREATE DATABASE {database_of(place)}")
    return place


def ready(shelf: Shelf, play: Playground) -> Playground:
    """0.0.1 is applied and committed, and can be released; there is an origin."""
    return with_origin(shelf.copy(applied, play)).with_variables(HOP_TESTS="none", **DATES)


def changed(shelf: Shelf, play: Playground) -> Playground:
    """0.0.1 is applied, and has a second file that is not."""
    place = shelf.copy(ready, play)
    place.write("Patches/0/0/1/02_rating.sql", "ALTER TABLE customer ADD COLUMN rating integer;\n")
    place.commit("rating")
    return place


def spared(shelf: Shelf, play: Playground) -> Playground:
    """The same, where spares are made."""
    return sparing(shelf.copy(changed, play))


def idle(shelf: Shelf, play: Playground) -> Playground:
    """Nothing is in preparation; there is an origin."""
    return shelf.copy(published, play).with_variables(**DATES)
