"""A server for the faults, which nobody else uses, and the places on it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from hop_tasks.database.admin import drop_database, marked_databases
from hop_tasks.database.engines import Database
from tests.faults.servers import CrashingServer, crashing_server
from tests.playground import Playground
from tests.servers import reachable_folder
from tests.workflows.shelf import Shelf


@pytest.fixture(scope="session")
def crashing() -> Iterator[CrashingServer]:
    """The server that the faults befall."""
    with reachable_folder() as folder, crashing_server(folder) as server:
        yield server


@pytest.fixture(scope="session")
def fault_shelf(crashing: CrashingServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Places on that server, made once."""
    made = Shelf(tmp_path_factory.mktemp("faults"), crashing.url)
    yield made
    made.drop()


@pytest.fixture
def ground(crashing: CrashingServer, tmp_path: Path) -> Iterator[Playground]:
    """A folder and a database that does not exist yet; all that hop made beside it is dropped at the end."""
    name = f"t_{secrets.token_hex(4)}"
    url = make_url(crashing.url).set(drivername="postgresql", database=name)
    yield Playground(tmp_path, url.render_as_string(hide_password=False))
    with Database(make_url(crashing.url)).administer() as admin:
        for mark in marked_databases(admin, name):
            drop_database(admin, mark.database)
        drop_database(admin, name)
