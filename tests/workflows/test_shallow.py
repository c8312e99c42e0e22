"""`hop upgrade` in the clones that CI makes: shallow, detached, of one branch or tag, without contents."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hop_tasks import plan_upgrade, upgrade_database
from tests.playground import Playground
from tests.workflows.calling import project_of, refused
from tests.workflows.shelf import Shelf, database_of, maintain, production

ALL = ["0.0.0", "0.0.1", "0.0.2", "0.0.3"]
FETCH = "git fetch --unshallow --tags origin +refs/heads/hop_main:refs/remotes/origin/hop_main"


@pytest.fixture
def place(shelf: Shelf, play: Playground) -> Playground:
    """Beside an origin: a folder for a clone that does not exist yet, and a database of production at 0.0.1."""
    shared = shelf.shared(production)
    shutil.copytree(shared.folder.parent / "origin.git", play.folder / "origin.git")
    origin = replace(play, folder=play.folder / "origin.git")
    for setting in ("allowFilter", "allowAnySHA1InWant"):
        origin.git("config", f"uploadpack.{setting}", "true")
    maintain(play, f"CREATE DATABASE {database_of(play)} TEMPLATE {database_of(shared)}")
    return replace(play.inside("clone"), variables=shared.variables).with_variables(HOP_BACKUP_FORMAT="none")


def origin_of(place: Playground) -> str:
    return (place.folder.parent / "origin.git").as_uri()


def clone(place: Playground, *flags: str) -> None:
    beside = replace(place, folder=place.folder.parent)
    beside.git("-c", "advice.detachedHead=false", "clone", "--quiet", *flags, origin_of(place), "clone")


def check_out_as_actions_do(place: Playground, tag: str) -> None:
    """actions/checkout: one commit, and a tag that is not the annotated one."""
    place.folder.mkdir()
    place.git("init", "--quiet")
    place.git("remote", "add", "origin", origin_of(place))
    commit = place.git("ls-remote", "origin", f"refs/tags/{tag}^{{}}").split()[0]
    place.git(
        *("fetch", "--quiet", "--no-tags", "--prune", "--no-recurse-submodules", "--depth=1"),
        *("origin", f"+{commit}:refs/tags/{tag}"),
    )
    place.git("-c", "advice.detachedHead=false", "checkout", "--quiet", "--force", f"refs/tags/{tag}")


MANNERS = {
    "depth 1": ("--depth=1",),
    "a tag": ("--depth=1", "--branch=0.0.2"),
    "actions/checkout of a tag": None,
    "one branch without tags": ("--single-branch", "--no-tags"),
    "without contents": ("--filter=blob:none", "--no-checkout"),
}


@pytest.fixture(params=MANNERS)
def cloned(request: pytest.FixtureRequest, place: Playground) -> Iterator[Playground]:
    """A clone of each manner; what was checked out by its commit must still be."""
    flags = MANNERS[request.param]
    if flags is None:
        check_out_as_actions_do(place, "0.0.2")
    else:
        clone(place, *flags)
    if "--no-checkout" in (flags or ()):
        place.git("checkout", "--quiet", "HEAD", "--", "pyproject.toml")
    head = (place.folder / ".git/HEAD").read_text()
    yield place
    assert (place.folder / ".git/HEAD").read_text() == head


def test_what_is_missing_is_fetched(cloned: Playground) -> None:
    refs = cloned.refs()
    with project_of(cloned) as project:
        plan = plan_upgrade(project)
        assert cloned.refs() == refs, "a dry run fetches nothing"
        if plan.unknown is None:
            assert [str(release.version) for release in plan.releases] == ["0.0.2", "0.0.3"]
        else:
            assert not plan.releases
        done = upgrade_database(project)
    assert [str(release.version) for release in done.releases] == ["0.0.2", "0.0.3"]
    assert cloned.releases() == ALL
    assert cloned.sql("SELECT price FROM product") == [(140,)]
    with project_of(cloned) as project:
        assert not upgrade_database(project).releases, "and again"


@pytest.mark.parametrize("tag", [None, "0.0.2"])
def test_what_is_missing_is_named_where_nothing_is_fetched(place: Playground, tag: str | None) -> None:
    if tag is None:
        clone(place, "--depth=1")
    else:
        check_out_as_actions_do(place, tag)
    refs = place.refs()
    place.hop("upgrade", "--no-fetch").fails(4, "shallow", "nothing was changed", FETCH)
    dry = place.hop("upgrade", "--dry-run").succeeds()
    assert "can be told after a fetch only" in dry.err + dry.out
    place.git("remote", "rename", "origin", "elsewhere")
    with project_of(place) as project:
        for verb in (plan_upgrade, upgrade_database):
            with refused(4, "shallow"):
                verb(project)
    place.git("remote", "rename", "elsewhere", "origin")
    if tag is not None:
        assert place.refs() == refs
    assert place.releases() == ALL[:2]

    # With what the hint says, it goes on.
    place.git(*FETCH.split()[1:], "--force")
    with project_of(place) as project:
        assert len(upgrade_database(project, fetch=False).releases) == 2


def test_a_shallow_clone_that_has_all_it_takes_is_enough(place: Playground) -> None:
    """The newest release is in it, and the database has that."""
    full = replace(place, folder=place.folder.parent / "full")
    replace(place, folder=place.folder.parent).git("clone", "--quiet", origin_of(place), "full")
    with project_of(full) as project:
        upgrade_database(project)
    clone(place, "--depth=1")
    with project_of(place) as project:
        done = upgrade_database(project, fetch=False)
    assert (str(done.after), done.releases) == ("0.0.3", ())
    assert done.code.in_step


def test_a_partial_clone_whose_origin_is_gone_says_so(place: Playground) -> None:
    clone(place, "--filter=blob:none", "--no-checkout")
    place.git("checkout", "--quiet", "HEAD", "--", "pyproject.toml")
    Path(place.folder.parent / "origin.git").rename(place.folder.parent / "gone.git")
    place.hop("upgrade", "--no-fetch").fails(4, "cannot be read from the repository", "nothing was changed")
    assert place.releases() == ALL[:2]


def test_an_origin_without_the_main_branch(place: Playground) -> None:
    clone(place)
    place.with_variables(HOP_MAIN_BRANCH="trunk").hop("upgrade").fails(4, "origin has no branch trunk", "main_branch")
    place.git("remote", "remove", "origin")
    place.with_variables(HOP_MAIN_BRANCH="trunk").hop("upgrade").fails(4, "no branch trunk here", "git fetch")
    assert place.releases() == ALL[:2]
