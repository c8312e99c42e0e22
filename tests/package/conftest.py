"""A database for each test, and its generated module, imported."""

from __future__ import annotations

import importlib.util
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import Connection, Engine, create_engine, make_url, text

from tests.package.support import AWKWARD, run_script


@pytest.fixture
def make_engine(server_url: str) -> Iterator[Callable[[], Engine]]:
    """Makes empty databases, which are dropped at the end."""
    server = create_engine(server_url, isolation_level="AUTOCOMMIT")
    made: list[Engine] = []

    def make() -> Engine:
        name = f"package_{secrets.token_hex(4)}"
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
        made.append(create_engine(make_url(server_url).set(database=name)))
        return made[-1]

    yield make
    with server.connect() as connection:
        for engine in made:
            engine.dispose()
            connection.execute(text(f"DROP DATABASE {engine.url.database}"))
    server.dispose()


@pytest.fixture
def engine(make_engine: Callable[[], Engine]) -> Engine:
    """An empty database."""
    return make_engine()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """A connection to an empty database."""
    with engine.connect() as connection:
        yield connection


@pytest.fixture
def awkward(connection: Connection) -> Connection:
    """A connection to a database with everything that is hard to write as Python."""
    run_script(connection, AWKWARD.read_text(encoding="utf-8"))
    connection.commit()
    return connection


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Callable[[str], ModuleType]]:
    """Imports the text of a module under a name of its own."""
    names: list[str] = []

    def load_text(source: str) -> ModuleType:
        name = f"generated_{secrets.token_hex(4)}"
        path = tmp_path / f"{name}.py"
        path.write_text(source, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        names.append(name)
        spec.loader.exec_module(module)
        return module

    yield load_text
    for name in names:
        del sys.modules[name]
