"""Where the commands begin that are interrupted. Dates are fixed, so that commits have the same ids each time."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import make_url

from tests.playground import Playground
from tests.workflows.shelf import (
    CUSTOMER,
    SCHEMA,
    Shelf,
    applied,
    clone,
    database_of,
    maintain,
    published,
    release_here,
    with_origin,
)
from tests.workflows.sparing import sparing

DATES = {"GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z"}

ROLE, DUMPS_OF = "TEST_ROLE", "TEST_DUMPS_OF"
"""Variables of a place that `of_its_role` goes by."""

STEPS = {
    "01_visit.sql": "CREATE TABLE visit (id integer PRIMARY KEY);\nINSERT INTO visit SELECT generate_series(1, 50);\n",
    "02_price.sql": "CREATE INDEX CONCURRENTLY product_price ON product (price);\n",
    "03_sale.psql": "\\set factor 3\nUPDATE product SET price = price * :factor;\n",
    "04_note.sql": "ALTER TABLE product ADD COLUMN note text;\nUPDATE product SET note = 'dear' WHERE price > 100;\n",
}
"""A release that is four steps, one of which must not be done twice."""

HALF_ORMS_REGISTRY = """
CREATE SCHEMA half_orm_meta;
CREATE TABLE half_orm_meta.database (id text PRIMARY KEY, name text NOT NULL, description text);
CREATE TABLE half_orm_meta.hop_release (
    major integer, minor integer, patch integer, pre_release text DEFAULT '', pre_release_num text DEFAULT '',
    date date DEFAULT CURRENT_DATE, "time" time(0) with time zone DEFAULT CURRENT_TIME, changelog text, commit text,
    dbid text REFERENCES half_orm_meta.database (id) ON UPDATE CASCADE, hop_release text,
    PRIMARY KEY (major, minor, patch, pre_release, pre_release_num)
);
INSERT INTO half_orm_meta.hop_release (major, minor, patch) VALUES (0, 0, 0), (0, 0, 1);
"""


def half_orms(shelf: Shelf, play: Playground) -> Playground:
    """A project at 0.0.1 as half_orm's tool leaves one; tests/adoption has one that it made itself."""
    maintain(play, f"CREATE DATABASE {database_of(play)}")
    play.sql(SCHEMA)
    play.sql(HALF_ORMS_REGISTRY)
    (play.folder / "shop").mkdir()
    place = play.inside("shop").with_variables(**DATES)
    place.git("init", "--quiet", "--initial-branch=hop_main")
    place.write(".hop/config", "[halfORM]\npackage_name = shop\nhop_version = 0.1.0a22\ndevel = True\n")
    place.write(".hop/CHANGELOG", "0.1.0a22\t0.0.0\tInitial\t\n0.1.0a22\t0.0.1\t0000000\t\n")
    place.write("Patches/0/0/1/MANIFEST.json", '{"hop_version": "0.1.0a22", "changelog_msg": "products"}')
    place.write("shop/__init__.py", "")
    place.commit()
    place.git("tag", "-a", "0.0.1", "-m", "0.0.1")
    return with_origin(place)


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


def dumped(shelf: Shelf, play: Playground) -> Playground:
    """0.0.1 was applied twice by a role that may not create databases, with rows typed in in between."""
    role, database = f"{database_of(play)}_role", database_of(play)
    maintain(play, f"CREATE ROLE {role} LOGIN", f"CREATE DATABASE {database} OWNER {role}")
    maker = replace(play, url=_as_role(play, role))
    maker.sql(SCHEMA)
    maker.hop("new", "shop", "--devel").succeeds()
    place = maker.inside("shop")
    place.hop("prepare", "-l", "patch", "-m", "customers").succeeds()
    place.write("Patches/0/0/1/01_customer.sql", CUSTOMER)
    place.hop("apply").succeeds()
    place.commit("customers")
    place.sql("INSERT INTO customer (name) VALUES ('typed in once')")
    place.hop("apply").succeeds()
    return replace(place, url=play.url).with_variables(**DATES, **{ROLE: role, DUMPS_OF: database})


def of_its_role(place: Playground) -> Playground:
    """A copy of it, reached as that role, with the dumps under the name of the copy's database."""
    role = place.variables[ROLE]
    maintain(place, f"ALTER DATABASE {database_of(place)} OWNER TO {role}")
    dumps = place.folder / ".hop/snapshots"
    (dumps / place.variables[DUMPS_OF]).rename(dumps / database_of(place))
    return replace(place, url=_as_role(place, role))


def _as_role(place: Playground, role: str) -> str:
    return make_url(place.url).set(username=role).render_as_string(hide_password=False)


def idle(shelf: Shelf, play: Playground) -> Playground:
    """Nothing is in preparation; there is an origin."""
    return shelf.copy(published, play).with_variables(**DATES)
