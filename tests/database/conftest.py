"""Fixtures of the tests of servers and client programs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

from hop_tasks.database.clients import find_client
from hop_tasks.database.embedded import EmbeddedServer
from tests.database.connecting import connect
from tests.database.embedding import end, start


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short name that every account can reach; servers below it are ended at the end."""
    folder = Path(tempfile.mkdtemp(prefix="hop-t-"))
    folder.chmod(0o755)
    yield folder
    for lock in folder.rglob("*.lock"):
        if not lock.name.startswith(".s."):
            end(lock.with_name(lock.name.removesuffix(".lock")))
    shutil.rmtree(folder)


@pytest.fixture
def data(place: Path) -> Path:
    return place / "project" / ".hop" / "pgdata"


@pytest.fixture(scope="module")
def shared() -> Iterator[EmbeddedServer]:
    """A server for tests that change nothing of it."""
    folder = Path(tempfile.mkdtemp(prefix="hop-t-"))
    folder.chmod(0o755)
    try:
        yield start(folder / "pgdata")
    finally:
        end(folder / "pgdata")
        shutil.rmtree(folder)


@pytest.fixture
def url(server_url: str) -> URL:
    return make_url(server_url)


@pytest.fixture
def version(url: URL) -> int:
    with closing(connect(url)) as connection:
        return int(connection.info.server_version)


@pytest.fixture
def psql(version: int) -> Path:
    return find_client("psql", version)
