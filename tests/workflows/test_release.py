"""`hop release`: refused for whatever is not as it will be for others, and sealed, tagged and published otherwise."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version

import pytest
from sqlalchemy import make_url

from hop_tasks.catalog import dump_schema, read_catalog
from hop_tasks.database.engines import Database
from tests.playground import Playground
from tests.workflows.shelf import CUSTOMER, Shelf, applied, clone, database_of, prepared, url_beside, with_origin

PACKAGE = "shop/tables/public.py"


def state(place: Playground) -> tuple[object, ...]:
    return place.refs(), place.databases(), place.releases(), place.git("status", "--porcelain")


class TestRefused:
    """Tags, branches, tree and databases are then as before."""

    @pytest.fixture
    def place(self, shelf: Shelf) -> Iterator[Playground]:
        """0.0.1, applied and committed; the test leaves it so."""
        shared = shelf.shared(applied)
        before, commit = state(shared), shared.git("rev-parse", "HEAD")
        yield shared
        shared.git("reset", "--quiet", "--hard", commit)
        assert state(shared) == before

    def refused(self, place: Playground, code: int, *words: str) -> None:
        before = state(place)
        place.hop("release").fails(code, *words)
        assert state(place) == before

    def test_not_applied(self, shelf: Shelf) -> None:
        self.refused(shelf.shared(prepared), 7, "0.0.1 is not applied", "at 0.0.0", "hop apply")

    def test_a_patch_file_changed_since_apply(self, place: Playground) -> None:
        place.write("Patches/0/0/1/01_customer.sql", CUSTOMER + "-- changed\n")
        place.commit()
        self.refused(place, 7, "not those that were applied last", "hop apply")

    def test_a_patch_file_that_came_since_apply(self, place: Playground) -> None:
        place.write("Patches/post/01.sql", "SELECT 1;\n")
        place.commit()
        self.refused(place, 7, "not those that were applied last", "hop apply")

    def test_package_out_of_step(self, place: Playground) -> None:
        place.git("checkout", "--quiet", "0.0.0", "--", "shop")
        place.commit()
        self.refused(place, 7, "not in step", PACKAGE, "hop apply")

    def test_package_changed_by_hand(self, place: Playground) -> None:
        place.write(PACKAGE, place.read(PACKAGE) + "t_more = None\n")
        place.commit()
        self.refused(place, 3, PACKAGE, "changed since hop wrote it", "nothing was written")

    @pytest.mark.parametrize(
        ("change", "back", "name"),
        [
            ("ALTER TABLE customer ADD typed text", "ALTER TABLE customer DROP typed", "customer"),
            ("CREATE FUNCTION typed() RETURNS int LANGUAGE sql AS 'SELECT 1'", "DROP FUNCTION typed()", "typed()"),
        ],
        ids=["column", "function"],
    )
    def test_ddl_by_hand(self, place: Playground, change: str, back: str, name: str) -> None:
        place.sql(change)
        try:
            self.refused(place, 7, name, "patch file")
        finally:
            place.sql(back)

    def test_tests_that_change_the_tree(self, place: Playground) -> None:
        litter = place.folder / "litter.txt"
        place.with_variables(HOP_TESTS="touch litter.txt").hop("release").fails(4, "litter.txt", "after the tests")
        litter.unlink()

    def test_a_test_command_that_does_not_exist(self, place: Playground) -> None:
        place.with_variables(HOP_TESTS="no-such-program --fast").hop("release").fails(9, "no-such-program")

    def test_a_production_place(self, place: Playground) -> None:
        place.production().hop("release").fails(6, "production")


class TestReleased:
    @staticmethod
    def released(shelf: Shelf, play: Playground) -> Playground:
        """0.0.1 with a pre file and a helper, released with tests of the project's own."""
        place = shelf.copy(prepared, play)
        place.write("Patches/pre/00.sql", "SELECT 1;\n")
        place.write("Patches/0/0/1/_helper.py", "NAME = 'customer'\n")
        place.write("tests/test_shop.py", "def test_shop():\n    pass\n")
        place.hop("apply").succeeds()
        place.commit("more")
        done = place.hop("release").succeeds()
        assert "1 passed" in done.out
        return place

    @pytest.fixture
    def place(self, shelf: Shelf) -> Playground:
        return shelf.shared(self.released)

    def test_the_manifest_is_sealed_with_what_exactly_was_released(self, place: Playground) -> None:
        manifest = json.loads(place.git("show", "0.0.1:Patches/0/0/1/MANIFEST.json"))
        with Database(make_url(place.url).set(drivername="postgresql+psycopg2")).connect() as connection:
            fingerprint = read_catalog(connection).fingerprint
        files = ("Patches/0/0/1/01_customer.sql", "Patches/pre/00.sql")
        assert manifest == {
            "version": "0.0.1",
            "level": "patch",
            "message": "customers",
            "base": "0.0.0",
            "hop_version": version("hop-tasks"),
            "fingerprint": fingerprint,
            "checksums": {path: f"sha256:{hashlib.sha256(place.read(path).encode()).hexdigest()}" for path in files},
        }

    def test_the_tag_is_annotated_and_on_the_main_branch_in_linear_history(self, place: Playground) -> None:
        assert place.git("cat-file", "-t", "0.0.1") == "tag"
        assert place.git("tag", "--list", "--format=%(contents:subject)", "0.0.1") == "Release 0.0.1: customers"
        assert place.git("tag", "--list", "--format=%(taggername)", "0.0.1") == "Ann Author"
        assert place.git("rev-parse", "0.0.1^{commit}") == place.git("rev-parse", "hop_main")
        assert place.git("rev-list", "--merges", "--count", "hop_main") == "0"
        assert place.git("merge-base", "0.0.0", "hop_main") == place.git("rev-parse", "0.0.0^{commit}")

    def test_the_main_branch_is_checked_out_clean_and_the_release_branch_gone(self, place: Playground) -> None:
        assert place.git("branch", "--format=%(refname:short)") == "hop_main"
        assert place.git("branch", "--show-current") == "hop_main"
        assert place.git("status", "--porcelain") == ""
        assert place.databases() == {database_of(place), f"{database_of(place)}_hop_0.0.0"}

    def test_the_registry_knows_the_released_commit(self, place: Playground) -> None:
        row = place.sql('SELECT "commit", author, changelog FROM half_orm_meta.hop_release WHERE patch = 1')
        assert row == [(place.git("rev-parse", "0.0.1^{commit}"), "Ann Author <ann@example.com>", "customers")]

    def test_the_schema_is_the_same_when_made_from_a_rebuilt_database(
        self, place: Playground, other_database: Callable[[], str]
    ) -> None:
        """A colleague who has only the repository gets, byte for byte, the schema that was released."""
        other = replace(place, url=other_database())
        other.hop("restore", "0.0.1").succeeds()
        database = Database(make_url(other.url).set(drivername="postgresql+psycopg2"))
        with database.administer() as admin:
            server_version = admin.driver.server_version
        assert dump_schema(database, server_version) == place.read("Releases/shop-0.0.1.sql")


class TestTests:
    def test_no_tables_no_patch_files_and_no_tests(self, play: Playground) -> None:
        play.hop("new", "shop", "--devel").succeeds()
        place = play.inside("shop")
        place.hop("prepare", "-l", "major").succeeds()
        place.hop("apply").succeeds()
        if place.git("status", "--porcelain"):
            place.commit("package")
        assert "no tests were found" in place.hop("release").succeeds().out
        assert place.git("tag").split() == ["0.0.0", "1.0.0"]

    def test_a_command_of_the_project_gets_the_scratch_copy(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(applied, play)
        text = place.read("pyproject.toml")
        command = ["sh", "-c", 'echo "$HOP_DATABASE_URL $DATABASE_URL" > ../seen; echo "all is well"']
        place.write("pyproject.toml", f"{text}tests = {json.dumps(command)}\n")
        place.write("tests/test_shop.py", "def test_shop():\n    assert False\n")
        place.commit("tests of our own")
        done = place.hop("release").succeeds()
        assert "all is well" in done.out
        first, second = (play.folder / "seen").read_text().split()
        assert first == second
        name = str(make_url(first).database)
        assert name.startswith(f"{database_of(place)}_work_")
        assert name not in place.databases(), "it is dropped at the end"

    def test_none(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(applied, play)
        place.write("tests/test_shop.py", "def test_shop():\n    assert False\n")
        place.commit("a test that fails")
        assert "no tests were run" in place.with_variables(HOP_TESTS="none").hop("release").succeeds().out


class TestOrigin:
    def test_a_lower_release_published_meanwhile(self, shelf: Shelf, play: Playground) -> None:
        """The branch is rebased; both wrote the generated module of the package, which is no conflict."""
        ann = with_origin(shelf.copy(applied, play)).with_variables(HOP_TESTS="none")
        ann.git("push", "--quiet", "origin", "hop_0.0.1")
        bob = clone(ann, "bob", url_beside(ann, f"{database_of(ann)}_bob"))
        ann.git("branch", "-D", "--quiet", "-r", "origin/hop_0.0.1")
        ann.hop("prepare", "-l", "minor").succeeds()
        ann.git("branch", "-D", "--quiet", "hop_0.0.1")
        ann.write("Patches/0/1/0/01_client.sql", CUSTOMER.replace("customer", "client"))
        ann.hop("apply").succeeds()
        ann.commit("clients")
        bob.git("switch", "--quiet", "hop_0.0.1")
        bob.hop("apply").succeeds()
        bob.hop("release", "--push").succeeds()

        branch = ann.git("rev-parse", "HEAD")
        ann.hop("release", "--push").fails(7, "hop apply")
        assert ann.git("rev-parse", "HEAD") == branch
        assert ann.git("status", "--porcelain") == ""
        ann.hop("apply").succeeds()
        ann.commit("package in step")
        ann.hop("release", "--push").succeeds()
        assert ann.git("ls-remote", "--tags", "--refs", "origin").split()[1::2] == [
            f"refs/tags/{tag}" for tag in ("0.0.0", "0.0.1", "0.1.0")
        ]
        assert json.loads(ann.git("show", "0.1.0:Patches/0/1/0/MANIFEST.json"))["base"] == "0.0.1"
        assert ann.git("rev-list", "--merges", "--count", "hop_main") == "0"
        package = ann.git("show", f"0.1.0:{PACKAGE}")
        assert "t_customer = " in package
        assert "t_client = " in package

    def test_commits_of_a_colleague_on_the_pushed_branch_are_not_lost(self, shelf: Shelf, play: Playground) -> None:
        ann = with_origin(shelf.copy(applied, play)).with_variables(HOP_TESTS="none")
        ann.git("push", "--quiet", "origin", "hop_0.0.1")
        bob = clone(ann, "bob")
        bob.git("switch", "--quiet", "hop_0.0.1")
        bob.write("notes.txt", "by Bob\n")
        bob.commit("Bob's work")
        bob.git("push", "--quiet", "origin", "hop_0.0.1")
        bobs = bob.git("rev-parse", "HEAD")
        main = ann.git("ls-remote", "origin", "hop_main")

        ann.hop("release", "--push").fails(4, "hop_0.0.1", "commits that are not here")
        assert ann.git("ls-remote", "origin", "hop_0.0.1").split()[0] == bobs
        assert ann.git("ls-remote", "origin", "hop_main") == main
        assert ann.git("tag").split() == ["0.0.0"]
        ann.git("pull", "--quiet", "--rebase", "origin", "hop_0.0.1")
        ann.hop("release", "--push").succeeds()
        assert ann.git("show", "0.0.1:notes.txt") == "by Bob"
        assert ann.git("ls-remote", "--heads", "origin", "hop_0.0.1") == ""

    def test_a_release_that_was_not_pushed_goes_along_with_a_later_one(self, shelf: Shelf, play: Playground) -> None:
        place = with_origin(shelf.copy(applied, play)).with_variables(HOP_TESTS="none")
        url = place.git("remote", "get-url", "origin")
        place.git("remote", "set-url", "origin", "/nowhere.git")
        place.hop("release", "--no-fetch").succeeds()
        place.git("remote", "set-url", "origin", url)
        assert place.git("ls-remote", "--tags", "--refs", "origin").split()[1::2] == ["refs/tags/0.0.0"]
        place.release("patch", {"01.sql": "CREATE TABLE tool (id integer);\n"}, "--push")
        assert place.git("ls-remote", "--tags", "--refs", "origin").split()[1::2] == [
            f"refs/tags/{tag}" for tag in ("0.0.0", "0.0.1", "0.0.2")
        ]
        assert place.git("ls-remote", "origin", "hop_main").split()[0] == place.git("rev-parse", "hop_main")
        assert place.git("ls-remote", "origin", "refs/tags/0.0.1^{}").split()[0] == place.git("rev-parse", "0.0.1^{}")
