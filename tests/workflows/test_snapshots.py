"""`hop snapshots`: what there is beside a development database, and which of it nobody needs."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

from hop_tasks import list_snapshots
from tests.playground import Playground
from tests.workflows.calling import project_of
from tests.workflows.shelf import Shelf, applied, database_of, maintain, published, shop, url_beside
from tests.workflows.sparing import BLOCKED, await_, making, settled, sparing, stopped_at


def preparing(shelf: Shelf, play: Playground) -> Playground:
    """0.0.4 is prepared, on top of three releases whose bases have snapshots."""
    place = shelf.copy(published, play)
    place.hop("prepare", "-l", "patch").succeeds()
    place.write("Patches/0/0/4/01_tool.sql", "CREATE TABLE tool (id integer);\n")
    return place


def snapshots(place: Playground) -> list[str]:
    """The releases that there is a snapshot of."""
    return sorted(name.rpartition("_hop_")[2] for name in place.databases() if "_hop_" in name)


class TestList:
    def test_each_database_with_what_it_is_its_size_and_age_and_the_free_space(
        self, shelf: Shelf, play: Playground
    ) -> None:
        place = sparing(shelf.copy(applied, play))
        place.sql("INSERT INTO customer (name) VALUES ('typed in')")
        place.hop("apply").succeeds()
        settled(place)
        own = database_of(place)
        lines = place.hop("snapshots").succeeds().out.splitlines()
        for name, what in (
            (f"{own}_before_apply", "kept: was at 0.0.1 before apply or undo replaced it"),
            (f"{own}_hop_0.0.0", "snapshot of 0.0.0"),
            (f"{own}_spare_", "spare of 0.0.0, for the next apply"),
        ):
            (line,) = [line for line in lines if line.startswith(name)]
            assert line.endswith(what)
            assert " MB " in line
        assert lines[-1].endswith("are free on the server's disk")
        with project_of(place) as project:
            assert {entry.needed for entry in list_snapshots(project).databases if entry.kind == "snapshot"} == {True}

    def test_nothing_and_no_server(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(shop, play)
        assert f"there is nothing beside {database_of(place)}" in place.hop("snapshots").succeeds().out
        nowhere = place.with_variables(HOP_DATABASE_URL="postgresql://nobody@127.0.0.1:1/shop")
        nowhere.hop("snapshots").fails(5, "127.0.0.1")


class TestPrune:
    def test_what_no_release_needs_goes_and_nothing_else(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(preparing, play)
        place.hop("apply").succeeds()
        assert snapshots(place) == ["0.0.0", "0.0.1", "0.0.2", "0.0.3"]
        # A branch that was begun on top of an earlier release starts from there.
        place.git("branch", "hop_0.1.0", "0.0.1")
        place.sql("INSERT INTO customer (name) VALUES ('typed in')")
        place.hop("apply").succeeds()
        kept = f"{database_of(place)}_before_apply"
        assert "0.0.0, not needed" in place.hop("snapshots").succeeds().out.replace("snapshot of ", "")
        there = place.databases()
        place.hop("--dry", "snapshots", "--prune").succeeds()
        assert place.databases() == there
        done = place.hop("snapshots", "--prune").succeeds()
        assert f"dropped {database_of(place)}_hop_0.0.0, {database_of(place)}_hop_0.0.2" in done.out
        assert snapshots(place) == ["0.0.1", "0.0.3"]
        assert kept in place.databases()
        assert "nothing to drop" in place.hop("snapshots", "--prune").succeeds().out
        place.hop("apply").succeeds()

    @pytest.mark.parametrize(("keep", "left"), [("0", ["0.0.0", "0.0.1", "0.0.2"]), ("1", ["0.0.2"])])
    def test_a_new_snapshot_makes_older_ones_go(
        self, keep: str, left: list[str], shelf: Shelf, play: Playground
    ) -> None:
        place = sparing(shelf.copy(preparing, play)).with_variables(HOP_SNAPSHOTS_KEEP=keep)
        done = place.hop("apply").succeeds()
        settled(place)
        assert snapshots(place) == [*left, "0.0.3"]
        assert (f"{database_of(place)}_hop_0.0.0 is dropped" in done.out) == (keep == "1")

    def test_one_that_a_spare_is_being_copied_from_goes_too(self, shelf: Shelf, play: Playground) -> None:
        place = sparing(shelf.copy(applied, play)).with_variables(HOP_TESTS="none")
        snapshot = f"{database_of(place)}_hop_0.0.0"
        with (
            stopped_at(place, "spare.before_create", "apply") as maker,
            closing(psycopg2.connect(url_beside(place, snapshot))),
        ):
            maker.go()
            await_(lambda: place.sql(BLOCKED, url_beside(place, "postgres")))
            place.git("switch", "--quiet", "hop_main")
            place.git("branch", "--quiet", "-D", "hop_0.0.1")
            place.git("tag", "-a", "-m", "x", "0.0.1")
            assert making(place)
            assert snapshot in place.hop("snapshots", "--prune").succeeds().out
        assert place.databases() == {database_of(place)}


def test_a_database_that_hop_keeps_is_no_projects_own(shelf: Shelf, play: Playground) -> None:
    place = shelf.copy(applied, play)
    snapshot = f"{database_of(place)}_hop_0.0.0"
    there = place.with_variables(HOP_DATABASE_URL=url_beside(place, snapshot))
    for command in ("apply", "undo", "release", "restore 0.0.0", "sync-package", "snapshots", "backups --prune"):
        there.hop(*command.split()).fails(5, f"{snapshot} is not {database_of(place)}", "nothing was changed")
    assert place.databases() == {database_of(place), snapshot}
    there.inside("..").hop("new", "other", "--devel").fails(5, snapshot)
    # Whoever wants to have it as an ordinary database is told how.
    maintain(place, f'COMMENT ON DATABASE "{snapshot}" IS NULL')
    there.hop("sync-package").succeeds()


def test_in_production_nothing_is_pruned(shelf: Shelf) -> None:
    place = shelf.shared(applied)
    place.production().hop("snapshots", "--prune").fails(6, "production")
