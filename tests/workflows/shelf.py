"""Places that are made once a server, by hop itself, and copied for each test: a copy costs a tenth of the making."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import make_url

from hop_tasks import Project, apply_release, prepare_release, release_prepared
from hop_tasks.database.admin import drop_database
from hop_tasks.database.engines import Database
from tests.playground import Playground

SCHEMA = """
CREATE SCHEMA workshop;
CREATE TYPE workshop.state AS ENUM ('open', 'done');
CREATE TABLE product (id integer PRIMARY KEY, name text NOT NULL UNIQUE, price integer NOT NULL DEFAULT 0);
COMMENT ON TABLE product IS 'what the shop sells';
CREATE TABLE workshop.job (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product integer NOT NULL REFERENCES product (id),
    state workshop.state NOT NULL DEFAULT 'open'
);
CREATE VIEW workshop.open_job AS SELECT * FROM workshop.job WHERE state = 'open';
INSERT INTO product VALUES (1, 'bell', 10), (2, 'lock', 20), (3, 'saddle', 40);
INSERT INTO workshop.job (product) VALUES (1), (3);
"""
"""The database that the shop has before hop comes."""

CUSTOMER = "CREATE TABLE customer (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);\n"
DOUBLE = "UPDATE product SET price = price * 2;\n"
CHEAP = "ALTER TABLE product\n    ADD CONSTRAINT product_is_cheap CHECK (price < 1000);\n"

Make = Callable[["Shelf", Playground], Playground]


@dataclass(frozen=True)
class ShelvedDatabase:
    """A database of a place; `is_counted` if hop has noted how many rows were written to it."""

    name: str
    comment: str | None
    is_counted: bool

    @classmethod
    def of(cls, place: Playground, name: str) -> ShelvedDatabase:
        """A database of a place, by its name."""
        url = url_beside(place, name)
        ((comment, is_counted),) = place.sql(
            "SELECT shobj_description(oid, 'pg_database'), to_regclass('half_orm_meta.hop_writes') IS NOT NULL "
            "FROM pg_database WHERE datname = current_database()",
            url,
        )
        return cls(name, comment, is_counted)


@dataclass(frozen=True)
class Shelf:
    """What was made so far, on one server."""

    folder: Path
    server_url: str
    made: dict[str, Playground] = field(default_factory=dict)
    databases: dict[str, tuple[ShelvedDatabase, ...]] = field(default_factory=dict)

    def shared(self, make: Make) -> Playground:
        """The place that `make` makes. Whoever uses it leaves it as it is."""
        name = make.__name__
        if name not in self.made:
            folder = self.folder / f"{name}-{secrets.token_hex(2)}"
            folder.mkdir()
            self.made[name] = make(self, Playground(folder, self.new_url()))
        return self.made[name]

    def copy(self, make: Make, to: Playground, *, databases: bool = True) -> Playground:
        """A copy of the place that `make` makes, with its neighbours such as origin, for a test to play with.

        The databases of hop beside the place's own come along, with their marks.
        """
        source = self.shared(make)
        shutil.copytree(source.folder.parent, to.folder, symlinks=True, dirs_exist_ok=True)
        for config in to.folder.glob("**/.git/config"):
            config.write_text(config.read_text().replace(str(source.folder.parent), str(to.folder)))
        if databases:
            self._copy_databases(source, to)
        return replace(to, folder=to.folder / source.folder.name, variables={**source.variables, **to.variables})

    def new_url(self) -> str:
        """The URL of a database that does not exist."""
        name = f"t_{secrets.token_hex(4)}"
        return make_url(self.server_url).set(drivername="postgresql", database=name).render_as_string(False)

    def drop(self) -> None:
        """Drop all databases."""
        with Database(make_url(self.server_url)).administer() as admin:
            for place in self.made.values():
                for name in place.databases():
                    drop_database(admin, name)

    def _copy_databases(self, source: Playground, to: Playground) -> None:
        old, new = database_of(source), database_of(to)
        if source.url not in self.databases:
            self.databases[source.url] = tuple(ShelvedDatabase.of(source, name) for name in sorted(source.databases()))
        shelved = self.databases[source.url]
        statements = []
        for database in shelved:
            copied = database.name.replace(old, new)
            statements.append(f'CREATE DATABASE "{copied}" TEMPLATE "{database.name}"')
            if database.comment:
                statements.append(f"COMMENT ON DATABASE \"{copied}\" IS '{database.comment.replace(old, new)}'")
        maintain(to, *statements)
        for database in shelved:
            if database.is_counted:
                # PostgreSQL does not copy the counters that hop goes by: nothing has been written to the copy yet.
                writes = "UPDATE half_orm_meta.hop_writes SET writes = 0"
                to.sql(writes, url_beside(to, database.name.replace(old, new)))


@pytest.fixture(scope="session")
def shelf(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    made = Shelf(tmp_path_factory.mktemp("shelf"), server_url)
    yield made
    made.drop()


def database_of(place: Playground) -> str:
    """The name of a place's database."""
    return str(make_url(place.url).database)


def url_beside(place: Playground, name: str) -> str:
    """The URL of another database of the same server."""
    return make_url(place.url).set(database=name).render_as_string(hide_password=False)


def maintain(place: Playground, *statements: str) -> None:
    """Run statements about databases as a whole."""
    with closing(psycopg2.connect(url_beside(place, "postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


def shop(shelf: Shelf, play: Playground) -> Playground:
    """A project from a database with a schema and rows."""
    maintain(play, f"CREATE DATABASE {database_of(play)}")
    play.sql(SCHEMA)
    play.hop("new", "shop", "--devel").succeeds()
    return play.inside("shop")


def prepared(shelf: Shelf, play: Playground) -> Playground:
    """0.0.1 is prepared, written and committed, and not applied."""
    place = shelf.copy(shop, play)
    place.hop("prepare", "-l", "patch", "-m", "customers").succeeds()
    place.write("Patches/0/0/1/01_customer.sql", CUSTOMER)
    place.commit("customers")
    return place


def applied(shelf: Shelf, play: Playground) -> Playground:
    """0.0.1 is applied too, and the package that came of it committed."""
    place = shelf.copy(prepared, play)
    place.hop("apply").succeeds()
    place.commit("package")
    return place


def published(shelf: Shelf, play: Playground) -> Playground:
    """Three releases, which a bare origin has too: a table, prices doubled, a rule about prices."""
    place = with_origin(shelf.copy(shop, play)).with_variables(HOP_TESTS="none")
    for name, text in (("01_customer.sql", CUSTOMER), ("01_double.sql", DOUBLE), ("01_cheap.sql", CHEAP)):
        release_here(place, {name: text})
    place.git("push", "--quiet", "--follow-tags", "origin", "hop_main")
    return place


def release_here(place: Playground, files: Mapping[str, str], *, push: bool = False) -> None:
    """A release with some files, by the library: without the start of a process for each step."""
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in place.environment.items():
            patch.setenv(variable, value)
        project = Project.find(place.folder)
        version = prepare_release(project, "patch", "a patch release").version
        for name, text in files.items():
            place.write(f"Patches/{version.folder}/{name}", text)
        apply_release(project)
        place.commit(f"write {version}")
        release_prepared(project, push=push)


def production(shelf: Shelf, play: Playground) -> Playground:
    """A production clone at 0.0.1, with rows; 0.0.2 and 0.0.3 are there to come."""
    place = clone(shelf.copy(published, play, databases=False), "production").production()
    maintain(place, f"CREATE DATABASE {database_of(place)}")
    place.hop("upgrade", "--to", "0.0.1").succeeds()
    place.sql("INSERT INTO product VALUES (7, 'wheel', 70)")
    place.sql("INSERT INTO customer (name) VALUES ('Carla')")
    return place


def with_origin(place: Playground) -> Playground:
    """The place, with a bare origin beside it."""
    origin = str(place.folder.parent / "origin.git")
    place.git("init", "--quiet", "--bare", "--initial-branch=hop_main", origin)
    place.git("remote", "add", "origin", origin)
    place.git("push", "--quiet", "--follow-tags", "-u", "origin", "hop_main")
    return place


def clone(place: Playground, name: str, url: str | None = None) -> Playground:
    """A clone of the origin beside a place."""
    place.git("clone", "--quiet", str(place.folder.parent / "origin.git"), str(place.folder.parent / name))
    return replace(place, folder=place.folder.parent / name, url=url or place.url)
