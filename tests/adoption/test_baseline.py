"""`hop init --baseline`: a database that is in use becomes the first release, 0.0.0 or another one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import make_url

from hop_tasks import (
    Project,
    Version,
    apply_release,
    initialise_project,
    next_releases,
    open_bench,
    plan_upgrade,
    prepare_test_database,
    read_status,
    restore_database,
    undo_release,
    upgrade_database,
)
from hop_tasks.repository import Repository
from hop_tasks.workflows.settled import settled_release
from tests.playground import Playground
from tests.workflows.calling import project_of, refused
from tests.workflows.shelf import (
    CUSTOMER,
    DOUBLE,
    SCHEMA,
    Shelf,
    clone,
    database_of,
    maintain,
    release_here,
    with_origin,
)

FIRST = "2.3.0"


def repository(play: Playground) -> Playground:
    """A repository with code, a tag of its own, and a database with rows."""
    play.write("shop/README.md", "# Shop\n")
    place = play.inside("shop")
    place.git("init", "--quiet", "--initial-branch=hop_main")
    place.commit("our code")
    place.git("tag", "v2.3.0")
    maintain(place, f"CREATE DATABASE {database_of(place)}")
    place.sql(SCHEMA)
    return place


def baselined(shelf: Shelf, play: Playground) -> Playground:
    """The database is the first release, and origin has it."""
    place = repository(play)
    done = place.hop("init", "--baseline", "--as", FIRST).succeeds()
    assert f"its database is at release {FIRST}" in done.out
    return with_origin(place)


def continued(shelf: Shelf, play: Playground) -> Playground:
    """Two more releases, which origin has too."""
    place = shelf.copy(baselined, play).with_variables(HOP_TESTS="none")
    release_here(place, {"01_customer.sql": CUSTOMER})
    release_here(place, {"01_double.sql": DOUBLE})
    place.git("push", "--quiet", "--follow-tags", "origin", "hop_main")
    return place


def settled_at(project: Project) -> Version | None:
    """What an upgrade sees at a glance."""
    repository = Repository.open(project.root)
    return settled_release(project, repository, repository.refs())


class TestFirstRelease:
    @pytest.fixture
    def place(self, shelf: Shelf) -> Playground:
        return shelf.shared(baselined)

    def test_the_repository_has_schema_manifest_and_tag(self, place: Playground) -> None:
        assert place.git("tag").split() == [FIRST, "v2.3.0"]
        assert place.git("rev-parse", f"{FIRST}^{{commit}}") == place.git("rev-parse", "hop_main")
        assert "CREATE TABLE public.product" in place.read(f"Releases/shop-{FIRST}.sql")
        assert '"base": null' in place.read("Patches/2/3/0/MANIFEST.json")
        assert not (place.folder / "Patches/0").exists()

    def test_rows_stay_and_the_registry_begins(self, place: Playground) -> None:
        assert place.releases() == [FIRST]
        assert place.sql("SELECT count(*) FROM product") == [(3,)]

    def test_what_comes_next_comes_after_it(self, place: Playground) -> None:
        with project_of(place) as project:
            assert [str(found.version) for found in next_releases(project)] == ["2.3.1", "2.4.0", "3.0.0"]
            status = read_status(project)
        assert (status.missing, status.advice.split(" --")[0]) == ((), "hop prepare")


class TestDevelopment:
    def test_the_cycle_goes_on(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(continued, play)
        assert place.releases() == [FIRST, "2.3.1", "2.3.2"]
        with project_of(place) as project:
            restore_database(project, FIRST)
            assert place.sql("SELECT to_regclass('customer'), (SELECT sum(price) FROM product)") == [(None, 70)]
            with refused(7, "nothing is applied"):
                undo_release(project)
            restore_database(project, "2.3.2")
        place.hop("prepare", "-l", "minor").succeeds()
        place.write("Patches/2/4/0/01.sql", "CREATE TABLE later (id integer);\n")
        with project_of(place) as project:
            apply_release(project)
            undone = undo_release(project)
        assert str(undone.base) == "2.3.2"

    def test_a_colleague_who_clones_gets_the_database_built(
        self, shelf: Shelf, play: Playground, other_database: Callable[[], str]
    ) -> None:
        place = replace(clone(shelf.copy(continued, play), "colleague"), url=other_database())
        place.hop("prepare", "-l", "patch").succeeds()
        place.write("Patches/2/3/3/01.sql", "CREATE TABLE later (id integer);\n")
        place.hop("apply").succeeds()
        assert place.releases() == [FIRST, "2.3.1", "2.3.2", "2.3.3"]

    def test_databases_for_tests_are_built_from_it(
        self, shelf: Shelf, play: Playground, other_database: Callable[[], str]
    ) -> None:
        place = replace(clone(shelf.copy(continued, play), "colleague"), url=other_database())
        with project_of(place) as project, open_bench(project) as bench, prepare_test_database(bench) as database:
            assert place.releases(database.dsn) == [FIRST, "2.3.1", "2.3.2"]


class TestProduction:
    @pytest.fixture
    def place(self, shelf: Shelf, play: Playground) -> Playground:
        return clone(shelf.copy(continued, play, databases=False), "production").production()

    def test_an_empty_database_begins_with_it(self, place: Playground) -> None:
        maintain(place, f"CREATE DATABASE {database_of(place)}")
        with project_of(place) as project:
            plan = plan_upgrade(project)
            assert (plan.current, str(plan.schema), [str(one.version) for one in plan.releases]) == (
                None,
                FIRST,
                ["2.3.1", "2.3.2"],
            )
            upgraded = upgrade_database(project)
            settled = settled_at(project)
        assert (upgraded.before, str(upgraded.after)) == (None, "2.3.2")
        assert (str(settled), place.releases()) == ("2.3.2", [FIRST, "2.3.1", "2.3.2"])

    def test_a_tag_of_a_persons_that_is_called_as_that_of_an_adoption_is_none(self, place: Playground) -> None:
        maintain(place, f"CREATE DATABASE {database_of(place)}")
        for version in (FIRST, "2.3.1"):
            place.git("tag", f"baseline-{version}", version)
        with project_of(place) as project:
            plan = plan_upgrade(project)
            assert (str(plan.schema), len(plan.releases)) == (FIRST, 2)
            upgrade_database(project)
            assert str(settled_at(project)) == "2.3.2"
            place.sql("DELETE FROM half_orm_meta.hop_release WHERE patch = 2")
            assert [str(one.version) for one in plan_upgrade(project).releases] == ["2.3.2"]

    def test_one_of_the_same_schema_is_declared_after_a_proof_and_restored(self, place: Playground) -> None:
        maintain(place, f"CREATE DATABASE {database_of(place)}")
        place.sql(SCHEMA + "INSERT INTO product VALUES (9, 'wheel', 70); CREATE TABLE odd (id integer)")
        place.hop("upgrade").fails(7, "no registry", "--baseline")
        place.hop("upgrade", "--baseline", FIRST).fails(7, "public.odd", "nothing was changed")
        place.hop("upgrade", "--baseline", "0.0.0").fails(7, "no release 0.0.0")
        assert place.sql("SELECT to_regnamespace('half_orm_meta')") == [(None,)]
        place.sql("DROP TABLE odd")
        place.hop("upgrade", "--baseline", FIRST).succeeds()
        assert place.releases() == [FIRST, "2.3.1", "2.3.2"]
        with project_of(place) as project:
            assert str(settled_at(project)) == "2.3.2"
        place.hop("restore", FIRST).succeeds()
        assert place.sql("SELECT sum(price) FROM product") == [(140,)]
        assert place.releases() == [FIRST]

    def test_a_missing_tag_of_the_first_release_is_told(self, place: Playground) -> None:
        maintain(place, f"CREATE DATABASE {database_of(place)}")
        place.git("tag", "--delete", FIRST)
        place.hop("upgrade", "--no-fetch").fails(7, f"no release {FIRST}", "git fetch --tags")
        place.hop("upgrade").succeeds()


class TestRefused:
    def assert_refused(self, place: Playground, code: int, *words: str, flags: tuple[str, ...]) -> None:
        before = place.refs(), place.databases(), place.git("status", "--porcelain", "--ignored")
        place.hop("init", *flags).fails(code, *words)
        assert (place.refs(), place.databases(), place.git("status", "--porcelain", "--ignored")) == before

    def test_a_database_that_is_not_there_or_empty(self, play: Playground) -> None:
        place = repository(play)
        maintain(place, f"DROP DATABASE {database_of(place)}")
        self.assert_refused(place, 5, "no database", "nothing was changed", flags=("--baseline",))
        maintain(place, f"CREATE DATABASE {database_of(place)}")
        self.assert_refused(place, 7, "is empty", "hop init --devel", flags=("--baseline", "--as", "1.0.0"))

    def test_versions_that_are_none_or_are_not_tracked(self, play: Playground) -> None:
        place = repository(play)
        self.assert_refused(place, 2, "not a version", flags=("--baseline", "--as", "1.0"))
        self.assert_refused(place, 2, "plain release", flags=("--baseline", "--as", "1.0.0-rc.1"))
        self.assert_refused(place, 2, "--as 1.0.0", "hop init --baseline --as 1.0.0", flags=("--as", "1.0.0"))

    def test_a_database_of_another_project(self, shelf: Shelf, play: Playground) -> None:
        shelf.copy(baselined, play)
        play.write("other/README.md", "# Other\n")
        place = play.inside("other")
        place.git("init", "--quiet", "--initial-branch=main")
        place.commit()
        self.assert_refused(place, 7, f"at release {FIRST}", "nothing was changed", flags=("--baseline",))

    def test_the_library_says_which_release_it_is(self, play: Playground) -> None:
        place = repository(play)
        with pytest.MonkeyPatch.context() as patch:
            for variable, value in place.environment.items():
                patch.setenv(variable, value)
            founded = initialise_project(place.folder, baseline=True, first="1.0.0")
        assert (str(founded.version), founded.created_database) == ("1.0.0", False)


def test_a_password_on_the_command_line_is_not_stored(play: Playground) -> None:
    place = repository(play)
    url = make_url(place.url).set(password="s3cr3t").render_as_string(hide_password=False)
    assert "is not stored" in place.hop("init", "--baseline", "--url", url).succeeds().out
    stored = re.findall('url = "(.*)"', place.read("pyproject.toml"))
    assert [make_url(one).password for one in stored] == [None]
