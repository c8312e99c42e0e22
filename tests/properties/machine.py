"""Commands in any order, given to the real thing and to the model, which must agree after each of them."""

from __future__ import annotations

from collections.abc import Iterable

import psycopg2
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from hop_tasks import (
    Level,
    Version,
    apply_release,
    prepare_release,
    release_prepared,
    restore_database,
    undo_release,
    upgrade_database,
)
from tests.properties.bench import SILENCE, Bench
from tests.properties.effects import Kind, PatchFile
from tests.properties.model import Developer
from tests.properties.world import DEVELOPERS, PRODUCTION

WHO = st.sampled_from(DEVELOPERS)
LEVELS = st.sampled_from(Level)
KINDS = st.sampled_from(Kind)
SOUND = st.sampled_from([*(kind for kind in Kind if kind is not Kind.BROKEN), Kind.INDEX, Kind.STRICT])
MOSTLY = st.sampled_from([True, True, False])
ANY = st.integers(0, 11)
"""Which of some things that are there, counted around."""


def is_preparing(developer: Developer) -> bool:
    """Whether they are on the branch of a release."""
    return developer.branch is not None


def is_dirty(developer: Developer) -> bool:
    """Whether they have something to commit."""
    return developer.is_dirty


class Cycle(Bench):
    """What two developers and production may do at any moment."""

    # Developers

    @rule(who=WHO, level=LEVELS, push=st.booleans())
    def prepare(self, who: str, level: Level, push: bool) -> None:
        message, developer = f"number {self.next_number()}", self.developers[who]
        self.both(
            who,
            "prepare",
            lambda: developer.prepare(level, push=push),
            lambda project: prepare_release(project, level, message, push=push, reporter=SILENCE),
        )

    @precondition(lambda self: bool(self.those(is_preparing)))
    @rule(who=WHO, kind=KINDS, change=st.booleans())
    def edit(self, who: str, kind: Kind, change: bool) -> None:
        """A patch file is written, or the last one is changed."""
        developer = self.one_of(who, is_preparing)
        assert developer.head is not None and developer.branch is not None
        files, number = developer.branch.files, self.next_number()
        kept, name = (files[:-1], files[-1].name) if change and files else (files, f"{number:04}.sql")
        file = PatchFile(name, kind, number)
        developer.branch.files = (*kept, file)
        self.world.places[developer.name].write(f"Patches/{developer.head.folder}/{name}", file.text)

    @precondition(lambda self: bool(self.those(is_dirty)))
    @rule(who=WHO)
    def commit(self, who: str) -> None:
        developer = self.one_of(who, is_dirty)
        if developer.branch is not None:
            developer.branch.committed = developer.branch.files
            self.world.places[developer.name].commit()

    @precondition(lambda self: bool(self.those(is_preparing)))
    @rule(who=WHO)
    def apply(self, who: str) -> None:
        developer = self.one_of(who, is_preparing)
        self.both(developer.name, "apply", developer.apply, lambda project: apply_release(project, reporter=SILENCE))

    @precondition(lambda self: bool(self.those(lambda one: one.rows != one.main.rows)))
    @rule(who=WHO)
    def undo(self, who: str) -> None:
        developer = self.one_of(who, lambda one: one.rows != one.main.rows)
        self.both(developer.name, "undo", developer.undo, lambda project: undo_release(project, reporter=SILENCE))

    @precondition(lambda self: bool(self.those(is_preparing)))
    @rule(who=WHO, push=st.booleans())
    def release(self, who: str, push: bool) -> None:
        serial, developer = self.next_number(), self.one_of(who, is_preparing)
        self.both(
            developer.name,
            "release",
            lambda: developer.release(serial, push=push),
            lambda project: release_prepared(project, push=push, reporter=SILENCE),
        )

    @rule(who=WHO, level=LEVELS, kinds=st.lists(SOUND, max_size=4), push=MOSTLY)
    def all_of_a_release(self, who: str, level: Level, kinds: Iterable[Kind], push: bool) -> None:
        """What a developer mostly does, since chance alone rarely comes to a release."""
        self.pull(who)
        self.prepare(who, level, False)
        for kind in kinds if self.developers[who].branch else ():
            self.edit(who, kind, False)
        if self.developers[who].is_dirty:
            self.commit(who)
        if self.developers[who].branch:
            self.apply(who)
            self.release(who, push)

    @rule(who=WHO, version=ANY)
    def go_back(self, who: str, version: int) -> None:
        """The development database at a release."""
        developer, wanted = self.developers[who], self.some_release(version)
        self.both(
            who,
            "restore in development",
            lambda: developer.restore(wanted),
            lambda project: restore_database(project, wanted, drop_replaced=True, reporter=SILENCE),
        )

    @rule(who=WHO, which=ANY)
    def switch(self, who: str, which: int) -> None:
        developer = self.developers[who]
        if developer.is_dirty:
            return
        heads = [None, *sorted(developer.branches)]
        developer.head = heads[which % len(heads)]
        branch = "hop_main" if developer.head is None else f"hop_{developer.head}"
        assert self.world.git(who, "switch", "--quiet", branch)

    @precondition(lambda self: bool(self.those(lambda one: one.main is not self.origin.main)))
    @rule(who=WHO)
    def push(self, who: str) -> None:
        developer = self.one_of(who, lambda one: one.main is not self.origin.main)
        self.also_git(developer.name, "push", developer.push, "push", "--atomic", "--follow-tags", "origin", "hop_main")

    @precondition(lambda self: bool(self.those(lambda one: one.is_behind)))
    @rule(who=WHO)
    def pull_what_is_new(self, who: str) -> None:
        self.pull(self.one_of(who, lambda one: one.is_behind).name)

    def pull(self, who: str) -> None:
        developer = self.developers[who]
        if developer.is_dirty:
            return
        developer.head = None
        assert self.world.git(who, "switch", "--quiet", "hop_main")
        self.also_git(who, "fetch", developer.fetch, "fetch", "--prune", "--tags", "origin")
        self.also_git(who, "merge", developer.fast_forward, "merge", "--ff-only", "origin/hop_main")

    @precondition(lambda self: bool(self.those(lambda one: one.is_stuck)))
    @rule(who=WHO)
    def give_up(self, who: str) -> None:
        self.start_over(self.one_of(who, lambda one: one.is_stuck).name)

    def start_over(self, who: str) -> None:
        """Who can release nothing any more gives up what is not at origin."""
        developer, git = self.developers[who], self.world.git
        self.check_tags()
        here, there = set(developer.tags), set(self.origin.tags)
        branches = [f"hop_{version}" for version in developer.branches]
        reserved = [f"hop_{version}" for version in developer.branches if self.origin.reserved.get(version) == who]
        developer.start_over()
        assert git(who, "reset", "--quiet", "--hard") and git(who, "clean", "-fdq")
        assert git(who, "switch", "--quiet", "hop_main")
        if reserved:
            assert git(who, "push", "--quiet", "origin", "--delete", *reserved)
        if branches:
            assert git(who, "branch", "--quiet", "-D", *branches)
        # A tag that origin has of another release is fetched anew.
        given_up = [version for version in here if version not in there or self.tags_clash(who, version)]
        if given_up:
            assert git(who, "tag", "--delete", *map(str, given_up))
        for version in given_up:
            del self.tags[who][version]
        assert git(who, "fetch", "--quiet", "--prune", "--tags", "origin")
        assert git(who, "reset", "--quiet", "--hard", "origin/hop_main")

    def tags_clash(self, who: str, version: Version) -> bool:
        return self.tags[who][version] != self.tags["origin"][version]

    # Production

    @rule(to=st.none() | ANY)
    def upgrade(self, to: int | None) -> None:
        target = None if to is None else self.some_release(to)
        self.both(
            PRODUCTION,
            "upgrade",
            lambda: self.production.upgrade(target),
            lambda project: upgrade_database(project, to=target, reporter=SILENCE),
        )

    @precondition(lambda self: self.production.backups or self.production.replaced)
    @rule(version=ANY, drop=st.booleans())
    def restore(self, version: int, drop: bool) -> None:
        there = sorted({*self.production.backups, *(stored.version for stored in self.production.replaced)})
        wanted = there[version % len(there)] if there and version % 4 else self.some_release(version)
        self.both(
            PRODUCTION,
            "restore",
            lambda: self.production.restore(wanted, drop=drop),
            lambda project: restore_database(project, wanted, drop_replaced=drop, reporter=SILENCE),
        )

    @rule(bad=MOSTLY)
    def type_in(self, bad: bool) -> None:
        """A row in production, where not every release can stand it."""
        entry, stored = self.next_number() * (-1 if bad else 1), self.production.stored
        try:
            self.world.places[PRODUCTION].sql(f"INSERT INTO entry VALUES ({entry})")
        except psycopg2.errors.CheckViolation:
            assert stored.content.is_strict and bad
        else:
            assert not (bad and stored.content.is_strict)
            self.production.put(stored.content.typed(entry))
        self.changed.add(PRODUCTION)

    @rule(who=WHO, kinds=st.lists(SOUND, max_size=3))
    def release_what_production_cannot_stand(self, who: str, kinds: list[Kind]) -> None:
        """A release that fails there, where an index has been built before."""
        self.type_in(True)
        self.all_of_a_release(who, Level.PATCH, [Kind.DOUBLE, Kind.INDEX, *kinds, Kind.STRICT, Kind.DOUBLE], True)
        self.upgrade(None)

    @precondition(lambda self: any(entry <= 0 for entry in self.production.stored.content.entries))
    @rule()
    def put_right(self) -> None:
        """The rows are removed that some release cannot stand."""
        self.world.places[PRODUCTION].sql("DELETE FROM entry WHERE k <= 0")
        self.production.put(self.production.stored.content.without_bad_entries())
        self.changed.add(PRODUCTION)
