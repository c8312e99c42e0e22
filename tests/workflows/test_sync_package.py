"""`hop sync-package`: the package in step with the database, with version tracking and without."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from tests.playground import Playground
from tests.workflows.shelf import Shelf, database_of, maintain

BIKE = "CREATE TABLE bike (id integer PRIMARY KEY, owner text NOT NULL)"
COLUMNS = "from shop.tables import t_bike; print(*t_bike.columns.keys())"


@pytest.fixture
def tracked(shelf: Shelf, play: Playground) -> Playground:
    """A project with version tracking, of a new database."""
    return shelf.copy(new, play)


@pytest.fixture
def untracked(shelf: Shelf, play: Playground) -> Playground:
    """A project without, of a database with a table."""
    return shelf.copy(new_untracked, play)


def new(shelf: Shelf, play: Playground) -> Playground:
    play.hop("new", "shop", "--devel").succeeds()
    return play.inside("shop")


def new_untracked(shelf: Shelf, play: Playground) -> Playground:
    maintain(play, f"CREATE DATABASE {database_of(play)}")
    play.sql(BIKE)
    play.hop("new", "shop").succeeds()
    return play.inside("shop")


def columns(place: Playground) -> str:
    """The columns of the table `bike`, by the package."""
    return place.run(sys.executable, "-c", COLUMNS).succeeds().out.strip()


def test_writes_the_module_when_the_database_has_changed_and_not_again(tracked: Playground) -> None:
    module = tracked.folder / "shop/tables/public.py"
    tracked.sql(BIKE)
    wrote = "wrote shop/tables/__init__.py\nwrote shop/tables/public.py\n"
    assert tracked.hop("sync-package").succeeds().out == wrote
    assert columns(tracked) == "id owner"

    before = module.stat()
    deep = tracked.inside("Patches/pre")
    assert deep.hop("sync-package").succeeds().out == "package shop is in step with the database\n"
    after = module.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

    tracked.sql("ALTER TABLE bike ADD price numeric")
    assert deep.hop("sync-package").succeeds().out == "wrote shop/tables/public.py\n"
    assert columns(tracked) == "id owner price"

    module.unlink()
    tracked.hop("sync-package").succeeds()
    assert columns(tracked) == "id owner price"

    tracked.sql("DROP TABLE bike")
    assert "removed shop/tables/public.py" in tracked.hop("sync-package").succeeds().out
    assert tracked.git("status", "--porcelain") == "", "the package is that of 0.0.0 again"


def test_changes_nothing_else(tracked: Playground) -> None:
    tracked.write("shop/bikes.py", "from shop.tables import t_bike\n")
    tracked.write("shop/__init__.py", '"""By hand."""\n')
    tracked.commit()
    tracked.sql(BIKE)
    before = tracked.refs(), tracked.databases(), tracked.releases()
    tracked.hop("sync-package").succeeds()
    assert tracked.git("status", "--porcelain") == "M shop/tables/__init__.py\n?? shop/tables/public.py"
    assert (tracked.refs(), tracked.databases(), tracked.releases()) == before


def test_works_without_version_tracking(untracked: Playground) -> None:
    files = {path.relative_to(untracked.folder).as_posix() for path in untracked.folder.rglob("*") if path.is_file()}
    modules = {f"shop/tables/{name}.py" for name in ("__init__", "_base", "_release", "public")}
    assert files == {".gitignore", "pyproject.toml", "tasks.py", "shop/__init__.py", *modules}
    assert columns(untracked) == "id owner"
    assert "in step" in untracked.hop("sync-package").succeeds().out
    untracked.sql("ALTER TABLE bike DROP owner")
    assert untracked.invoke("sync-package").succeeds().out == "wrote shop/tables/public.py\n"
    assert columns(untracked) == "id"
    assert untracked.sql("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'half\\_orm%'") == []


def test_a_module_written_by_hand_is_left_alone(untracked: Playground) -> None:
    mine = '"""By hand."""\n\nbike = "mine"\n'
    untracked.write("shop/tables.py", mine)
    untracked.hop("sync-package").fails(3, "tables.py was not written by hop", "nothing was written", "generator")
    assert untracked.read("shop/tables.py") == mine
    untracked.write("shop/tables.py", "").unlink()
    untracked.write("shop/tables/public.py", mine)
    untracked.hop("sync-package").fails(3, "public.py was not written by hop", "nothing was written", "generator")
    assert untracked.read("shop/tables/public.py") == mine


@pytest.mark.parametrize("by", ["pyproject.toml", "HOP_GENERATOR"])
def test_no_generator_writes_nothing(untracked: Playground, by: str) -> None:
    untracked.write("shop/tables/public.py", "mine = True\n")
    untracked.sql("ALTER TABLE bike DROP owner")
    if by == "HOP_GENERATOR":
        untracked = untracked.with_variables(HOP_GENERATOR="none")
    else:
        untracked.write("pyproject.toml", untracked.read("pyproject.toml") + 'generator = "none"\n')
    untracked.hop("sync-package").succeeds()
    assert untracked.read("shop/tables/public.py") == "mine = True\n"


def test_an_unknown_generator_is_a_wrong_setting(untracked: Playground) -> None:
    place = untracked.with_variables(HOP_GENERATOR="alembic")
    place.hop("sync-package").fails(3, "generator = 'alembic'", "tables", "half_orm and none", "module:function")
    place.with_variables(HOP_PRODUCTION="1").hop().succeeds()


def test_a_database_that_is_gone(untracked: Playground, other_database: Callable[[], str]) -> None:
    url = other_database()
    before = untracked.read("shop/tables/public.py")
    Playground(untracked.folder, url).hop("sync-package").fails(5, "there is no database")
    assert untracked.read("shop/tables/public.py") == before


def test_commands_of_releases_say_why_they_do_not_work_without_version_tracking(untracked: Playground) -> None:
    production = untracked.production()
    for place, *command in (
        (untracked, "prepare"),
        (untracked, "prepare", "-l", "patch"),
        (untracked, "apply"),
        (untracked, "undo"),
        (untracked, "release", "--push"),
        (untracked, "upgrade"),
        (untracked, "restore", "0.0.1"),
        (production, "apply"),
        (production, "upgrade", "--dry-run"),
        (production, "restore", "0.0.1"),
    ):
        place.hop(*command).fails(6, command[0], "made without --devel", "hop init --devel")
    assert not (untracked.folder / ".git").exists()
    assert untracked.databases() == {database_of(untracked)}


def test_status_says_that_versions_are_not_tracked(untracked: Playground) -> None:
    found = untracked.hop().succeeds()
    assert "development, without version tracking" in found.out
    assert "next: hop sync-package" in found.out


def test_tracking_can_begin_later(untracked: Playground) -> None:
    """As the refusals advise."""
    untracked.git("init", "--quiet", "--initial-branch=main")
    untracked.commit("as it was")
    untracked.hop("init", "--devel").succeeds()
    assert untracked.releases() == ["0.0.0"]
    untracked.hop("prepare", "-l", "patch").succeeds()
    assert untracked.git("branch", "--show-current") == "hop_0.0.1"
