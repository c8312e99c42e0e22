"""The real thing: a bare origin, two developers' clones and a production clone, each with a database of its own."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg2
from sqlalchemy import make_url

from hop_tasks import upgrade_database
from hop_tasks.catalog import read_catalog
from hop_tasks.database.engines import Database
from hop_tasks.manifest import Manifest
from hop_tasks.registry import DONE, begun_release
from hop_tasks.versions import Version
from tests.playground import Playground
from tests.properties.effects import START, Content
from tests.workflows.calling import project_of
from tests.workflows.shelf import Shelf, clone, database_of, maintain, release_here, with_origin

DEVELOPERS = ("ann", "bob")
PRODUCTION = "production"

NAMES = """
    SELECT relname::text FROM pg_class LEFT JOIN pg_index ON indexrelid = pg_class.oid
    WHERE relnamespace = 'public'::regnamespace AND relname ~ '^(table|index)_[0-9]+$' AND indisvalid IS NOT FALSE
    UNION ALL SELECT attname::text FROM pg_attribute
    WHERE attrelid = 'counter'::regclass AND attnum > 0 AND NOT attisdropped AND attname ~ '^column_'
    UNION ALL SELECT conname::text FROM pg_constraint WHERE conname ~ '^strict_'
"""
REGISTRY = """
    SELECT concat_ws('.', major, minor, patch), "commit" FROM half_orm_meta.hop_release ORDER BY major, minor, patch
"""
TABLES = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1"


@dataclass(frozen=True)
class Seen:
    """What there is in a database: fingerprint, content, table -> hash of its rows, release -> commit, and how many
    steps are done of a release that is not whole."""

    fingerprint: str
    content: Content
    rows: dict[str, str]
    registry: dict[Version, str]
    begun: int


def origin_and_clones(shelf: Shelf, play: Playground) -> Playground:
    """The first release, at origin and in production; the databases are those of one developer and of production."""
    play = play.with_variables(HOP_GENERATOR="none", HOP_TESTS="none")
    play.hop("new", "shop", "--devel").succeeds()
    ann = with_origin(play.inside("shop"))
    release_here(ann, {"01_start.sql": START})
    ann.git("push", "--quiet", "--follow-tags", "origin", "hop_main")
    url = make_url(ann.url).set(database=f"{database_of(ann)}_{PRODUCTION}").render_as_string(hide_password=False)
    production = clone(ann, PRODUCTION, url).production()
    maintain(production, f"CREATE DATABASE {database_of(production)}")
    with project_of(production) as project:
        upgrade_database(project)
    clone(ann, "bob")
    for place in (ann, production):
        place.sql(
            "DO $$ BEGIN UPDATE half_orm_meta.hop_writes SET writes = 0; EXCEPTION WHEN undefined_table THEN END $$"
        )
    for hook in play.folder.rglob("hooks/*.sample"):
        hook.unlink()
    return ann


@dataclass(frozen=True)
class World:
    """The places, by their names, and the folder that they are in."""

    folder: Path
    prefix: str
    places: dict[str, Playground]

    @classmethod
    def make(cls, shelf: Shelf) -> World:
        """A copy of the beginning."""
        source = shelf.shared(origin_and_clones)
        folder, prefix = Path(tempfile.mkdtemp(prefix="hop-cycle-")), f"t_{secrets.token_hex(4)}"
        shutil.copytree(source.folder.parent, folder, symlinks=True, dirs_exist_ok=True)
        places = {}
        for name in (*DEVELOPERS, PRODUCTION):
            at = folder / ("shop" if name == "ann" else name)
            config = at / ".git/config"
            config.write_text(config.read_text().replace(str(source.folder.parent), str(folder)))
            url = make_url(source.url).set(database=f"{prefix}_{name}").render_as_string(hide_password=False)
            place = replace(source, folder=at, url=url)
            person = {"NAME": name.title(), "EMAIL": f"{name}@example.com"}
            identity = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in person.items()}
            places[name] = (place.production() if name == PRODUCTION else place).with_variables(**identity)
        own = database_of(source)
        maintain(
            source,
            *(f"CREATE DATABASE {prefix}_{name} TEMPLATE {own}" for name in DEVELOPERS),
            f"CREATE DATABASE {prefix}_{PRODUCTION} TEMPLATE {own}_{PRODUCTION}",
        )
        return cls(folder, prefix, places)

    def drop(self) -> None:
        """Remove all of it."""
        place = self.places[PRODUCTION]
        rows = place.sql("SELECT datname FROM pg_database", self._maintenance)
        names = [name for (name,) in rows if name.startswith(self.prefix)]
        maintain(place, *(f'DROP DATABASE "{name}" WITH (FORCE)' for name in names))
        shutil.rmtree(self.folder)

    @property
    def _maintenance(self) -> str:
        return make_url(self.places[PRODUCTION].url).set(database="postgres").render_as_string(hide_password=False)

    def look(self, name: str) -> Seen:
        """What there is in a database."""
        place = self.places[name]
        with Database(make_url(place.url).set(drivername="postgresql+psycopg2")).connect() as connection:
            fingerprint = read_catalog(connection).fingerprint
            half_done = begun_release(connection)
        with closing(psycopg2.connect(place.url)) as connection, connection.cursor() as cursor:

            def ask(query: str) -> list[tuple[str, ...]]:
                cursor.execute(query)
                return cursor.fetchall()

            ((counted,),) = ask("SELECT n::text FROM counter")
            entries = tuple(int(k) for (k,) in ask("SELECT k FROM entry ORDER BY k"))
            content = Content(int(counted), entries, frozenset(found for (found,) in ask(NAMES)))
            hashes = [
                f"SELECT '{table}', md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {table} t"
                for (table,) in ask(TABLES)
            ]
            rows = dict(ask(" UNION ALL ".join(hashes)))
            registry = {Version.parse(version): commit for version, commit in ask(REGISTRY)}
        begun = sum(step.state == DONE for step in half_done.steps) if half_done else 0
        return Seen(fingerprint, content, rows, registry, begun)

    def tags(self, name: str) -> dict[Version, str]:
        """The releases that a place, or origin, has a tag of, with their commits."""
        place = self.places.get(name, self.places[PRODUCTION])
        where = ["--git-dir", str(self.folder / "origin.git")] if name == "origin" else []
        out = place.git(*where, "for-each-ref", "--format=%(refname:strip=2) %(*objectname)", "refs/tags")
        return {Version.parse(tag): commit for tag, commit in (line.split() for line in out.splitlines())}

    def sealed(self, version: Version) -> str | None:
        """The fingerprint that a release was sealed with."""
        text = self.places[PRODUCTION].git("show", f"{version}:Patches/{version.folder}/MANIFEST.json")
        return Manifest.parse(text, str(version)).fingerprint

    def git(self, name: str, *arguments: str) -> bool:
        """Run git at a place; whether it succeeded."""
        return self.places[name].run("git", *arguments).code == 0
