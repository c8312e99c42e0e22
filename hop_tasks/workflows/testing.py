"""Databases for tests, each for as long as it is used; the pytest plugin gives them as fixtures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from hop_tasks.database.addresses import Address
from hop_tasks.database.engines import explain_errors
from hop_tasks.errors import DatabaseError, HopError, UsageError, hinting
from hop_tasks.registry import read_state
from hop_tasks.templates import copy_for_tests, discard_test
from hop_tasks.versions import Version
from hop_tasks.workflows.benches import Bench
from hop_tasks.workflows.making_templates import copy_of_release, deploy_between
from hop_tasks.workflows.reading import release_reader
from hop_tasks.workflows.recipes import current_version

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

CORRECT = "correct the file, and run the tests again"


@dataclass(frozen=True)
class HopDatabase:
    """A database for tests.

    Attributes:
        url: how SQLAlchemy reaches it, its password included.
        release: the release that it was made at.
    """

    url: URL
    release: Version

    @property
    def name(self) -> str:
        """The database's name."""
        return str(self.url.database)

    @property
    def dsn(self) -> str:
        """Its URL as libpq and other drivers read it, its password included: `postgresql://…`."""
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)

    @property
    def shown(self) -> str:
        """Its URL with the password masked."""
        return Address.of(self.url).shown


@dataclass(frozen=True)
class ReleaseDatabase(HopDatabase):
    """A database for one test, at a release, to be filled with rows and then upgraded."""

    _bring_to: Callable[[HopDatabase, Version | None], Version] = field(repr=False)

    @cached_property
    def engine(self) -> Engine:
        """An engine that keeps no connection open, so that none is in the way of an upgrade."""
        from sqlalchemy import create_engine
        from sqlalchemy.pool import NullPool

        return create_engine(self.url, poolclass=NullPool)

    def upgrade(self, to: Version | str | None = None) -> Version:
        """Bring it to a later release, by default to the one that the tests are about; the release it is at then.

        Raises PatchError for a file that fails, as on rows that it does not fit; it is rolled back. Raises StateError
        for a release that was not made on top of this one, BlockedError for a transaction of the test that is open.
        """
        __tracebackhide__ = True
        try:
            return self._bring_to(self, Version.parse(to) if isinstance(to, str) else to)
        except HopError as error:
            # A test that fails of it shows its own line, the error, and the place in the file; no line of hop.
            if error.details and hasattr(error, "add_note"):
                error.add_note("\n".join(error.details))
            raise error.with_traceback(None) from None


@contextmanager
def prepare_test_database(bench: Bench, *, parallel: bool = False) -> Iterator[HopDatabase]:
    """A database at the release that the tests are about, dropped at the end.

    When `hop release` runs the tests it is the very copy that is proved; or a copy of that, if other processes test
    at the same time (`parallel`). Raises PatchError for a file that fails, StateError, DatabaseError.
    """
    database = bench.workspace.database
    with explain_errors(database.shown), hinting(CORRECT):
        version = current_version(bench.workspace.project, bench.workspace.repository)
        if bench.scratch is not None and not parallel:
            name = None
        elif bench.scratch is not None:
            name = _copy_of_scratch(bench, bench.scratch, version)
        else:
            name = copy_of_release(bench, version)
    if name is None:
        yield HopDatabase(database.url, version)
    else:
        with _used(bench, name):
            yield HopDatabase(database.beside(name).url, version)


@contextmanager
def prepare_release_database(bench: Bench, version: Version | str | None = None) -> Iterator[ReleaseDatabase]:
    """A database at a release, by default at the one that the tests are about, dropped at the end.

    Raises UsageError or StateError for a version that is none here, PatchError for a file that fails, DatabaseError.
    """
    database = bench.workspace.database
    with explain_errors(database.shown), hinting(CORRECT):
        at = Version.parse(version) if isinstance(version, str) else version
        at = at or current_version(bench.workspace.project, bench.workspace.repository)
        name = copy_of_release(bench, at)
    with _used(bench, name):
        yield ReleaseDatabase(database.beside(name).url, at, lambda this, to: _upgrade(bench, this, to))


@contextmanager
def _used(bench: Bench, name: str) -> Iterator[None]:
    try:
        yield
    finally:
        if not bench.keep:
            discard_test(bench.admin, bench.leases, name)


def _copy_of_scratch(bench: Bench, scratch: str, version: Version) -> str:
    note = {"release": str(version), "run": bench.run, "kept": bench.keep}
    try:
        return copy_for_tests(bench.admin, bench.leases, scratch, bench.of, note)
    except DatabaseError as error:
        error.hint = (
            "let all tests that run in parallel with others take their database from hop's fixtures, not from "
            "HOP_DATABASE_URL"
        )
        raise


def _upgrade(bench: Bench, database: HopDatabase, to: Version | None) -> Version:
    workspace = bench.workspace
    with explain_errors(workspace.database.shown), hinting(CORRECT):
        to = to or current_version(workspace.project, workspace.repository)
        with workspace.database.beside(database.name).connect() as connection:
            at = read_state(connection).version
        if to < at:
            raise UsageError(f"{database.name} is at {at} already, and {to} is lower", hint=f"take it at {to}")
        if to > at:
            with release_reader(workspace.repository) as reader:
                deploy_between(bench, reader, database.name, at, to)
        return to
