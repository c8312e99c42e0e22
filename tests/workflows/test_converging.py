"""Commands that are killed between two changes to Git: the same command again makes of it what one would have made."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hop_tasks.checkpoints import VARIABLE
from tests.playground import SCRIPTS, Playground
from tests.workflows.shelf import Shelf, applied, clone, shop, with_origin

DATES = {"GIT_AUTHOR_DATE": "2030-01-02T03:04:05Z", "GIT_COMMITTER_DATE": "2030-01-02T03:04:05Z"}
"""Git makes the same objects of the same content then, so that two outcomes can be compared to the byte."""

REGISTRY = 'SELECT major, minor, patch, "commit", author, checksum FROM half_orm_meta.hop_release ORDER BY 1, 2, 3'


def outcome(place: Playground) -> tuple[object, ...]:
    """All that a release or its preparation makes, here and at origin."""
    origin = place.git("ls-remote", "origin")
    return place.refs(), origin, place.sql(REGISTRY), place.git("status", "--porcelain")


def killed(place: Playground, checkpoint: str, *command: str) -> None:
    """Start hop, and kill it at a checkpoint."""
    folder = place.folder.parent / f"at-{checkpoint}"
    folder.mkdir()
    process = place.with_variables(**{VARIABLE: f"{checkpoint}={folder}"}).start(str(SCRIPTS / "hop"), *command)
    deadline = time.monotonic() + 60
    while not (folder / "reached").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.communicate()


def to_release(shelf: Shelf, play: Playground) -> Playground:
    """0.0.1 is applied and reserved at origin."""
    place = with_origin(shelf.copy(applied, play)).with_variables(HOP_TESTS="none", **DATES)
    place.git("push", "--quiet", "origin", "hop_0.0.1")
    return place


def released_at_once(shelf: Shelf, play: Playground) -> Playground:
    """The same, released and pushed by one command that nothing disturbed."""
    place = shelf.copy(to_release, play)
    place.hop("release", "--push").succeeds()
    return place


class TestRelease:
    @pytest.mark.parametrize(
        "checkpoint",
        [
            "publish.before_push",
            "publish.after_push",
            "publish.after_refs",
            "publish.after_switch",
            "publish.before_branch",
        ],
    )
    def test_the_same_command_again_finishes_it(self, shelf: Shelf, play: Playground, checkpoint: str) -> None:
        place = shelf.copy(to_release, play)
        killed(place, checkpoint, "release", "--push")
        done = place.hop("release", "--push").succeeds()
        assert ("interrupted" in done.out) == (checkpoint != "publish.before_push")
        assert outcome(place) == outcome(shelf.shared(released_at_once))
        assert "pushed hop_main and tag 0.0.1" in done.out

    def test_one_that_was_not_pushed_is_pushed_when_it_is_finished(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(to_release, play)
        killed(place, "publish.after_refs", "release")
        assert "0.0.1" not in place.git("ls-remote", "--tags", "origin")
        place.hop("release", "--push").succeeds()
        assert outcome(place) == outcome(shelf.shared(released_at_once))

    def test_a_branch_with_more_than_was_released_is_left_alone(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(to_release, play)
        killed(place, "publish.after_refs", "release")
        place.write("notes.txt", "of afterwards\n")
        place.commit("more")
        before = outcome(place)
        place.hop("release").fails(7, "0.0.1 is already released")
        assert outcome(place) == before


def shop_with_origin(shelf: Shelf, play: Playground) -> Playground:
    return with_origin(shelf.copy(shop, play)).with_variables(**DATES)


class TestPrepare:
    @pytest.mark.parametrize("checkpoint", ["prepare.after_push", "prepare.after_refs"])
    def test_the_same_command_again_finishes_it(self, shelf: Shelf, play: Playground, checkpoint: str) -> None:
        place = shelf.copy(shop_with_origin, play)
        command = ("prepare", "-l", "minor", "-m", "orders", "--push")
        killed(place, checkpoint, *command)
        assert place.git("branch", "--show-current") == "hop_main"
        place.hop(*command).succeeds()
        branch = place.git("rev-parse", "hop_0.1.0")
        assert place.git("branch", "--show-current") == "hop_0.1.0"
        assert place.git("ls-remote", "origin", "hop_0.1.0").split()[0] == branch
        assert place.git("rev-parse", "hop_0.1.0^") == place.git("rev-parse", "hop_main")
        place.hop(*command).fails(7, "already in preparation", "0.1.0")

    def test_what_a_colleague_reserved_is_not_ones_own(self, shelf: Shelf, play: Playground) -> None:
        ann = shelf.copy(shop_with_origin, play)
        bob = clone(ann, "bob").with_variables(GIT_COMMITTER_NAME="Bob", **DATES)
        killed(ann, "prepare.after_push", "prepare", "-l", "minor", "-m", "orders", "--push")
        before = bob.refs()
        bob.hop("prepare", "-l", "minor", "-m", "orders", "--push").fails(7, "already in preparation at origin")
        assert bob.refs() == before
        bob.git("fetch", "--quiet", "origin")
        bob.hop("prepare", "-l", "minor", "-m", "orders", "--push").fails(7, "already in preparation")


def test_objects_that_cannot_be_written_leave_everything_as_it_was(shelf: Shelf, play: Playground) -> None:
    place = shelf.copy(to_release, play)
    place.git("repack", "-a", "-d", "--quiet")
    place.git("prune-packed")
    before = outcome(place), place.databases()
    fill(place.folder / ".git/objects")
    place.hop("release", "--push").fails(4, "git hash-object failed")
    assert (outcome(place), place.databases()) == before


def fill(objects: Path) -> None:
    """No loose object can be written any more: a file stands where each folder would be."""
    for number in range(256):
        folder = objects / f"{number:02x}"
        if not folder.exists():
            folder.touch()
