"""The bench of the machine: the real thing beside the model, a command given to both, and what always holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from hypothesis.stateful import RuleBasedStateMachine, invariant

from hop_tasks import HopError, Project, Reporter, Version
from tests.properties.effects import Rows, content_of
from tests.properties.model import Developer, Origin, Production
from tests.properties.world import DEVELOPERS, PRODUCTION, Seen, World
from tests.workflows.calling import project_of
from tests.workflows.shelf import Shelf

Outcome = type[HopError] | None


class Silence:
    """A reporter that says nothing."""

    def step(self, text: str) -> None: ...

    def note(self, text: str) -> None: ...

    def warn(self, text: str) -> None: ...


SILENCE: Reporter = Silence()


def outcome(act: Callable[[], object]) -> Outcome:
    """The class of the error that a command was refused with; None if it did its work."""
    try:
        act()
    except HopError as error:
        return type(error)
    return None


class Bench(RuleBasedStateMachine):
    """Two developers and production, with the model of them.

    Args:
        shelf: where the beginning is copied from.
        tally: command and outcome -> how often it came to that, over all runs.
    """

    def __init__(self, shelf: Shelf, tally: Counter[str]) -> None:
        super().__init__()
        self.tally = tally
        self.world = World.make(shelf)
        self.origin = Origin()
        self.developers = {name: Developer(name, self.origin) for name in DEVELOPERS}
        self.production = Production(self.origin)
        self.number = 0
        self.changed: set[str] = set()
        self.tags: dict[str, dict[Version, str]] = {}
        self.pictures: dict[Rows, tuple[str, dict[str, str]]] = {}

    def teardown(self) -> None:
        self.world.drop()

    def both(self, name: str, what: str, model: Callable[[], object], act: Callable[[Project], object]) -> Outcome:
        """Give a command to the model and to hop: both do it, or refuse it with the same error."""
        expected = outcome(model)
        raised: HopError | None = None
        with project_of(self.world.places[name]) as project:
            try:
                act(project)
            except HopError as error:
                raised = error
        assert (None if raised is None else type(raised)) is expected, f"{what} at {name}: {raised!r}, not {expected}"
        self.changed.add(name)
        self.tally[f"{what} {'done' if expected is None else expected.__name__}"] += 1
        return expected

    def also_git(self, name: str, what: str, model: Callable[[], object], *arguments: str) -> None:
        """The same for a command of git."""
        expected = outcome(model)
        assert self.world.git(name, *arguments) is (expected is None), f"{what} at {name}: not {expected}"
        self.tally[f"{what} {'done' if expected is None else 'refused'}"] += 1

    def next_number(self) -> int:
        self.number += 1
        return self.number

    def those(self, who: Callable[[Developer], object]) -> list[Developer]:
        """The developers for whom something holds."""
        return [developer for developer in self.developers.values() if who(developer)]

    def one_of(self, name: str, who: Callable[[Developer], object]) -> Developer:
        """The developer of that name if it holds for them, else the other."""
        there = self.those(who)
        return next((developer for developer in there if developer.name == name), there[0])

    def some_release(self, which: int) -> Version:
        """A release that somebody knows, but for the empty one that all began with."""
        known = set(self.origin.tags).union(*(developer.tags for developer in self.developers.values()))
        later = sorted(known)[1:]
        return later[which % len(later)]

    @invariant()
    def all_is_as_it_should_be(self) -> None:
        self.check_tags()
        for name in sorted(self.changed):
            seen = self.world.look(name)
            if name == PRODUCTION:
                self.check_production(seen)
            else:
                self.check_development(name, self.developers[name].rows, seen)
        self.changed.clear()

    def check_tags(self) -> None:
        """No tag has moved, and there are those that should be there."""
        for name in ("origin", *DEVELOPERS, PRODUCTION):
            tags = self.world.tags(name)
            for version, commit in self.tags.get(name, {}).items():
                assert tags.get(version) == commit, f"tag {version} moved at {name}"
            self.tags[name] = tags
        assert set(self.tags["origin"]) == set(self.origin.tags)
        for name, developer in self.developers.items():
            assert set(self.tags[name]) == set(developer.tags), name

    def check_production(self, seen: Seen) -> None:
        """No release was skipped or ran twice, and the catalog is the sealed one, unless a release is half done."""
        stored = self.production.stored
        lineage = [release.version for release in self.origin.main.lineage]
        assert list(seen.registry) == lineage[: len(seen.registry)] == [version for version, _ in stored.rows]
        assert seen.registry == {version: self.tags["origin"][version] for version in seen.registry}
        assert seen.content == stored.content
        if not stored.begun:
            assert seen.fingerprint == self.world.sealed(stored.version)
        assert seen.begun == stored.begun

    def check_development(self, name: str, rows: Rows, seen: Seen) -> None:
        """The same releases and files give the same catalog and the same rows, however often they were undone."""
        assert list(seen.registry) == [version for version, _ in rows], name
        assert seen.content == content_of(rows), name
        picture = (seen.fingerprint, seen.rows)
        assert self.pictures.setdefault(rows, picture) == picture, name
