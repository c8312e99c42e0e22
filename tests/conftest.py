"""Servers, databases and repositories for the tests: real ones, made anew and removed again.

There are the embedded server, and Debian's where they are installed; or the one that HOP_TEST_URL names, alone.
What versions of PostgreSQL may do differently is tested on each, the rest on the first, unless --every-server is given.
"""

from __future__ import annotations

import compileall
import os
import secrets
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

import hop_tasks
from hop_tasks.database.admin import drop_database, marked_databases
from hop_tasks.database.engines import Database
from hop_tasks.database.statements import server_version
from tests.playground import NO_SPARE, Playground
from tests.scratch import write_to_memory
from tests.servers import available_servers
from tests.warm import STOVE
from tests.workflows.shelf import Shelf, shelf

__all__ = ["shelf"]

write_to_memory()

SERVERS = available_servers()

ON_EVERY_SERVER = frozenset({"catalog", "package", "registry"})
"""Folders of tests about what PostgreSQL's versions do differently."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--campaign", action="store_true", help="run the long campaigns too")
    parser.addoption("--every-server", action="store_true", help="run every test on every server, not a share of them")
    parser.addoption("--cold", action="store_true", help="start hop anew in every test, not as a copy of a process")


def pytest_configure(config: pytest.Config) -> None:
    # A shell has what it starts in the background ignore Ctrl-C, and so would each hop that the tests interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        # As pip does; without it, and with PYTHONDONTWRITEBYTECODE, every process of hop would compile all of it anew.
        compileall.compile_dir(str(Path(hop_tasks.__file__).parent), quiet=2)
    STOVE.off = config.getoption("--cold")
    config.addinivalue_line("markers", "campaign: part of a long campaign, run with --campaign only")
    config.addinivalue_line("markers", "cold: hop is the script that pip has installed, if on the first server")
    config.addinivalue_line("markers", "every_server: runs on every server, also without --every-server")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that needs a server runs on the first; on each if its folder or a mark says so, or --every-server."""
    if "server_url" not in metafunc.fixturenames:
        return
    everywhere = (
        metafunc.config.getoption("--every-server")
        or metafunc.definition.path.parent.name in ON_EVERY_SERVER
        or metafunc.definition.get_closest_marker("every_server") is not None
    )
    servers = SERVERS if everywhere else SERVERS[:1]
    ids = [server.name for server in servers]
    metafunc.parametrize("server_url", servers, ids=ids, indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without --campaign, what belongs to a campaign is left out, and counted as deselected."""
    if config.getoption("--campaign"):
        return
    left_out = [item for item in items if item.get_closest_marker("campaign")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("campaign")]


def pytest_report_header() -> str:
    return f"PostgreSQL servers: {', '.join(server.name for server in SERVERS)}"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No variable and no plugin of the machine decides a test, and Git has an identity and no other configuration."""
    for name in list(os.environ):
        if name.startswith(("HOP_", "PG", "GIT_", "INVOKE_")) or name in ("DATABASE_URL", "NO_COLOR"):
            monkeypatch.delenv(name)
    for name, value in NO_SPARE.items():
        monkeypatch.setenv(name, value)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ann Author")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ann@example.com")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.fixture(scope="session")
def server_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a server's maintenance database; the server is stopped at the end."""
    with request.param.running() as url:
        yield url


@pytest.fixture(scope="session")
def server_major(server_url: str) -> int:
    """The major version of the server, such as 18."""
    with Database(make_url(server_url)).administer() as admin:
        return server_version(admin) // 10_000


@pytest.fixture
def database_name(server_url: str) -> Iterator[str]:
    """The name of a database that does not exist; it and all that hop made beside it are dropped at the end."""
    name = f"t_{secrets.token_hex(4)}"
    yield name
    with Database(make_url(server_url)).administer() as admin:
        for mark in marked_databases(admin, name):
            drop_database(admin, mark.database)
        drop_database(admin, name)


@pytest.fixture
def database(server_url: str, database_name: str) -> Database:
    """A database that does not exist yet, on the server of this test."""
    return Database(make_url(server_url)).beside(database_name)


@pytest.fixture
def play(tmp_path: Path, server_url: str, database_name: str, request: pytest.FixtureRequest) -> Playground:
    """A place to run `hop`, `invoke` and git in, on a database of this test."""
    url = make_url(server_url).set(drivername="postgresql", database=database_name)
    cold = request.node.get_closest_marker("cold") and request.node.callspec.params["server_url"] is SERVERS[0]
    return Playground(tmp_path, url.render_as_string(hide_password=False), cold=bool(cold))


def new_project(shelf: Shelf, play: Playground) -> Playground:
    """A project from a new, empty database."""
    play.hop("new", "shop", "--devel").succeeds()
    return play.inside("shop")


@pytest.fixture
def project(play: Playground, shelf: Shelf) -> Playground:
    """The same, in a new project with version tracking on a new database."""
    return shelf.copy(new_project, play)


@pytest.fixture
def other_database(server_url: str) -> Iterator[Callable[[], str]]:
    """Gives URLs of further databases of this test's server that do not exist yet."""
    names: list[str] = []

    def make() -> str:
        names.append(f"t_{secrets.token_hex(4)}")
        return (
            make_url(server_url).set(drivername="postgresql", database=names[-1]).render_as_string(hide_password=False)
        )

    yield make
    with Database(make_url(server_url)).administer() as admin:
        for name in names:
            for mark in marked_databases(admin, name):
                drop_database(admin, mark.database)
            drop_database(admin, name)
