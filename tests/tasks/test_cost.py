"""What short commands cost, in numbers that do not depend on the machine: modules, processes, connections, queries."""

from __future__ import annotations

import sys

import pytest

from hop_tasks.tasks.collection import VERBS
from tests.counting import counted_git, on_a_wire
from tests.histories import version_of, write_history
from tests.playground import SCRIPTS, Playground
from tests.workflows.shelf import Shelf, applied, database_of, maintain

FEW, MANY = 3, 60
"""Releases, between which nothing that is counted may grow."""

STARTING = {"hop_tasks", *(f"hop_tasks.{name}" for name in ("deferring", "errors", "installed", "program", "report"))}
TASKS = {"hop_tasks.tasks", *(f"hop_tasks.tasks.{name}" for name in ("base", "collection", "console", *VERBS))}
"""All of hop that lists, help and completion load."""

SLOW_TO_START = {
    *("asyncio", "concurrent", "csv", "decimal", "difflib", "email", "hashlib", "http", "random", "shutil", "socket"),
    *("sqlite3", "ssl", "tempfile", "tomllib", "unittest", "uuid", "xml", "zipfile"),
}
"""What of Python's library takes long to import, and what brings it along."""

OTHERS = {"invoke", "psycopg2"}
"""The libraries of whatever talks to a server."""


def loaded_by(place: Playground, *arguments: str) -> set[str]:
    """The modules that a command loads besides those that Python starts with."""
    return _imports(place, str(SCRIPTS / "hop"), *arguments) - _imports(place, "-c", "pass")


def _imports(place: Playground, *arguments: str) -> set[str]:
    found = place.run(sys.executable, "-X", "importtime", *arguments).succeeds()
    return {line.rpartition("|")[2].strip() for line in found.err.splitlines() if line.startswith("import time:")}


def first_parts(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


def from_elsewhere(modules: set[str]) -> set[str]:
    """The libraries among modules that are neither hop nor Python's own, nor stand for those (tomli, up to 3.10)."""
    return {
        name
        for name in first_parts(modules) - sys.stdlib_module_names - {"hop_tasks", "org", "tomli"}
        if not name.startswith("_")
    }


def of_hop(modules: set[str]) -> set[str]:
    return {module for module in modules if module.partition(".")[0] == "hop_tasks"}


@pytest.mark.parametrize(
    "command", ["--help", "--list", "apply --help", "--complete -- hop", "--complete -- hop apply -"]
)
def test_lists_help_and_completion_load_the_tasks_and_invoke_alone(play: Playground, command: str) -> None:
    loaded = loaded_by(play, *command.split(" "))
    assert of_hop(loaded) == STARTING | TASKS
    assert from_elsewhere(loaded) == {"invoke"}
    assert first_parts(loaded) & SLOW_TO_START == set()
    assert {"invoke.vendor.yaml", "importlib.metadata"} & loaded == set()


def few(shelf: Shelf, play: Playground) -> Playground:
    """A production clone whose database has a few releases, which are all that there are."""
    return in_production(play, FEW)


def many(shelf: Shelf, play: Playground) -> Playground:
    """The same with many."""
    return in_production(play, MANY)


def in_production(play: Playground, releases: int) -> Playground:
    write_history(play.folder / "written", releases)
    play.git("clone", "--quiet", "--bare", "written", "origin.git")
    play.git("clone", "--quiet", "origin.git", "shop")
    maintain(play, f"CREATE DATABASE {database_of(play)}")
    place = play.inside("shop").production().with_variables(HOP_BACKUP_FORMAT="none")
    place.hop("upgrade", "--no-fetch").succeeds()
    return place


@pytest.fixture
def production(shelf: Shelf, play: Playground) -> Playground:
    return shelf.copy(few, play)


@pytest.fixture(params=[few, many])
def clone(shelf: Shelf, request: pytest.FixtureRequest) -> Playground:
    return shelf.shared(request.param)


class TestStatus:
    def test_it_asks_the_same_few_questions_of_any_number_of_releases(self, clone: Playground) -> None:
        with on_a_wire(clone) as (place, wire), counted_git(place) as (counting, runs):
            assert "nothing to do" in counting.hop("status").succeeds().out
        assert wire.connections == 1
        assert len(wire.queries) == 8, "\n".join(wire.queries)
        assert {run.split()[0] for run in runs} == {"rev-parse", "status", "show-ref"}
        assert len(runs) == 3

    def test_it_loads_neither_sqlalchemy_nor_gitpython(self, production: Playground) -> None:
        assert from_elsewhere(loaded_by(production)) == OTHERS


class TestUpgradeWithNothingToDo:
    def test_it_asks_the_same_few_questions_of_any_number_of_releases(self, clone: Playground) -> None:
        with on_a_wire(clone) as (place, wire), counted_git(place) as (counting, runs):
            assert "nothing to do" in counting.hop("upgrade", "--no-fetch").succeeds().out
        assert wire.connections == 1
        assert len(wire.queries) == 5, "\n".join(wire.queries)
        assert [run.split()[0] for run in runs] == ["rev-parse", "show-ref"]

    def test_it_loads_neither_sqlalchemy_nor_gitpython(self, production: Playground) -> None:
        assert from_elsewhere(loaded_by(production, "upgrade", "--no-fetch")) == OTHERS

    def test_what_is_not_the_release_checked_out_is_said(self, production: Playground) -> None:
        """The glance is not the whole: what an upgrade says of the code it says here too."""
        production.git("switch", "--quiet", "--detach", str(version_of(FEW - 1)))
        assert "code: the work tree is detached at 0.0.2" in production.hop("upgrade", "--no-fetch").succeeds().out

    def test_one_release_more_is_seen(self, production: Playground) -> None:
        """A tag that nobody released is one, too."""
        production.git("tag", "0.0.9", "0.0.3")
        production.hop("upgrade", "--no-fetch").fails(14, "release 0.0.9 is incomplete")

    def test_a_release_that_was_skipped_is_seen(self, production: Playground) -> None:
        production.sql("DELETE FROM half_orm_meta.hop_release WHERE patch = 2")
        production.hop("upgrade", "--no-fetch").fails(17, "never had 0.0.2")

    def test_a_tag_that_was_moved_is_seen(self, production: Playground) -> None:
        production.git("tag", "--force", "0.0.2", "0.0.1^{commit}")
        production.hop("upgrade", "--no-fetch").fails(11, "tag 0.0.2")


class TestUpgrade:
    def test_from_an_empty_database_it_loads_neither_sqlalchemy_nor_gitpython(self, production: Playground) -> None:
        name = database_of(production)
        maintain(production, f"DROP DATABASE {name} WITH (FORCE)", f"CREATE DATABASE {name}")
        assert from_elsewhere(loaded_by(production, "upgrade", "--no-fetch")) == OTHERS


class TestApply:
    def test_with_a_package_that_was_made_before_no_generator_is_loaded(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(applied, play)
        place.hop("undo").succeeds()
        for command in ("apply", "apply", "undo"):
            assert from_elsewhere(loaded_by(place, command)) == OTHERS
        place.hop("apply").succeeds()
        assert place.git("status", "--porcelain") == ""

    def test_with_another_table_it_is(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(applied, play)
        place.write("Patches/0/0/1/02_order.sql", "CREATE TABLE placed_order (id integer PRIMARY KEY);\n")
        assert "sqlacodegen" in from_elsewhere(loaded_by(place, "apply"))
        assert "t_placed_order" in place.read("shop/tables/public.py")
