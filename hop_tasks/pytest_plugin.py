"""The pytest plugin: databases at the release that a project is at, as fixtures.

It is loaded by every pytest of an environment that has hop, so it imports nothing before a fixture is used, and says
nothing where there is no project.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from hop_tasks.project import Project
    from hop_tasks.versions import Version
    from hop_tasks.workflows.benches import Bench
    from hop_tasks.workflows.testing import HopDatabase, ReleaseDatabase

URL_VARIABLES = ("HOP_DATABASE_URL", "DATABASE_URL")
KEPT = "hop_kept"
_kept = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    group = parser.getgroup("hop", "databases for tests (hop)")
    group.addoption(
        "--hop-keep", action="store_true", help="keep the databases of hop's fixtures to be looked at; says their URLs"
    )
    group.addoption("--hop-fresh", action="store_true", help="make the templates of hop's databases anew")


def pytest_configure(config: pytest.Config) -> None:
    """Begins the list of the databases that are kept."""
    config.stash[_kept] = []


@pytest.fixture(scope="session")
def _hop_bench(pytestconfig: pytest.Config) -> Iterator[Bench]:
    from hop_tasks.workflows.benches import open_bench

    worker = getattr(pytestconfig, "workerinput", {})
    with ExitStack() as stack:
        with _failing_cleanly():
            bench = stack.enter_context(
                open_bench(
                    _find_project(pytestconfig),
                    run=worker.get("testrunuid"),
                    fresh=pytestconfig.getoption("--hop-fresh"),
                    keep=pytestconfig.getoption("--hop-keep"),
                )
            )
        yield bench


@pytest.fixture(scope="session")
def hop_database(_hop_bench: Bench, pytestconfig: pytest.Config) -> Iterator[HopDatabase]:
    """A database at the release in preparation, or at the newest one: of this run of the tests, or of this worker.

    HOP_DATABASE_URL and DATABASE_URL name it as long as it is there.
    """
    from hop_tasks.workflows.testing import prepare_test_database

    with ExitStack() as stack:
        with _failing_cleanly():
            parallel = hasattr(pytestconfig, "workerinput")
            database = stack.enter_context(prepare_test_database(_hop_bench, parallel=parallel))
        _note_kept(pytestconfig, _hop_bench, database)
        variables = stack.enter_context(pytest.MonkeyPatch.context())
        for name in URL_VARIABLES:
            variables.setenv(name, database.dsn)
        yield database


@pytest.fixture(scope="session")
def hop_engine(hop_database: HopDatabase) -> Iterator[Engine]:
    """An SQLAlchemy engine of `hop_database`. What is committed by it stays there for the tests that follow."""
    from sqlalchemy import create_engine

    engine = create_engine(hop_database.url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def _hop_enclosing_engine(hop_database: HopDatabase) -> Iterator[Engine]:
    from hop_tasks.database.enclosing import enclosing_engine

    engine = enclosing_engine(hop_database.url)
    yield engine
    engine.dispose()


@pytest.fixture
def hop_connection(_hop_enclosing_engine: Engine) -> Iterator[Connection]:
    """An SQLAlchemy connection to `hop_database` in a transaction that is rolled back after the test.

    Code under test may commit and roll back: its commits stay inside. So do those of connections of its engine,
    `hop_connection.engine`, all of which are this one.
    """
    from hop_tasks.database.enclosing import enclosed

    with ExitStack() as stack:
        connection = stack.enter_context(enclosed(_hop_enclosing_engine))
        yield connection
        with _failing_cleanly():
            stack.close()


@pytest.fixture
def hop_release_database(_hop_bench: Bench, pytestconfig: pytest.Config) -> Iterator[Callable[..., ReleaseDatabase]]:
    """Makes databases at a release, such as "1.2.0", by default at the same as `hop_database`; each is dropped after
    the test. Rows are put in by its `engine`, and `upgrade()` brings it to the release that the tests are about."""
    from hop_tasks.workflows.testing import prepare_release_database

    with ExitStack() as stack:

        def make(version: Version | str | None = None) -> ReleaseDatabase:
            __tracebackhide__ = True
            with _failing_cleanly():
                database = stack.enter_context(prepare_release_database(_hop_bench, version))
            _note_kept(pytestconfig, _hop_bench, database)
            return database

        yield make


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Takes over what a worker of pytest-xdist has kept."""
    config = node.config  # type: ignore[attr-defined]
    config.stash[_kept] += getattr(node, "workeroutput", {}).get(KEPT, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says which databases were kept."""
    if not config.stash[_kept]:
        return
    terminalreporter.section("hop: databases kept until the next --hop-keep or --hop-fresh")
    for line in config.stash[_kept]:
        terminalreporter.line(line)


def _note_kept(config: pytest.Config, bench: Bench, database: HopDatabase) -> None:
    # The copy that `hop release` has made is not ours to keep.
    if not bench.keep or database.name == bench.scratch:
        return
    line = f"{database.shown} (made at {database.release})"
    if hasattr(config, "workerinput"):
        config.workeroutput.setdefault(KEPT, []).append(line)  # type: ignore[attr-defined]
    else:
        config.stash[_kept].append(line)


def _find_project(config: pytest.Config) -> Project:
    """The project that pytest's root folder lies in, or else the folder that it was started in."""
    from hop_tasks.errors import ProjectError
    from hop_tasks.project import Project

    try:
        return Project.find(config.rootpath)
    except ProjectError as error:
        first = error
    with suppress(ProjectError):
        return Project.find(config.invocation_params.dir)
    raise first


@contextmanager
def _failing_cleanly() -> Iterator[None]:
    """An error of hop in the body fails the test with what a person needs, and without a traceback through hop."""
    from hop_tasks.errors import HopError

    __tracebackhide__ = True
    try:
        yield
    except HopError as error:
        # pytest's summary has the first line.
        raise pytest.fail.Exception("\n".join([f"hop: {error}", *error.details]), pytrace=False) from None
