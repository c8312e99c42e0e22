"""`hop new`: a project from a database that exists, with rows in it; all of it, or nothing at all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import make_url

from hop_tasks.catalog import read_catalog
from hop_tasks.database.clients import find_client, run_client
from hop_tasks.database.engines import Database
from tests.playground import Playground
from tests.workflows.shelf import SCHEMA, Shelf, database_of, maintain, shop

ROWS = "SELECT id, name, price FROM product ORDER BY id"
SHOP_ROWS = [(1, "bell", 10), (2, "lock", 20), (3, "saddle", 40)]
NO_WRITES = "ALTER DATABASE {} SET default_transaction_read_only = on"
REFUSE_REGISTRY = """
CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no new schemas here'; END $$;
CREATE EVENT TRIGGER no_schemas ON ddl_command_start WHEN TAG IN ('CREATE SCHEMA') EXECUTE FUNCTION refuse();
"""


@pytest.fixture
def stocked(play: Playground) -> Playground:
    """A database with a schema and rows, and no project yet."""
    maintain(play, f"CREATE DATABASE {database_of(play)}")
    play.sql(SCHEMA)
    return play


def schemas(place: Playground) -> list[str]:
    rows = place.sql("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'")
    return sorted(row[0] for row in rows)


def imported(place: Playground, expression: str) -> str:
    """What a Python that runs in the project's folder prints for an expression about the package's tables."""
    return place.run(sys.executable, "-c", f"from shop import tables; print({expression})").succeeds().out.strip()


class TestWithVersionTracking:
    @pytest.fixture
    def founded(self, shelf: Shelf) -> Playground:
        return shelf.shared(shop)

    def test_rows_stay_and_the_registry_is_added_at_the_origin(self, founded: Playground) -> None:
        assert founded.sql(ROWS) == SHOP_ROWS
        assert founded.sql("SELECT count(*) FROM workshop.open_job") == [(2,)]
        assert founded.releases() == ["0.0.0"]
        assert schemas(founded) == ["half_orm_meta", "half_orm_meta.view", "public", "workshop"]

    def test_the_history_begins_with_one_commit_tagged_on_hop_main(self, founded: Playground) -> None:
        assert founded.git("branch", "--list", "--format=%(refname:short)") == "hop_main"
        assert founded.git("rev-list", "--count", "HEAD") == "1"
        assert founded.git("cat-file", "-t", "0.0.0") == "tag"
        assert founded.git("rev-parse", "0.0.0^{commit}") == founded.git("rev-parse", "HEAD")
        assert founded.git("status", "--porcelain", "--ignored") == ""
        commit = founded.git("rev-parse", "HEAD")
        assert founded.sql("SELECT commit, author FROM half_orm_meta.hop_release") == [
            (commit, "Ann Author <ann@example.com>")
        ]

    def test_its_schema_loads_into_an_empty_database_and_holds_no_rows(
        self, founded: Playground, other_database: Callable[[], str]
    ) -> None:
        empty = replace(founded, url=other_database())
        maintain(empty, f"CREATE DATABASE {database_of(empty)} TEMPLATE template0 ENCODING 'UTF8'")
        database = Database(make_url(empty.url).set(drivername="postgresql+psycopg2"))
        with database.connect() as connection:
            version = connection.driver.server_version
        file = founded.folder / "Releases/shop-0.0.0.sql"
        arguments = ["-X", "--quiet", "-v", "ON_ERROR_STOP=1", "--single-transaction", f"--file={file}"]
        run_client(find_client("psql", version), arguments, database.url)
        with database.connect() as connection:
            fingerprint = read_catalog(connection).fingerprint
        manifest = json.loads(founded.read("Patches/0/0/0/MANIFEST.json"))
        assert fingerprint == manifest["fingerprint"]
        assert manifest["base"] is None
        assert manifest["version"] == "0.0.0"
        assert schemas(empty) == ["public", "workshop"], "the registry is not part of the schema"
        assert empty.sql("SELECT count(*) FROM product") == [(0,)]

    def test_the_package_imports_and_reads_the_rows(self, founded: Playground) -> None:
        assert imported(founded, "sorted(tables.t_product.columns.keys())") == "['id', 'name', 'price']"
        assert imported(founded, "tables.t_workshop_job.schema") == "workshop"

    def test_a_database_that_does_not_exist_is_created_and_said_so(self, play: Playground) -> None:
        done = play.hop("new", "My Shop", "--devel", "--package", "counter").succeeds()
        assert f"created the empty database {database_of(play)}" in done.out
        assert play.releases() == ["0.0.0"]
        assert (play.folder / "My Shop/counter/__init__.py").exists()


class TestWithoutVersionTracking:
    def test_nothing_is_written_to_the_database_and_there_is_no_repository(self, stocked: Playground) -> None:
        maintain(stocked, NO_WRITES.format(database_of(stocked)))
        stocked.hop("new", "shop").succeeds()
        place = stocked.inside("shop")
        assert schemas(place) == ["public", "workshop"]
        assert place.databases() == {database_of(place)}
        names = {path.name for path in place.folder.iterdir()}
        assert not names & {".git", "Patches", "Releases", ".hop"}
        assert imported(place, "sorted(tables.t_product.columns.keys())") == "['id', 'name', 'price']"

        # What makes sense works, the rest says why not.
        status = place.hop().succeeds()
        assert "without version tracking" in status.out
        assert "hop sync-package" in status.out
        maintain(place, f"ALTER DATABASE {database_of(place)} RESET default_transaction_read_only")
        place.sql("CREATE TABLE tool ()")
        assert "wrote shop/tables/public.py" in place.hop("sync-package").succeeds().out
        assert "in step" in place.hop("sync-package").succeeds().out
        for command in ("prepare -l patch", "apply", "restore 0.0.1"):
            place.hop(*command.split()).fails(6, "--devel", "version tracking")
        place.production().hop("upgrade").fails(6, "--devel", "version tracking")
        assert schemas(place) == ["public", "workshop"]


class TestRefused:
    @pytest.mark.parametrize("flags", [(), ("--devel",)], ids=["plain", "devel"])
    def test_a_database_that_belongs_to_a_project(self, shelf: Shelf, play: Playground, flags: tuple[str, ...]) -> None:
        taken = shelf.shared(shop)
        place = replace(play, url=taken.url)
        place.hop("new", "second", *flags).fails(7, "belongs to a project", "0.0.0")
        assert list(play.folder.iterdir()) == []
        assert taken.releases() == ["0.0.0"]

    def test_a_database_stamped_as_production(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(shop, play)
        place.sql("UPDATE half_orm_meta.database SET production = true")
        for flags in ((), ("--devel",)):
            place.hop("new", "second", *flags).fails(6, database_of(place), "stamped as production")
        assert not (place.folder / "second").exists()

    def test_a_place_that_is_production(self, play: Playground) -> None:
        play.production().hop("new", "shop", "--devel").fails(6, "production")
        assert list(play.folder.iterdir()) == []
        assert play.databases() == set()


class TestPassword:
    def test_the_password_of_the_url_is_neither_stored_nor_shown(self, stocked: Playground) -> None:
        secret = "s3cr3t-w0rd"
        url = make_url(stocked.url).set(password=secret).render_as_string(hide_password=False)
        done = replace(stocked, url="").hop("new", "shop", "--devel", "--url", url).succeeds()
        assert "password" in done.out
        assert "~/.pgpass" in done.out
        assert secret not in done.out + done.err
        place = stocked.inside("shop")
        assert database_of(place) in place.read("pyproject.toml")
        files = [path for path in place.folder.rglob("*") if path.is_file() and ".git/objects" not in str(path)]
        assert len(files) > 5
        assert not [path for path in files if secret.encode() in path.read_bytes()]
        assert secret not in place.git("log", "--patch")
        assert replace(place, url="").hop().succeeds().out.count(f"/{database_of(place)}") == 1


class TestFailure:
    """A step that fails leaves no folder, no database that was not there, and no registry."""

    @pytest.fixture
    def hooks(self, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], dict[str, str]]:
        """Makes variables with which git puts a hook into every new repository."""

        def make(hook: str, text: str) -> dict[str, str]:
            template = tmp_path_factory.mktemp("template")
            path = template / "hooks" / hook
            path.parent.mkdir()
            path.write_text(f"#!/bin/sh\n{text}\n")
            path.chmod(0o755)
            return {"GIT_TEMPLATE_DIR": str(template)}

        return make

    def test_no_name_for_the_commit(self, play: Playground) -> None:
        variables = {f"GIT_{role}_{what}": "" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        place = play.with_variables(
            **variables,
            EMAIL="",
            GIT_CONFIG_COUNT="1",
            GIT_CONFIG_KEY_0="user.useConfigOnly",
            GIT_CONFIG_VALUE_0="true",
        )
        place.hop("new", "shop", "--devel").fails(4, "who you are")
        self.assert_nothing_is_left(play)

    def test_no_pg_dump(self, play: Playground) -> None:
        place = play.with_variables(HOP_CLIENT_PROGRAMS=str(play.folder / "nowhere"))
        place.hop("new", "shop", "--devel").fails(5, "pg_dump")
        self.assert_nothing_is_left(play)

    def test_the_commit_is_refused(self, play: Playground, hooks: Callable[[str, str], dict[str, str]]) -> None:
        place = play.with_variables(**hooks("prepare-commit-msg", "echo 'error: closed on Mondays' >&2; exit 1"))
        place.hop("new", "shop", "--devel").fails(4, "closed on Mondays")
        self.assert_nothing_is_left(play)

    def test_the_tag_is_refused(self, play: Playground, hooks: Callable[[str, str], dict[str, str]]) -> None:
        place = play.with_variables(**hooks("reference-transaction", "! grep -q refs/tags/"))
        place.hop("new", "shop", "--devel").fails(4, "update-ref")
        self.assert_nothing_is_left(play)

    def test_the_registry_cannot_be_made_in_a_database_with_rows(self, stocked: Playground) -> None:
        stocked.sql(REFUSE_REGISTRY)
        stocked.hop("new", "shop", "--devel").fails(5, "no new schemas here")
        assert list(stocked.folder.iterdir()) == []
        assert stocked.databases() == {database_of(stocked)}
        assert schemas(stocked) == ["public", "workshop"]
        assert stocked.sql(ROWS) == SHOP_ROWS

    def assert_nothing_is_left(self, play: Playground) -> None:
        assert list(play.folder.iterdir()) == []
        assert play.databases() == set()


def test_the_folder_is_made_where_one_is(stocked: Playground, tmp_path: Path) -> None:
    """A Git repository around the new folder is not written to."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    before = sorted(path for path in (tmp_path / ".git").rglob("*"))
    stocked.hop("new", "shop", "--devel").succeeds()
    assert stocked.inside("shop").git("rev-parse", "--show-toplevel") == str((tmp_path / "shop").resolve())
    assert sorted(path for path in (tmp_path / ".git").rglob("*")) == before
