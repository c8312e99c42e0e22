"""`hop upgrade` and `hop restore`: production forward release by release, and back to a backup."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from sqlalchemy import make_url

from hop_tasks.catalog import read_catalog
from hop_tasks.database.engines import Database
from tests.playground import SCRIPTS, Playground
from tests.workflows.shelf import (
    Shelf,
    applied,
    clone,
    database_of,
    maintain,
    production,
    published,
    url_beside,
)

PRICES = "SELECT price FROM product ORDER BY id"
ALL = ["0.0.0", "0.0.1", "0.0.2", "0.0.3"]


def catalog(place: Playground) -> str:
    with Database(make_url(place.url).set(drivername="postgresql+psycopg2")).connect() as connection:
        return read_catalog(connection).fingerprint


def state(place: Playground) -> tuple[object, ...]:
    """All that a command could change: databases, registry, rows, refs, and every file but git's."""
    files = {
        path: path.read_bytes()
        for path in place.folder.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(place.folder).parts
    }
    rows = place.sql(PRICES), place.releases()
    return place.databases(), catalog(place), rows, place.refs(), files


def backups(place: Playground) -> list[Path]:
    return sorted((place.folder / "Backups").glob("*.dump"))


def load(place: Playground, version: str) -> None:
    """The schema of a release in a new database, and no registry."""
    maintain(place, f"CREATE DATABASE {database_of(place)}")
    text = place.git("show", f"{version}:Releases/shop-{version}.sql")
    place.sql("\n".join(line for line in text.splitlines() if not line.startswith("\\")))


@pytest.fixture
def clone_of_production(shelf: Shelf, play: Playground) -> Playground:
    """A clone for production, with no database yet."""
    place = clone(shelf.copy(published, play, databases=False), "production").production()
    return replace(place, url=play.url)


class TestEmptyDatabase:
    def test_it_gets_the_schema_of_the_origin_and_then_every_release(self, clone_of_production: Playground) -> None:
        place = clone_of_production
        place.hop("upgrade").fails(5, "there is no database", database_of(place))
        maintain(place, f"CREATE DATABASE {database_of(place)}")
        place.hop("upgrade", "--baseline", "0.0.1").fails(7, "is empty")
        place.hop("upgrade", "--to", "0.0.9").fails(7, "there is no release 0.0.9")
        done = place.hop("upgrade").succeeds()
        assert "0.0.0" in done.out
        assert place.releases() == ALL
        assert catalog(place) == json.loads(place.git("show", "0.0.3:Patches/0/0/3/MANIFEST.json"))["fingerprint"]
        assert not (place.folder / "Backups").exists(), "there was nothing to back up"
        assert place.git("status", "--porcelain", "--ignored") == ""
        assert place.sql("SELECT production, production_since IS NOT NULL FROM half_orm_meta.database") == [
            (True, True)
        ]

        # Up to date: a success that changes nothing and makes no backup.
        before = state(place)
        assert "nothing to do" in place.hop("upgrade").succeeds().out
        assert state(place) == before


class TestUpgrade:
    @pytest.mark.every_server
    def test_to_a_release_and_no_further(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(production, play)
        code = place.git("rev-parse", "HEAD")
        maintain(place, f"ALTER DATABASE {database_of(place)} SET statement_timeout TO '77s'")
        before = datetime.now(timezone.utc)
        done = place.hop("upgrade", "--to", "0.0.2").succeeds()
        assert place.releases() == ["0.0.0", "0.0.1", "0.0.2"]
        assert place.sql(PRICES) == [(140,)]
        assert place.git("rev-parse", "HEAD") == code
        assert "the work tree is at 0.0.3" in done.out

        # The backup from before the first missing release, readable by nobody else.
        (dump,) = backups(place)
        assert str(dump) in done.out
        assert (place.folder / "Backups").stat().st_mode & 0o777 == 0o700
        sidecar = dump.with_suffix(".json")
        assert {path.stat().st_mode & 0o777 for path in (dump, sidecar)} == {0o600}
        assert {path for path in dump.parent.iterdir() if path.name != ".gitignore"} == {dump, sidecar}
        note = json.loads(sidecar.read_text())
        assert note["database"] == database_of(place)
        assert note["release"] == "0.0.1"
        assert note["path"] == dump.name
        assert note["size"] == dump.stat().st_size
        assert note["sha256"] == hashlib.sha256(dump.read_bytes()).hexdigest()
        fingerprint = json.loads(place.git("show", "0.0.1:Patches/0/0/1/MANIFEST.json"))["fingerprint"]
        assert note["fingerprint"] == fingerprint
        assert before <= datetime.fromisoformat(note["created"]) <= datetime.now(timezone.utc)
        assert place.git("status", "--porcelain") == "", "backups are not for Git"
        place.hop("upgrade", "--to", "0.0.1").fails(7, "above 0.0.1", "hop restore 0.0.1")

        # Back, with the rows of then and the settings of now; what is replaced stays until dropped on purpose.
        done = place.hop("restore", "0.0.1").succeeds()
        (kept,) = place.databases() - {database_of(place)}
        assert "_replaced_" in kept
        assert kept in done.out
        assert place.releases(url_beside(place, kept)) == ["0.0.0", "0.0.1", "0.0.2"]
        assert place.sql(PRICES, url_beside(place, kept)) == [(140,)]
        assert place.releases() == ["0.0.0", "0.0.1"]
        assert place.sql(PRICES) == [(70,)]
        assert place.sql("SELECT name FROM customer") == [("Carla",)]
        assert place.sql("SHOW statement_timeout") == [("77s",)]
        assert place.sql("SELECT production FROM half_orm_meta.database") == [(True,)]
        assert kept in place.hop().succeeds().out

        # And forward again, with the identity column going on where it was.
        place.hop("upgrade").succeeds()
        assert place.releases() == ALL
        assert place.sql("INSERT INTO customer (name) VALUES ('Dora') RETURNING id") == [(2,)]

    def test_a_release_that_fails_is_rolled_back_and_those_before_it_stay(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(production, play)
        place.sql("UPDATE product SET price = 800")
        code = place.git("rev-parse", "HEAD")
        found = place.hop("upgrade").fails(1, "Patches/0/0/3/01_cheap.sql:1:1", "product_is_cheap", "rolled back")
        assert "ALTER TABLE product" in found.err, "the line is shown"
        assert place.releases() == ["0.0.0", "0.0.1", "0.0.2"]
        assert place.sql(PRICES) == [(1600,)]
        assert place.git("rev-parse", "HEAD") == code
        assert [json.loads(path.with_suffix(".json").read_text())["release"] for path in backups(place)] == ["0.0.1"]

        place.sql("UPDATE product SET price = 900")
        place.hop("upgrade").succeeds()
        assert place.releases() == ALL
        assert place.sql(PRICES) == [(900,)], "what had been done was not done again"
        assert len(backups(place)) == 2

    def test_a_dry_run_changes_nothing(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(production, play)
        # Origin has a release that is not here yet.
        place.git("tag", "--delete", "0.0.3")
        before = state(place)
        done = place.hop("upgrade", "--dry-run").succeeds()
        assert "Patches/0/0/2/01_double.sql" in done.out
        assert "origin also has 0.0.3" in done.out
        assert state(place) == before
        empty = replace(place, url=url_beside(place, f"{database_of(place)}_e"))
        maintain(place, f"CREATE DATABASE {database_of(empty)}")
        assert "0.0.0 would be loaded" in empty.hop("upgrade", "--dry-run").succeeds().out
        assert empty.sql("SELECT to_regnamespace('half_orm_meta')") == [(None,)]

    def test_patches_come_from_the_tag_whatever_the_work_tree_holds(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(production, play)
        place.git("config", "core.autocrlf", "true")
        place.git("switch", "--quiet", "--detach")
        path = "Patches/0/0/2/01_double.sql"
        place.write(path, b"UPDATE product SET price = 0;\r\n")
        place.write("Patches/0/0/2/02_more.sql", "SELECT 1 / 0;\r\n")
        place.write("Patches/pre/01.sql", "SELECT 1 / 0;\n")
        (place.folder / "Patches/0/0/3/MANIFEST.json").unlink()
        before = place.refs(), place.git("status", "--porcelain")
        place.hop("upgrade").succeeds()
        assert place.releases() == ALL
        assert place.sql(PRICES) == [(140,)]
        assert (place.refs(), place.git("status", "--porcelain")) == before
        assert (place.folder / path).read_bytes() == b"UPDATE product SET price = 0;\r\n"

    def test_two_at_once_run_every_release_once(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(production, play)
        processes = [place.start(str(SCRIPTS / "hop"), "upgrade") for _ in range(2)]
        ended = [(process, *process.communicate(timeout=120)) for process in processes]
        codes = sorted(process.returncode for process, _, _ in ended)
        assert codes in ([0, 0], [0, 8]), ended
        for process, _, err in ended:
            if process.returncode == 8:
                assert "another hop is at work" in err
        assert place.sql(PRICES) == [(140,)]
        assert place.releases() == ALL
        assert place.hop("upgrade").succeeds()

    def test_a_database_name_with_odd_characters(self, clone_of_production: Playground) -> None:
        name = f'{database_of(clone_of_production)} O\'x "y" %s {{0}} é'
        quoted = name.replace('"', '""')
        place = replace(clone_of_production, url=url_beside(clone_of_production, name))
        maintain(place, f'CREATE DATABASE "{quoted}"')
        try:
            place.hop("upgrade", "--to", "0.0.1").succeeds()
            place.hop("upgrade").succeeds()
            place.hop("restore", "0.0.1").succeeds()
            assert place.releases() == ["0.0.0", "0.0.1"]
        finally:
            for made in place.databases():
                maintain(place, 'DROP DATABASE "{}"'.format(made.replace('"', '""')))


class TestReleasesThatMustNotBeTrusted:
    def test_a_tag_that_was_moved_at_origin(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(production, play)
        mover = clone(place, "mover")
        mover.git("tag", "--force", "-a", "-m", "moved", "0.0.2", "0.0.3^{}")
        mover.git("push", "--quiet", "--force", "origin", "0.0.2")
        before = state(place)
        place.hop("upgrade").fails(11, "0.0.2", "moved")
        assert state(place) == before

    def test_patch_files_that_do_not_fit_their_manifest(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(production, play)
        place.write("Patches/0/0/2/01_double.sql", "DELETE FROM product;\n")
        place.write("Patches/0/0/2/02_more.sql", "SELECT 1;\n")
        place.commit("not what was released")
        place.git("tag", "--force", "-a", "-m", "0.0.2", "0.0.2")
        before = state(place)
        found = place.hop("upgrade", "--no-fetch").fails(13, "0.0.2", "not what was sealed")
        assert "Patches/0/0/2/01_double.sql, Patches/0/0/2/02_more.sql" in found.err
        assert state(place) == before

    def test_a_database_ahead_of_the_repository(self, shelf: Shelf) -> None:
        place = shelf.shared(production)
        place.sql("INSERT INTO half_orm_meta.hop_release (major, minor, patch) VALUES (7, 0, 0)")
        try:
            place.hop("upgrade").fails(16, "at 7.0.0", "ahead of this repository", "git fetch")
        finally:
            place.sql("DELETE FROM half_orm_meta.hop_release WHERE major = 7")


class TestBaseline:
    def test_a_database_of_equal_schema_is_declared_and_upgraded(self, clone_of_production: Playground) -> None:
        place = clone_of_production
        load(place, "0.0.1")
        place.sql("INSERT INTO product VALUES (1, 'bell', 10)")
        place.hop("upgrade").fails(7, "has tables but no registry", "--baseline")
        # What lies in the database besides its schema does not matter; nor do local names of the place.
        place.sql("ANALYZE")
        done = place.hop("upgrade", "--baseline", "0.0.1").succeeds()
        assert place.releases() == ["0.0.1", "0.0.2", "0.0.3"]
        assert place.sql(PRICES) == [(20,)]
        assert place.sql("SELECT production FROM half_orm_meta.database") == [(True,)]
        assert len(backups(place)) == 1
        assert "from 0.0.1 to 0.0.3" in done.out
        assert "nothing to do" in place.hop("upgrade", "--baseline", "0.0.1").succeeds().out
        place.hop("upgrade", "--baseline", "0.0.2").fails(7, "has a registry", "0.0.3")

    def test_a_database_of_another_schema_is_refused_with_the_names(self, clone_of_production: Playground) -> None:
        place = clone_of_production
        load(place, "0.0.1")
        place.sql("ALTER TABLE customer ADD COLUMN fax text")
        place.sql("DROP VIEW workshop.open_job")
        before = catalog(place), place.databases()
        found = place.hop("upgrade", "--baseline", "0.0.1").fails(7, "is not at 0.0.1", "customer", "workshop.open_job")
        assert "fax" in found.err
        assert (catalog(place), place.databases()) == before
        assert place.sql("SELECT to_regnamespace('half_orm_meta')") == [(None,)]
        unknown = place.hop("upgrade", "--baseline", "0.0.9").fails(7, "0.0.9")
        assert "is at 0.0.9" not in unknown.err, "nobody knows at which release it is"
        assert not backups(place)


class TestMode:
    """A production database cannot be reset by a wrong URL on a laptop, nor a laptop's taken for production."""

    def test_a_development_database_is_not_upgraded_or_restored(self, shelf: Shelf) -> None:
        place = shelf.shared(applied)
        before = state(place)
        for command in (("upgrade",), ("upgrade", "--dry-run"), ("restore", "0.0.0")):
            place.production().hop(*command).fails(6, database_of(place), "not stamped as production")
        assert state(place) == before

    def test_a_production_database_is_not_touched_from_development(self, shelf: Shelf) -> None:
        stamped = shelf.shared(production)
        laptop = replace(shelf.shared(applied), url=stamped.url)
        before = state(stamped), laptop.refs()
        for command in (("apply",), ("undo",), ("release",), ("restore", "0.0.0")):
            laptop.hop(*command).fails(6, database_of(stamped), "stamped as production")
        laptop.hop("upgrade").fails(6, "this place is development")
        assert (state(stamped), laptop.refs()) == before


def backed_up(shelf: Shelf, play: Playground) -> Playground:
    """Production at 0.0.3, with a backup of 0.0.1."""
    place = shelf.copy(production, play)
    place.hop("upgrade").succeeds()
    return place


class TestRestoreFromABackup:
    @pytest.fixture
    def place(self, shelf: Shelf) -> Iterator[Playground]:
        """Production with a backup; the test leaves it so."""
        shared = shelf.shared(backed_up)
        before = state(shared)
        yield shared
        assert state(shared) == before

    def test_a_version_without_a_backup_is_refused_and_those_that_are_there_named(self, place: Playground) -> None:
        place.hop("restore", "0.0.2").fails(10, "no backup", "0.0.2", "there are backups of 0.0.1")

    def test_open_sessions_are_refused_and_named(self, place: Playground) -> None:
        with closing(psycopg2.connect(place.url, application_name="the till")) as session, session.cursor() as cursor:
            place.hop("restore", "0.0.1").fails(7, "the till", "--force")
            cursor.execute("SELECT 1")

    @pytest.mark.parametrize("damage", ["cut", "flip a bit", "sidecar of another"])
    def test_damaged_backups_are_refused_before_anything_is_touched(self, place: Playground, damage: str) -> None:
        (dump,) = backups(place)
        sidecar = dump.with_suffix(".json")
        content, note = dump.read_bytes(), sidecar.read_text()
        try:
            if damage == "cut":
                dump.write_bytes(content[:-1])
            elif damage == "flip a bit":
                dump.write_bytes(content[:999] + bytes([content[999] ^ 1]) + content[1000:])
            else:
                sidecar.write_text(note.replace('"0.0.1"', '"0.0.2"'))
            version = "0.0.2" if damage == "sidecar of another" else "0.0.1"
            found = place.hop("restore", version).fails(10, dump.name)
            assert "damaged" in found.err or "does not hold" in found.err
        finally:
            dump.write_bytes(content)
            sidecar.write_text(note)

    def test_a_dump_without_its_sidecar_is_not_a_backup(self, place: Playground) -> None:
        (dump,) = backups(place)
        sidecar = dump.with_suffix(".json")
        sidecar.rename(dump.with_suffix(".hidden"))
        try:
            place.hop("restore", "0.0.1").fails(10, "no backup")
        finally:
            dump.with_suffix(".hidden").rename(sidecar)

    def test_force_ends_the_sessions(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(production, play)
        place.hop("upgrade").succeeds()
        with closing(psycopg2.connect(place.url, application_name="the till")):
            done = place.hop("restore", "0.0.1", "--force").succeeds()
        assert "the till" in done.err
        assert place.releases() == ["0.0.0", "0.0.1"]

        # Dropped by mistake, it comes back all the same.
        maintain(place, f"DROP DATABASE {database_of(place)}")
        place.hop("restore", "0.0.1").succeeds()
        assert place.releases() == ["0.0.0", "0.0.1"]
        assert place.sql("SELECT name FROM customer") == [("Carla",)]


@pytest.mark.every_server
class TestOrdinaryRole:
    """The owner of the database, who may create databases, and is nobody's superuser."""

    @pytest.fixture
    def owner(self, server_url: str) -> Iterator[str]:
        server: dict[str, Any] = {"dsn": server_url.replace("+psycopg2", "")}
        name = f"owner_{secrets.token_hex(3)}"
        self.run(server, f"CREATE ROLE {name} LOGIN CREATEDB")
        yield name
        self.run(server, f"DROP ROLE {name}")

    def run(self, server: dict[str, Any], statement: str) -> None:
        with closing(psycopg2.connect(**server)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)

    def test_the_sessions_of_others_are_seen_before_a_restore(
        self, owner: str, clone_of_production: Playground
    ) -> None:
        till = clone_of_production
        maintain(till, f"CREATE DATABASE {database_of(till)} OWNER {owner}")
        url = make_url(till.url).set(username=owner).render_as_string(hide_password=False)
        place = replace(till, url=url)
        place.hop("upgrade", "--to", "0.0.2").succeeds()
        place.hop("upgrade").succeeds()
        with closing(psycopg2.connect(till.url, application_name="the till")) as session:
            place.hop("restore", "0.0.2").fails(7, str(session.get_backend_pid()), "--force")
        place.hop("restore", "0.0.2").succeeds()
        assert place.releases() == ["0.0.0", "0.0.1", "0.0.2"]


class TestRestoreInDevelopment:
    def test_from_a_snapshot_and_from_one_made_on_demand(
        self, shelf: Shelf, play: Playground, other_database: Callable[[], str]
    ) -> None:
        place = shelf.copy(published, play)
        name = database_of(place)
        assert f"{name}_hop_0.0.1" in place.databases()
        place.sql("INSERT INTO product VALUES (9, 'pump', 9)")
        there = place.databases()
        done = place.hop("restore", "0.0.1").succeeds()
        assert f"snapshot {name}_hop_0.0.1" in done.out
        assert place.releases() == ["0.0.0", "0.0.1"]
        assert place.sql(PRICES) == [(10,), (20,), (40,)]
        (kept,) = place.databases() - there
        assert kept in done.out
        assert place.sql("SELECT name FROM product WHERE id = 9", url_beside(place, kept)) == [("pump",)]

        # There is no snapshot of 0.0.3: it is made of a lower one and the released files.
        assert f"{name}_hop_0.0.3" not in place.databases()
        place.hop("restore", "0.0.3").succeeds()
        assert place.releases() == ALL
        assert place.sql(PRICES) == [(20,), (40,), (80,)]
        place.hop("restore", "0.0.9").fails(7, "there is no release 0.0.9")

        # A colleague with no database at all has it built from the schema.
        other = replace(place, url=other_database())
        other.hop("restore", "0.0.2").succeeds()
        assert other.releases() == ["0.0.0", "0.0.1", "0.0.2"]
