"""A database for each test, and its generated module, imported."""

from __future__ import annotations

import importlib
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import Connection, Engine, create_engine, text

from hop_tasks.versions import Version
from tests.package.support import AWKWARD, generate, run_script


@pytest.fixture(scope="session")
def server(server_url: str) -> Iterator[Engine]:
    """The server's maintenance database."""
    engine = create_engine(server_url, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@contextmanager
def temporary_database(server: Engine, template: str = "template0") -> Iterator[Engine]:
    """A copy of a database, dropped at the end."""
    name = f"package_{secrets.token_hex(4)}"
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    # Without the conversions that SQLAlchemy switches on if a database has hstore when it connects.
    engine = create_engine(server.url.set(database=name), use_native_hstore=False)
    yield engine
    engine.dispose()
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name}"))


@pytest.fixture
def make_engine(server: Engine) -> Iterator[Callable[[], Engine]]:
    """Makes empty databases, which are dropped at the end."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(temporary_database(server))


@pytest.fixture
def engine(make_engine: Callable[[], Engine]) -> Engine:
    """An empty database."""
    return make_engine()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """A connection to an empty database."""
    with engine.connect() as connection:
        yield connection


@pytest.fixture(scope="session")
def awkward_database(server: Engine) -> Iterator[str]:
    """The name of a database with everything that is hard to write as Python, to make copies of."""
    with temporary_database(server) as engine:
        with engine.begin() as connection:
            run_script(connection, AWKWARD.read_text(encoding="utf-8"))
        engine.dispose()
        yield str(engine.url.database)


@pytest.fixture(scope="session")
def awkward_source(server: Engine, awkward_database: str) -> dict[str, str]:
    """The texts of its generated tables, at release 1.2.0."""
    with temporary_database(server, awkward_database) as engine, engine.connect() as connection:
        return generate(connection, Version(1, 2, 0))


@pytest.fixture
def awkward(server: Engine, awkward_database: str) -> Iterator[Connection]:
    """A connection to a database with everything that is hard to write as Python."""
    with temporary_database(server, awkward_database) as engine, engine.connect() as connection:
        yield connection


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Mapping[str, str]], ModuleType]]:
    """Imports the package `tables` or `models` from the texts of one, under a name of its own."""
    names: list[str] = []
    monkeypatch.syspath_prepend(str(tmp_path))

    def load_texts(texts: Mapping[str, str]) -> ModuleType:
        name = f"generated_{secrets.token_hex(4)}"
        for path, source in texts.items():
            target = tmp_path / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(source, encoding="utf-8")
        names.append(name)
        return importlib.import_module(f"{name}.{next(iter(texts)).split('/')[0]}")

    yield load_texts
    for module in [module for module in sys.modules if module.split(".")[0] in names]:
        del sys.modules[module]
