"""Servers, databases and repositories for the tests: real ones, made anew and removed again.

There are the embedded server, and Debian's where they are installed; or the one that HOP_TEST_URL names, alone.
What versions of PostgreSQL may do differently is tested on each, the rest on the first, unless --every-server is given.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from hop_tasks.database.admin import drop_database, marked_databases
from hop_tasks.database.engines import Database
from tests.playground import Playground
from tests.servers import available_servers
from tests.workflows.shelf import Shelf, shelf

__all__ = ["shelf"]

SERVERS = available_servers()

ON_EVERY_SERVER = frozenset({"catalog", "package", "registry"})
"""Folders of tests about what PostgreSQL's versions do differently."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every-server", action="store_true", help="run every test on every server, not a share of them")


def pytest_configure(config: pytest.Config) -> None:
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


def pytest_report_header() -> str:
    return f"PostgreSQL servers: {', '.join(server.name for server in SERVERS)}"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No variable of the machine decides a test, and Git has an identity and no configuration of the machine."""
    for name in list(os.environ):
        if name.startswith(("HOP_", "PG", "GIT_", "INVOKE_")) or name in ("DATABASE_URL", "NO_COLOR"):
            monkeypatch.delenv(name)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ann Author")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ann@example.com")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")


@pytest.fixture(scope="session")
def server_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server's maintenance database; the server is stopped at the end."""
    with request.param.running(tmp_path_factory.mktemp(request.param.name.replace(" ", ""))) as url:
        yield url


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
    return Playground(tmp_path, url.render_as_string(hide_password=False))


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
