"""Asking a database whether it is at the release of the code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from types import ModuleType

import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import ProgrammingError

from hop_tasks.registry import create_registry
from hop_tasks.versions import Version
from tests.database.connecting import over
from tests.package.support import generate, run_script

Load = Callable[[Mapping[str, str]], ModuleType]

RELEASE = "INSERT INTO half_orm_meta.hop_release (major, minor, patch, pre_release) VALUES "


@pytest.fixture
def code(connection: Connection, load: Load) -> ModuleType:
    """The generated code of release 1.10.0."""
    return load(generate(connection, Version(1, 10, 0)))


@pytest.mark.parametrize(
    ("releases", "state", "said"),
    [
        (None, "not initialised", "the database has no releases, the code was made for 1.10.0"),
        ("", "not initialised", "the database has no releases"),
        ("(1, 9, 0, ''), (1, 10, 0, '')", "equal", "the database is at 1.10.0, the code was made for 1.10.0"),
        ("(1, 9, 9, '')", "database behind", "the database is at 1.9.9, the code was made for 1.10.0"),
        ("(1, 9, 9, ''), (1, 10, 0, 'rc')", "database behind", "the database is at 1.9.9"),
        ("(1, 10, 0, ''), (1, 11, 0, '')", "code behind", "the database is at 1.11.0"),
        ("(2, 0, 0, '')", "code behind", "the database is at 2.0.0"),
    ],
)
def test_both_releases_are_compared(
    connection: Connection, code: ModuleType, releases: str | None, state: str, said: str
) -> None:
    if releases is not None:
        create_registry(over(connection), production=False)
    if releases:
        run_script(connection, RELEASE + releases)
    found = code.check(connection)
    assert found.state.value == state
    assert bool(found) is (state == "equal")
    assert str(found).startswith(f"{state}: {said}")


def test_it_is_one_query_that_leaves_the_transaction_usable(engine: Engine, code: ModuleType) -> None:
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    with engine.connect() as connection:
        connection.execute(text("SET TRANSACTION READ ONLY"))
        statements.clear()
        assert not code.check(connection)
        assert len(statements) == 1
        assert connection.execute(text("SELECT 1")).scalar() == 1
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        assert code.check(connection).state is code.ReleaseState.NOT_INITIALISED


def test_a_role_that_may_not_read_the_registry_is_told_so(connection: Connection, code: ModuleType) -> None:
    create_registry(over(connection), production=False)
    run_script(connection, RELEASE + "(1, 10, 0, ''); CREATE ROLE release_reader; SET LOCAL ROLE release_reader")
    with pytest.raises(ProgrammingError, match="permission denied for schema half_orm_meta"), connection.begin_nested():
        code.check(connection)
    run_script(connection, "RESET ROLE; GRANT USAGE ON SCHEMA half_orm_meta TO release_reader")
    run_script(connection, "GRANT SELECT ON half_orm_meta.hop_release TO release_reader; SET LOCAL ROLE release_reader")
    assert code.check(connection)


def test_code_without_version_tracking(connection: Connection, load: Load) -> None:
    code = load(generate(connection, None))
    assert code.check(connection).state is code.ReleaseState.NOT_INITIALISED
    create_registry(over(connection), production=False)
    run_script(connection, RELEASE + "(1, 0, 0, '')")
    assert code.check(connection).state is code.ReleaseState.CODE_BEHIND


def test_it_needs_nothing_but_sqlalchemy(code: ModuleType) -> None:
    """As in production, where hop is not installed."""
    folder = code.__path__[0]
    program = f"import sys; sys.path[:0] = [{folder!r}]; import _release; print(_release.check.__name__)"
    program += "; assert not any(name.startswith(('hop_tasks', 'sqlacodegen', 'psycopg')) for name in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == "check\n"
