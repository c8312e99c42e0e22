"""A project of half_orm's own `hop` 0.13, made by that tool, goes on in place."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hop_tasks import (
    HopError,
    adopt_project,
    initialise_project,
    plan_adoption,
    restore_database,
    undo_release,
    upgrade_database,
)
from hop_tasks.package import kept_parts
from hop_tasks.repository import Repository
from hop_tasks.workflows.settled import settled_release
from tests.adoption.half_orm_shop import (
    CODE_AT_THE_END,
    CODE_IN_CLASS,
    HISTORY,
    PASSWORD,
    REQUIREMENTS,
    USER_CODE,
    connected,
    make_shop,
    old_hop,
    undone,
    without_url,
)
from tests.adoption.tools import Install
from tests.playground import Playground
from tests.workflows.calling import project_of, refused
from tests.workflows.shelf import Shelf, database_of, maintain

REGISTRY = """
    SELECT major, minor, patch, changelog, "commit", dbid FROM half_orm_meta.hop_release ORDER BY major, minor, patch
"""
ROWS = "SELECT (SELECT array_agg(price ORDER BY id) FROM product), (SELECT count(*) FROM customer)"


@pytest.fixture
def programs(install: Install) -> Path:
    return install(*REQUIREMENTS)


@pytest.fixture
def applied(shelf: Shelf, play: Playground, programs: Path) -> Playground:
    """The shop with a release in preparation, which is applied."""

    def half_orm_shop(_shelf: Shelf, ground: Playground) -> Playground:
        return make_shop(ground, programs)

    return connected(shelf.copy(half_orm_shop, play), programs)


@pytest.fixture
def shop(shelf: Shelf, play: Playground, programs: Path) -> Playground:
    """The shop at its last release."""

    def half_orm_shop(_shelf: Shelf, ground: Playground) -> Playground:
        return make_shop(ground, programs)

    def half_orm_shop_undone(shelf: Shelf, ground: Playground) -> Playground:
        return undone(connected(shelf.copy(half_orm_shop, ground), programs))

    return connected(shelf.copy(half_orm_shop_undone, play), programs)


@pytest.fixture
def adopted(shelf: Shelf, play: Playground, programs: Path) -> Playground:
    """The shop after `hop init`, which origin has."""

    def half_orm_shop(_shelf: Shelf, ground: Playground) -> Playground:
        return make_shop(ground, programs)

    def half_orm_shop_adopted(shelf: Shelf, ground: Playground) -> Playground:
        place = undone(connected(shelf.copy(half_orm_shop, ground), programs))
        place.hop("init").succeeds()
        place.git("push", "--quiet", "--follow-tags", "origin", "hop_main")
        return place

    return connected(shelf.copy(half_orm_shop_adopted, play), programs).with_variables(HOP_TESTS="none")


def clone_of(place: Playground, name: str, url: str, programs: Path, *, production: bool) -> Playground:
    """Another clone, where that tool finds another database."""
    place.git("clone", "--quiet", "../origin.git", f"../{name}")
    other = replace(place, folder=place.folder.parent / name, url=url)
    other.git("remote", "set-url", "origin", "../origin.git")
    maintain(other, f"CREATE DATABASE {database_of(other)} TEMPLATE {database_of(place)}")
    other = connected(other, programs, production=production)
    return other.with_variables(HOP_PRODUCTION="1") if production else other


def state(place: Playground) -> tuple[object, ...]:
    """What `hop init` changes."""
    stamp = "SELECT to_jsonb(d)->'production' FROM half_orm_meta.database d"
    columns = "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'half_orm_meta'"
    tree = place.git("status", "--porcelain", "--ignored"), place.git("rev-parse", "HEAD^{tree}")
    return place.refs(), tree, place.sql(REGISTRY), place.sql(stamp), place.sql(columns), place.databases()


def refs_of(place: Playground) -> dict[str, str]:
    rows = place.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(row.split(" ") for row in rows)


class TestPlan:
    def test_dry_run_says_what_would_be_done_and_does_nothing(self, shop: Playground) -> None:
        before = state(shop)
        for command in (("init", "--dry-run"), ("--dry", "init")):
            told = shop.hop(*command).succeeds().out
            for words in (
                "shop, of half_orm's tool",
                "0.1.0, 0.0.1; not deployed",
                "0.2.0",
                "baseline-0.1.1",
                "shop/ho_dataclasses.py stays",
            ):
                assert words in told
            assert "nothing was changed" in told
            assert PASSWORD not in told
        assert state(shop) == before
        shop.hop().fails(3, "a project of half_orm's own tool", "hop init --dry-run")

    def test_names_of_keys_that_are_right_for_one_database_only_are_told(
        self, shop: Playground, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        module = shop.read("shop/public/product.py")
        fkeys = "    Fkeys = {'jobs': '_reverse_fkey_shop_workshop_job_product'}\n"
        shop.write("shop/public/product.py", module.replace(CODE_IN_CLASS, fkeys))
        shop.commit("an alias")
        for variable, value in shop.environment.items():
            monkeypatch.setenv(variable, value)
        (told,) = (note for note in plan_adoption(shop.folder).notes if "_reverse" in note)
        assert told.startswith("your code in shop/public/product.py has")

    def test_the_database_is_that_of_the_connection_file(self, shop: Playground) -> None:
        told = without_url(shop).hop("init", "--dry-run").succeeds().out
        assert shop.variables["HALFORM_CONF_DIR"] in told
        assert database_of(shop) in told

    def test_the_library_says_the_same(self, shop: Playground, monkeypatch: pytest.MonkeyPatch) -> None:
        for variable, value in shop.environment.items():
            monkeypatch.setenv(variable, value)
        plan = plan_adoption(shop.folder)
        assert [str(one) for one in (plan.version, *plan.history, *plan.in_preparation)] == [
            "0.1.1",
            "0.0.1",
            "0.1.0",
            "0.2.0",
        ]
        with pytest.raises(HopError, match="half_orm's own tool"):
            initialise_project(shop.folder, devel=True)
        adopted = adopt_project(shop.folder)
        assert (adopted.commit, str(adopted.version)) == (shop.git("rev-parse", "HEAD"), "0.1.1")


class TestTakenOver:
    def test_one_commit_and_one_tag_and_all_else_as_before(self, shop: Playground) -> None:
        before, rows = refs_of(shop), shop.sql(REGISTRY)
        package = shop.git("rev-parse", "HEAD:shop")
        data = shop.sql(ROWS)
        without_url(shop).hop("init").succeeds()
        now = refs_of(shop)
        changed = {name for name in {*before, *now} if before.get(name) != now.get(name)}
        assert changed == {"refs/heads/hop_main", "refs/tags/baseline-0.1.1"}
        assert shop.git("rev-list", "--count", f"{before['refs/heads/hop_main']}..hop_main") == "1"
        assert shop.git("rev-parse", "baseline-0.1.1^{commit}") == shop.git("rev-parse", "hop_main")
        assert shop.git("status", "--porcelain") == ""
        assert shop.git("rev-parse", "HEAD:shop") == package
        assert USER_CODE in shop.read("shop/public/product.py")
        assert (shop.sql(REGISTRY), shop.sql(ROWS)) == (rows, data)
        assert shop.sql("SELECT production FROM half_orm_meta.database") == [(False,)]
        assert not (shop.folder / ".hop/config").exists()
        assert "COPY" not in shop.read("Releases/shop-0.1.1.sql")
        assert json.loads(shop.read("Patches/0/1/1/MANIFEST.json"))["base"] is None

    def test_the_password_is_nowhere_and_the_url_is_kept(self, shop: Playground) -> None:
        place = without_url(shop)
        told = place.hop("init").succeeds()
        assert "~/.pgpass" in told.out
        assert PASSWORD not in told.out + told.err
        assert place.run("git", "grep", "-q", PASSWORD, "HEAD").code == 1
        assert re.search(r'url = "postgresql://\w+@', place.read("pyproject.toml"))
        assert "release         0.1.1" in place.hop().succeeds().out

    def test_half_orms_tool_leaves_it_alone_from_then_on(self, adopted: Playground) -> None:
        assert "Not in a hop repository" in old_hop(adopted).succeeds().out
        adopted.hop("init").fails(7, "taken the project over already")

    def test_0_0_0_alone(self, play: Playground, programs: Path) -> None:
        maintain(play, f"CREATE DATABASE {database_of(play)}")
        place = connected(play.inside("work"), programs)
        place.folder.mkdir()
        old_hop(place, "new", "shop", "--devel").succeeds()
        place = place.inside("shop")
        place.hop("init").succeeds()
        assert place.git("tag").split() == ["0.0.0", "baseline-0.0.0"]
        place.release("patch", {"01.sql": "CREATE TABLE a (id integer);\n"})
        assert place.releases() == ["0.0.0", "0.0.1"]


class TestDevelopment:
    def test_what_was_in_preparation_is_released_and_the_next_one_too(self, adopted: Playground) -> None:
        place = adopted
        place.git("switch", "--quiet", "hop_0.2.0")
        place.git("rebase", "--quiet", "hop_main")
        place.hop("apply").succeeds()
        assert place.releases() == [*HISTORY, "0.2.0"]
        assert "class Bill(" in place.read("shop/workshop/bill.py")
        theirs, ours = place.git("show", "0.1.1:shop/public/product.py"), place.read("shop/public/product.py")
        assert "_reverse(" in ours
        assert kept_parts(ours.encode()) == kept_parts(f"{theirs}\n".encode())
        assert [words in ours for words in (USER_CODE, CODE_IN_CLASS, CODE_AT_THE_END)] == [True, True, True]
        used = "from shop.public.product import Product, last_words; print(Product(name='x').wheels(), last_words())"
        assert place.run(sys.executable, "-c", used).succeeds().out == "2 end\n"
        assert USER_CODE in place.read("shop/public/product.py")
        with project_of(place) as project:
            assert str(undo_release(project).base) == "0.1.1"
        assert place.sql("SELECT to_regclass('workshop.bill')") == [(None,)]
        place.hop("apply").succeeds()
        place.commit("package") if place.git("status", "--porcelain") else None
        place.hop("release", "-p").succeeds()
        place.release("patch", {"01.sql": "CREATE TABLE later (id integer);\n"}, "-p")
        assert place.releases() == [*HISTORY, "0.2.0", "0.2.1"]
        assert USER_CODE in place.read("shop/public/product.py")
        assert "a minor release" in place.git("for-each-ref", "--format=%(subject)", "refs/tags/0.2.0")
        with project_of(place) as project:
            restore_database(project, "0.1.1")
            with refused(7, "from before hop took the project over"):
                restore_database(project, "0.1.0")
        assert place.releases() == HISTORY
        assert place.sql("SELECT count(*) FROM product") == [(3,)]

    def test_the_branches_that_half_orms_tool_left_are_not_taken_for_unfinished_releases(
        self, adopted: Playground
    ) -> None:
        before = adopted.refs()
        adopted.hop("release").fails(7, "hop_main is not the branch of a release")
        assert adopted.refs() == before

    def test_a_colleague_takes_the_database_along_or_has_it_built(
        self, adopted: Playground, programs: Path, other_database: Callable[[], str]
    ) -> None:
        place = clone_of(adopted, "colleague", other_database(), programs, production=False)
        place.sql("UPDATE half_orm_meta.database SET production = NULL")
        place.git("switch", "--quiet", "hop_0.2.0")
        place.git("rebase", "--quiet", "hop_main")
        place.hop("apply").fails(6, "does not say whether it is production", "hop init")
        place.sql("ALTER TABLE product ADD COLUMN odd integer")
        place.hop("init").fails(7, "public.product", "nothing was changed")
        place.sql("ALTER TABLE product DROP COLUMN odd")
        place.hop("init").succeeds()
        place.hop("apply").succeeds()
        built = replace(place, url=other_database())
        built.hop("apply").succeeds()
        assert built.releases() == ["0.1.1", "0.2.0"]


class TestProduction:
    @pytest.fixture
    def place(self, adopted: Playground, programs: Path, other_database: Callable[[], str]) -> Playground:
        """A production clone at the last release, as that tool has left it; a new release is there to come."""
        place = clone_of(adopted, "production", other_database(), programs, production=True)
        for table in ("hop_step", "hop_attempt", "hop_writes"):
            place.sql(f"DROP TABLE IF EXISTS half_orm_meta.{table} CASCADE")
        place.sql("DELETE FROM half_orm_meta.database")
        place.sql("INSERT INTO customer VALUES (7, 'Grace')")
        adopted.release("patch", {"01.sql": "ALTER TABLE customer ADD COLUMN mail text;\n"}, "-p")
        return place

    def test_it_is_stamped_after_a_proof_upgraded_and_restored(self, place: Playground) -> None:
        place.hop("init").fails(6, "is production")
        place.hop("upgrade").fails(6, "not stamped as production", "hop upgrade --baseline 0.1.1")
        place.sql("ALTER TABLE customer ADD COLUMN odd integer")
        place.hop("upgrade", "--baseline", "0.1.1").fails(7, "customer", "nothing was changed")
        place.sql("ALTER TABLE customer DROP COLUMN odd")
        place.hop("upgrade", "--baseline", "0.1.1").succeeds()
        place.hop("upgrade").succeeds()
        assert place.releases() == [*HISTORY, "0.1.2"]
        self.assert_seen_at_a_glance(place)
        place.hop("restore", "0.1.1").succeeds()
        assert place.sql("SELECT to_jsonb(c) FROM customer c WHERE id = 7") == [({"id": 7, "name": "Grace"},)]
        place.hop("upgrade").succeeds()
        assert place.releases() == [*HISTORY, "0.1.2"]

    def assert_seen_at_a_glance(self, place: Playground) -> None:
        """That nothing is to be done; and that a release which that tool has never made is not overlooked."""
        with project_of(place) as project:
            repository = Repository.open(project.root)
            assert str(settled_release(project, repository, repository.refs())) == "0.1.2"
            row = "FROM half_orm_meta.hop_release WHERE (major, minor, patch) = (0, 1, 0)"
            place.sql(f"CREATE TABLE half_orm_meta.kept AS SELECT * {row}; DELETE {row}")
            assert settled_release(project, repository, repository.refs()) is None
            with refused(17, "never had 0.1.0"):
                upgrade_database(project)
        place.sql("INSERT INTO half_orm_meta.hop_release TABLE half_orm_meta.kept; DROP TABLE half_orm_meta.kept")

    def test_a_database_behind_is_brought_forward_by_half_orms_tool_first(self, place: Playground) -> None:
        place.sql("DROP INDEX product_name; DELETE FROM half_orm_meta.hop_release WHERE minor = 1 AND patch = 1")
        for command in (("upgrade",), ("upgrade", "--baseline", "0.1.0")):
            told = place.hop(*command).fails(7, "0.1.0 is from before 0.1.1", "half-orm 0.13", "nothing was changed")
        place.hop("upgrade", "--schema", "0.1.0").fails(7, "0.1.0")
        first, second = (part.strip() for part in told.err.split("half-orm 0.13: ")[1].split("; then with hop-tasks: "))
        assert first == "git switch -C hop_main 0.1.1 && hop upgrade"
        place.git("switch", "--quiet", "-C", "hop_main", "0.1.1")
        old_hop(place, "upgrade").succeeds()
        assert place.releases() == HISTORY
        assert second == "git pull --ff-only origin hop_main && hop upgrade --baseline 0.1.1"
        place.git("pull", "--quiet", "--ff-only", "origin", "hop_main")
        place.hop("upgrade", "--baseline", "0.1.1").succeeds()
        assert place.releases() == [*HISTORY, "0.1.2"]

    def test_an_empty_database_begins_with_the_schema_of_the_last_release(
        self, place: Playground, other_database: Callable[[], str]
    ) -> None:
        empty = replace(place, url=other_database())
        maintain(empty, f"CREATE DATABASE {database_of(empty)}")
        empty.hop("upgrade", "--schema", "0.1.0").fails(7, "0.1.0 is from before 0.1.1")
        empty.hop("upgrade").succeeds()
        assert empty.releases() == ["0.1.1", "0.1.2"]


class TestRefused:
    def assert_refused(self, place: Playground, code: int, *words: str, flags: tuple[str, ...] = ()) -> None:
        before = state(place)
        place.hop("init", *flags).fails(code, *words)
        assert state(place) == before

    def test_a_release_in_preparation_that_is_applied(self, applied: Playground) -> None:
        applied.git("switch", "--quiet", "hop_main")
        self.assert_refused(applied, 7, "at 0.2.0, which is in preparation", "hop undo --database-only")

    def test_a_database_that_is_not_what_was_released(self, shop: Playground) -> None:
        shop.sql("ALTER TABLE product ADD COLUMN odd integer; DROP INDEX product_name")
        self.assert_refused(shop, 7, "public.product", "product_name", "nothing was changed")

    def test_a_database_that_may_be_production(self, shop: Playground, programs: Path) -> None:
        production = connected(shop, programs, production=True)
        self.assert_refused(production, 6, "says that", "is production", "HOP_DATABASE_URL='postgresql://")
        self.assert_refused(shop.with_variables(HOP_PRODUCTION="1"), 6, "development only")
        elsewhere = shop.with_variables(HALFORM_CONF_DIR="/nowhere")
        self.assert_refused(elsewhere, 6, "nothing says", "/nowhere", "hop init --devel")
        self.assert_refused(without_url(elsewhere), 5, "no connection file", "HALFORM_CONF_DIR")
        connected(shop, programs)
        elsewhere.hop("init", "--devel").succeeds()

    def test_what_the_repository_forbids(self, shop: Playground) -> None:
        self.assert_refused(shop, 2, "has its name", flags=("--name", "other"))
        shop.write("notes.txt", "later")
        self.assert_refused(shop, 4, "not clean", "notes.txt")
        (shop.folder / "notes.txt").unlink()
        shop.git("switch", "--quiet", "hop_0.2.0")
        self.assert_refused(shop, 4, "hop_0.2.0 is checked out", "git switch hop_main")
        shop.git("switch", "--quiet", "hop_main")
        shop.git("tag", "baseline-0.1.1", "0.0.1")
        self.assert_refused(shop, 7, "there is a tag baseline-0.1.1", "git tag -d baseline-0.1.1")
        shop.git("tag", "--delete", "baseline-0.1.1")
        shop.git("tag", "baseline-0.1.0", "0.0.1")
        assert "baseline-0.1.1" in shop.hop("init", "--dry-run").succeeds().out
        shop.git("tag", "--delete", "0.1.1", "baseline-0.1.0")
        self.assert_refused(shop, 7, "0.1.1 by .hop/CHANGELOG and 0.1.0 by the tags")
        shop.git("fetch", "--quiet", "--tags", "origin")
        shop.git("clone", "--quiet", "../origin.git", "../other")
        other = replace(shop, folder=shop.folder.parent / "other")
        other.write("more.txt", "more")
        other.commit()
        other.git("push", "--quiet", "origin", "hop_main")
        self.assert_refused(shop, 4, "has commits that are not here", "git pull")
        shop.write(".hop/config", shop.read(".hop/config").replace("devel = True", "devel = False"))
        shop.commit()
        self.assert_refused(shop, 3, "does not manage releases", "hop init --devel --generator=half_orm")

    def test_a_registry_that_cannot_be_changed_undoes_the_commit(self, shop: Playground) -> None:
        shop.sql(
            "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE 'no tables today'; END $$; CREATE EVENT TRIGGER refusing ON ddl_command_start "
            "WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION refuse()"
        )
        shop.git("rm", "--quiet", "Releases/shop-0.1.1.sql")
        shop.commit("so that it cannot be compared")
        before = state(shop)
        shop.hop("init").fails(5, "no tables today")
        assert state(shop) == before
