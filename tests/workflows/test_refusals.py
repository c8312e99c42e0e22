"""What is deployed is what was tagged: whatever the work tree holds, and refused where tags and database do not fit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from hop_tasks import plan_upgrade, upgrade_database
from tests.playground import Playground
from tests.workflows.calling import project_of, refused
from tests.workflows.shelf import Shelf, clone, database_of, production, published

ALL = ["0.0.0", "0.0.1", "0.0.2", "0.0.3"]


def state(place: Playground) -> tuple[object, ...]:
    """What an upgrade changes of a database."""
    return place.databases(), place.releases(), place.sql("SELECT price FROM product ORDER BY id")


@pytest.fixture
def place(shelf: Shelf, play: Playground) -> Iterator[Playground]:
    """A clone for production at 0.0.1, with an origin of its own; the database must stay as it is."""
    shared = shelf.shared(production)
    shutil.copytree(shared.folder.parent / "origin.git", play.folder / "origin.git")
    (play.folder / "shop").mkdir()
    cloned = clone(replace(play.inside("shop"), variables=shared.variables), "production", shared.url)
    before = state(cloned)
    yield cloned
    assert state(cloned) == before


def refuses(place: Playground, code: int, *words: str, fetch: bool = False) -> None:
    """Neither an upgrade nor its dry run goes on."""
    with project_of(place) as project:
        for verb in (plan_upgrade, upgrade_database):
            with refused(code, *words, "nothing was changed"):
                verb(project, fetch=fetch)


@contextmanager
def altered(place: Playground, change: str, back: str) -> Iterator[None]:
    """The registry is another one in the body."""
    place.sql(change)
    try:
        yield
    finally:
        place.sql(back)


def retag(place: Playground, tag: str) -> None:
    """Commit what is changed, and move a tag there."""
    place.commit("not what was released")
    place.git("tag", "--force", "-a", "-m", tag, tag)


def test_the_work_tree_makes_no_difference(shelf: Shelf, play: Playground) -> None:
    """A sparse one without Patches, whose line ends Git converts, and in which a person has been at work."""
    place = shelf.copy(production, play)
    manifest = json.loads(place.git("show", "0.0.2:Patches/0/0/2/MANIFEST.json"))
    place.git("update-index", "--refresh")  # it is a copy
    place.git("sparse-checkout", "set", "shop")
    assert not (place.folder / "Patches").exists()
    place.git("config", "core.autocrlf", "true")
    place.write(".git/info/attributes", "* text eol=crlf\n")
    for path in ("pyproject.toml", "shop/tables/public.py"):
        (place.folder / path).unlink()
        place.git("checkout", "--", path)
        assert b"\r\n" in (place.folder / path).read_bytes()
    place.write("Patches/0/0/2/01_double.sql", "UPDATE product SET price = 0;\r\n")
    place.write("Patches/pre/01.sql", "SELECT 1 / 0;\n")
    with project_of(place) as project:
        done = upgrade_database(project)
    assert [str(release.version) for release in done.releases] == ["0.0.2", "0.0.3"]
    assert place.releases() == ALL
    assert place.sql("SELECT price FROM product") == [(140,)]
    assert list(manifest["checksums"]) == ["Patches/0/0/2/01_double.sql"]
    assert place.sql("SELECT tag, tree FROM half_orm_meta.hop_release WHERE patch > 1 ORDER BY patch") == [
        (f"0.0.{patch}", place.git("rev-parse", f"0.0.{patch}:Patches/0/0/{patch}")) for patch in (2, 3)
    ]


class TestMovedTags:
    @pytest.mark.parametrize("tag", ["0.0.0", "0.0.1"])
    def test_of_any_release_that_the_database_has(self, place: Playground, tag: str) -> None:
        applied = place.git("rev-parse", f"{tag}^{{commit}}")[:12]
        place.git("tag", "--force", "-a", "-m", "moved", tag, "0.0.3^{}")
        refuses(place, 11, f"tag {tag}", applied, "moved after it was applied", "git ls-remote origin")

    def test_rows_that_hop_did_not_write_do_not_count(self, place: Playground) -> None:
        place.git("tag", "--force", "-a", "-m", "moved", "0.0.0", "0.0.3^{}")
        author = place.sql("SELECT author FROM half_orm_meta.hop_release WHERE patch = 0")[0][0]
        update = "UPDATE half_orm_meta.hop_release SET author = {} WHERE patch = 0"
        with altered(place, update.format("NULL"), update.format(f"'{author}'")), project_of(place) as project:
            assert len(plan_upgrade(project, fetch=False).releases) == 2

    def test_at_origin(self, place: Playground) -> None:
        mover = clone(place, "mover")
        mover.git("tag", "--force", "-a", "-m", "moved", "0.0.2", "0.0.3^{}")
        mover.git("push", "--quiet", "--force", "origin", "0.0.2")
        refuses(place, 11, "tag 0.0.2 of origin", "moved", fetch=True)

    def test_a_tag_that_is_no_release_may_move(self, place: Playground) -> None:
        place.git("tag", "nightly", "0.0.1")
        mover = clone(place, "mover")
        mover.git("push", "--quiet", "origin", "HEAD:refs/tags/nightly")
        with project_of(place) as project, refused(16):
            place.git("tag", "--delete", "0.0.1", "0.0.2", "0.0.3")
            upgrade_database(project, to="0.0.1", fetch=False)
        with project_of(place) as project:
            assert not upgrade_database(project, to="0.0.1").releases

    def test_the_commits_of_development_do_not_count(self, shelf: Shelf, play: Playground) -> None:
        """A database that was applied to before the release was sealed, and is then declared to be production."""
        developed = shelf.copy(published, play)
        worked_on = developed.git("rev-parse", "0.0.2^")
        developed.sql(f"UPDATE half_orm_meta.hop_release SET \"commit\" = '{worked_on}' WHERE patch = 2")
        with project_of(developed.production()) as project:
            upgrade_database(project, baseline="0.0.3")
            assert not upgrade_database(project).releases

    def test_another_project_is_not_a_moved_tag(self, place: Playground) -> None:
        rows = place.sql('SELECT patch, "commit" FROM half_orm_meta.hop_release')
        back = ";".join(
            f"UPDATE half_orm_meta.hop_release SET \"commit\" = '{commit}' WHERE patch = {patch}"
            for patch, commit in rows
        )
        with altered(place, f"UPDATE half_orm_meta.hop_release SET \"commit\" = '{'f' * 40}'", back):
            refuses(place, 7, "belongs to another project")


class TestTags:
    def test_that_are_not_on_the_main_branch(self, place: Playground) -> None:
        place.git("switch", "--quiet", "-c", "aside")
        place.write("Patches/0/0/4/01.sql", "SELECT 1;\n")
        place.commit("aside")
        place.git("tag", "-a", "-m", "by hand", "0.0.4")
        refuses(place, 12, "0.0.4", "not in the history of hop_main", "git log")

    def test_whose_files_are_not_those_that_were_sealed(self, place: Playground) -> None:
        place.write("Patches/post/99.sql", "SELECT 1;\n")
        retag(place, "0.0.2")
        refuses(place, 13, "0.0.2 is not what was sealed: Patches/post/99.sql", "git log -p 0.0.2")

    def test_whose_manifest_is_another_releases(self, place: Playground) -> None:
        text = place.read("Patches/0/0/2/MANIFEST.json")
        place.write("Patches/0/0/2/MANIFEST.json", text.replace('"version": "0.0.2"', '"version": "0.0.9"'))
        retag(place, "0.0.2")
        refuses(place, 13, "0.0.2 is not what was sealed: the version")

    @pytest.mark.parametrize("path", ["Patches/0/0/2", "Patches/0/0/2/MANIFEST.json", "Patches/0/0/2/01_double.sql"])
    def test_where_something_is_missing(self, place: Playground, path: str) -> None:
        place.git("rm", "--quiet", "-r", path)
        retag(place, "0.0.2")
        refuses(place, 14, "release 0.0.2 is incomplete", path, "git ")

    def test_where_the_schema_is_missing(self, place: Playground, other_database: Callable[[], str]) -> None:
        empty = replace(place, url=other_database())
        place.sql(f"CREATE DATABASE {database_of(empty)}")
        empty.git("rm", "--quiet", "Releases/shop-0.0.2.sql")
        retag(empty, "0.0.2")
        with project_of(empty) as project, refused(14, "Releases/shop-0.0.2.sql", "nothing was changed"):
            upgrade_database(project, schema="0.0.2", to="0.0.2", fetch=False)
        assert empty.sql("SELECT to_regclass('half_orm_meta.hop_release'), to_regclass('product')")[0][1] is None


class TestRegistries:
    def test_at_a_release_that_nobody_knows(self, place: Playground) -> None:
        place.git("tag", "--delete", "0.0.1")
        refuses(place, 15, "at 0.0.1, which this repository does not know", "git fetch --tags origin")

    def test_ahead_of_the_repository(self, place: Playground) -> None:
        place.git("tag", "--delete", "0.0.1", "0.0.2", "0.0.3")
        refuses(place, 16, "at 0.0.1, ahead of this repository", "0.0.0", "git fetch", "newer code")
        # Origin has them: a dry run says that it cannot tell, and an upgrade fetches.
        with project_of(place) as project:
            plan = plan_upgrade(project, to="0.0.1")
            assert [str(version) for version in plan.unfetched] == ["0.0.1", "0.0.2", "0.0.3"]
            assert "still to be fetched" in str(plan.unknown)
            assert not upgrade_database(project, to="0.0.1").releases

    def test_without_a_release_in_between(self, place: Playground) -> None:
        rows = "half_orm_meta.hop_release (major, minor, patch)"
        with altered(
            place, f"INSERT INTO {rows} VALUES (0, 0, 3)", "DELETE FROM half_orm_meta.hop_release WHERE patch = 3"
        ):
            refuses(place, 17, "at 0.0.3 and never had 0.0.2", "skipped", "git show 0.0.2")

    def test_that_would_miss_a_release_whose_tag_is_gone(self, place: Playground) -> None:
        place.git("tag", "--delete", "0.0.2")
        refuses(place, 17, "0.0.3 was made on top of 0.0.2, but comes after 0.0.1", "skipped", "git fetch --tags")
