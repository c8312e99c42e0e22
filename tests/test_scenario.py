"""Two developers with clones of one bare origin, and one production clone, from the first release to the last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from tests.playground import Finished, Playground

pytestmark = pytest.mark.cold

CUSTOMERS = "CREATE TABLE customer (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);\n"
BIKES = "CREATE TABLE bike (id integer PRIMARY KEY, owner integer REFERENCES customer (id));\n"


@dataclass(frozen=True)
class Place(Playground):
    """A place of the scenario: who runs a command as the first one starts the script, and the next ones a copy."""

    begun: set[str] = field(default_factory=set)

    def hop(self, *arguments: str) -> Finished:
        """Run hop."""
        first = arguments[0] not in self.begun
        self.begun.add(arguments[0])
        return Playground.hop(replace(self, cold=first), *arguments)


@pytest.fixture
def ann(project: Playground) -> Playground:
    """The first developer: the project that she made, with a bare origin."""
    project.git("init", "--quiet", "--bare", "--initial-branch=hop_main", str(project.folder.parent / "origin.git"))
    project.git("remote", "add", "origin", str(project.folder.parent / "origin.git"))
    project.git("push", "--quiet", "-u", "origin", "hop_main", "0.0.0")
    return Place(project.folder, project.url, project.variables)


def clone(place: Playground, name: str, url: str) -> Playground:
    place.git("clone", "--quiet", str(place.folder.parent / "origin.git"), str(place.folder.parent / name))
    return replace(place, folder=place.folder.parent / name, url=url)


def test_two_developers_and_production(ann: Playground, other_database: Callable[[], str]) -> None:
    bob = clone(ann, "bob", other_database())
    production_url = other_database()
    production = clone(ann, "production", production_url).production()
    create_empty(ann, production_url)

    # 0.0.1, by Ann.
    ann.hop("prepare", "-l", "patch", "-m", "customers", "--push").succeeds()
    refused = bob.hop("prepare", "--level=patch").fails(7, "patch", "origin", "0.0.1")
    assert "Next: " in refused.err
    ann.write("Patches/0/0/1/01_customer.sql", CUSTOMERS)
    ann.hop("apply").succeeds()
    ann.hop("release", "--push").fails(4, "not clean", "01_customer.sql")
    ann.commit("customers")
    ann.hop("release", "--push").succeeds()
    assert ann.git("ls-remote", "--heads", "origin").count("\n") == 0, "the branch is gone at origin"

    # Production begins empty, and then has what was released.
    production.hop("upgrade").succeeds()
    assert production.releases() == ["0.0.0", "0.0.1"]
    production.sql("INSERT INTO customer (name) VALUES ('Carla')")

    # 0.0.2, by Bob, who has only a clone: applied three times with changed files.
    bob.git("pull", "--quiet", "--tags")
    bob.hop("prepare", "-l", "patch", "-m", "bikes").succeeds()
    bob.write("Patches/0/0/2/01_bike.sql", "CREATE TABLE bicycle (id integer);\n")
    bob.hop("apply").succeeds()
    bob.write("Patches/0/0/2/01_bike.sql", BIKES)
    bob.hop("apply").succeeds()
    bob.write("Patches/0/0/2/02_index.sql", "CREATE INDEX bike_owner ON bike (owner);\n")
    bob.hop("apply").succeeds()
    assert bob.sql("SELECT to_regclass('bicycle'), to_regclass('bike_owner')::text") == [(None, "bike_owner")]
    bob.write("tests/test_bikes.py", "def test_bikes():\n    assert False, 'not yet'\n")
    bob.commit("bikes, with a test that fails")
    before = bob.refs()
    bob.hop("release", "--push").fails(9, "tests failed", "1 failed")
    assert bob.refs() == before
    assert bob.git("status", "--porcelain") == ""
    bob.write("tests/test_bikes.py", file_of_tests("bike"))
    bob.commit("a test that passes")
    bob.hop("release", "--push").succeeds()

    # Three releases in preparation together come out in their order only.
    ann.git("pull", "--quiet", "--tags")
    prepare_three(ann)
    ann.git("switch", "--quiet", "hop_1.0.0")
    ann.hop("apply").succeeds()
    ann.hop("release").fails(7, "0.0.3", "lower")
    for version in ("0.0.3", "0.1.0", "1.0.0"):
        ann.git("switch", "--quiet", f"hop_{version}")
        ann.hop("apply").succeeds()
        if ann.git("status", "--porcelain"):
            ann.commit("package in step")
        ann.hop("release", "-p").succeeds()
    assert ann.git("rev-list", "--merges", "--count", "hop_main") == "0", "the history is linear"
    assert ann.git("tag", "--list").split() == ["0.0.0", "0.0.1", "0.0.2", "0.0.3", "0.1.0", "1.0.0"]

    # Production goes to the newest, back, and to the newest again.
    plan = production.hop("upgrade", "--dry-run").succeeds()
    assert "origin also has 0.0.2, 0.0.3, 0.1.0, 1.0.0" in plan.out
    assert production.releases() == ["0.0.0", "0.0.1"]
    production.hop("upgrade").succeeds()
    assert production.releases()[-1] == "1.0.0"
    assert production.git("describe", "--exact-match") == "1.0.0"
    production.hop("restore", "0.0.1").succeeds()
    assert production.releases() == ["0.0.0", "0.0.1"]
    assert production.sql("SELECT name, to_regclass('bike') FROM customer") == [("Carla", None)]
    production.hop("upgrade").succeeds()
    assert production.releases() == ["0.0.0", "0.0.1", "0.0.2", "0.0.3", "0.1.0", "1.0.0"]
    assert production.sql("SELECT name FROM customer") == [("Carla",)]
    again = production.hop("upgrade").succeeds()
    assert "nothing to do" in again.out

    assert catalog(production) == catalog(ann)


def prepare_three(place: Playground) -> None:
    """1.0.0, 0.1.0 and 0.0.3 together; a second one of a level is refused."""
    for level, version in (("major", "1/0/0"), ("minor", "0/1/0"), ("patch", "0/0/3")):
        place.hop("prepare", "-l", level, "-m", f"a {level} release").succeeds()
        place.write(f"Patches/{version}/01_table.sql", f"CREATE TABLE {level} (id integer);\n")
        place.hop("apply").succeeds()
        place.commit(level)
    place.hop("prepare", "-l", "minor").fails(7, "already in preparation", "0.1.0")


def create_empty(place: Playground, url: str) -> None:
    name = url.split("?", maxsplit=1)[0].rpartition("/")[2]
    maintenance = url.replace(f"/{name}", "/postgres")
    place.sql(f'CREATE DATABASE "{name}"', maintenance)


def file_of_tests(table: str) -> str:
    return f"""\
import os

from sqlalchemy import create_engine, make_url, text


def test_{table}_is_there():
    url = make_url(os.environ["HOP_DATABASE_URL"]).set(drivername="postgresql+psycopg2")
    engine = create_engine(url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM {table}")).scalar() == 0
    engine.dispose()
"""


def catalog(place: Playground) -> str:
    from sqlalchemy import make_url

    from hop_tasks.catalog import read_catalog
    from hop_tasks.database.engines import Database

    with Database(make_url(place.url).set(drivername="postgresql+psycopg2")).connect() as connection:
        return read_catalog(connection).fingerprint
