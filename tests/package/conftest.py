"""A database for each test, and its generated module, imported."""

from __future__ import annotations

import importlib
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import Connection, Engine, create_engine, text

from hop_tasks.versions import Version
from tests.package.support import AWKWARD, NAMES, generate, run_script


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


@contextmanager
def connected(server: Engine, database: str) -> Iterator[Connection]:
    """A connection to a database of the server."""
    engine = create_engine(server.url.set(database=database), use_native_hstore=False)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def import_texts(folder: Path, texts: Mapping[str, str]) -> ModuleType:
    """Write the package `tables` or `models` below a folder in `sys.path`, under a name of its own, and import it."""
    name = f"generated_{secrets.token_hex(4)}"
    for path, source in texts.items():
        target = folder / name / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source, encoding="utf-8")
    return importlib.import_module(f"{name}.{next(iter(texts)).split('/')[0]}")


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
def awkward_database(server: Engine, server_major: int) -> Iterator[str]:
    """The name of a database with everything that is hard to write as Python, to make copies of."""
    with temporary_database(server) as engine:
        script = AWKWARD.read_text(encoding="utf-8")
        with engine.begin() as connection:
            if server_major < 14:
                script = script.replace("int4multirange", "text")
            run_script(connection, script)
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


@pytest.fixture(scope="session")
def nasty_database(server: Engine, awkward_database: str) -> Iterator[str]:
    """The name of a database with still more names that are hard to write as Python, to make copies of."""
    with temporary_database(server, awkward_database) as engine:
        with engine.begin() as connection:
            run_script(connection, NAMES.read_text(encoding="utf-8"))
        engine.dispose()
        yield str(engine.url.database)


@pytest.fixture(scope="session")
def nasty_texts(server: Engine, nasty_database: str) -> Callable[[str], dict[str, str]]:
    """Gives what a generator makes of that database, at release 1.2.0."""

    @cache
    def texts(generator: str) -> dict[str, str]:
        with connected(server, nasty_database) as connection:
            return generate(connection, Version(1, 2, 0), generator)

    return texts


@pytest.fixture(scope="session")
def nasty_models(
    nasty_texts: Callable[[str], dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], ModuleType]]:
    """Gives the imported package of a generator for that database."""
    folder = tmp_path_factory.mktemp("generated")
    before = set(sys.modules)

    @cache
    def imported(generator: str) -> ModuleType:
        return import_texts(folder, nasty_texts(generator))

    sys.path.insert(0, str(folder))
    yield imported
    sys.path.remove(str(folder))
    for module in set(sys.modules) - before:
        if module.startswith("generated_"):
            del sys.modules[module]


@pytest.fixture
def nasty(server: Engine, nasty_database: str) -> Iterator[Connection]:
    """A connection to that database, on which everything is rolled back in the end."""
    with connected(server, nasty_database) as connection:
        connection.execute(text("SET TIME ZONE 'UTC'"))
        yield connection
        connection.rollback()


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Mapping[str, str]], ModuleType]]:
    """Imports the package `tables` or `models` from the texts of one, under a name of its own."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield lambda texts: import_texts(tmp_path, texts)
    for module in set(sys.modules) - before:
        if module.startswith("generated_"):
            del sys.modules[module]
