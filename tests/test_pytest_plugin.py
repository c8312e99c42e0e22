"""The pytest plugin, as real runs of pytest find it in projects made by hop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.playground import Playground
from tests.workflows.shelf import Shelf, applied, prepared, production, url_beside

pytest_plugins = ["pytester"]

Run = Callable[..., pytest.RunResult]

IMPORTS = """
import os, sys
from pathlib import Path
import pytest
from sqlalchemy import text

def customers(connection):
    return connection.execute(text("SELECT name FROM customer ORDER BY name")).scalars().all()

def add(connection, name):
    connection.execute(text("INSERT INTO customer (name) VALUES (:name)"), {"name": name})
"""

ROLLED_BACK = """
@pytest.mark.parametrize("turn", ["first", "second"])
def test_code_that_commits(hop_connection, turn):
    assert customers(hop_connection) == []
    add(hop_connection, turn)
    hop_connection.commit()
    add(hop_connection, "given up")
    hop_connection.rollback()
    with hop_connection.engine.begin() as other:
        add(other, "by its engine")
    assert customers(hop_connection) == ["by its engine", turn]

def test_code_that_has_an_engine(hop_engine, hop_database, hop_connection):
    with hop_engine.begin() as one, hop_engine.connect() as two:
        assert customers(one) == customers(two) == customers(hop_connection) == []
    assert hop_engine.url == hop_database.url
    assert os.environ["DATABASE_URL"] == os.environ["HOP_DATABASE_URL"] == hop_database.dsn
    assert str(hop_database.release) == "0.0.1"

def test_an_upgrade_with_rows_in_it(hop_release_database):
    database, other = hop_release_database("0.0.0"), hop_release_database()
    with database.engine.begin() as connection:
        connection.execute(text("INSERT INTO product VALUES (8, 'horn', 80)"))
    assert str(database.upgrade()) == "0.0.1"
    with database.engine.connect() as connection:
        assert customers(connection) == []
        assert connection.execute(text("SELECT price FROM product WHERE id = 8")).scalar_one() == 80
    assert database.name != other.name

def test_sql_that_commits(hop_connection):
    add(hop_connection, "escaped")
    hop_connection.exec_driver_sql("COMMIT")
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs pytest at a place, with the plugin and no others but those that are named."""

    def run_at(place: Playground, *arguments: str, plugins: str = "hop_tasks.pytest_plugin") -> pytest.RunResult:
        monkeypatch.chdir(place.folder)
        for name, value in place.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PYTEST_PLUGINS", plugins)
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments, timeout=120)

    return run_at


@pytest.fixture
def place(shelf: Shelf, play: Playground) -> Playground:
    return shelf.copy(prepared, play)


def for_tests(place: Playground) -> set[str]:
    return {name for name in place.databases() if "_test_" in name}


def test_fixtures_give_databases_that_each_test_finds_as_they_were(run: Run, place: Playground) -> None:
    place.write("tests/test_shop.py", IMPORTS + ROLLED_BACK)
    done = run(place)
    done.assert_outcomes(passed=5, errors=1)
    done.stdout.fnmatch_lines(
        ["*ERROR at teardown of test_sql_that_commits*", "hop: a COMMIT or ROLLBACK in SQL has ended the transaction *"]
    )
    assert for_tests(place) == set()
    assert place.sql("SELECT to_regclass('customer')") == [(None,)], "the development database is at 0.0.0"


NAMES = """
def pytest_generate_tests(metafunc):
    metafunc.parametrize("number", range(6))

def test_one(hop_database, number):
    Path("databases.txt").open("a").write(hop_database.name + "\\n")
"""


def test_parallel_workers_have_a_database_each_and_make_the_template_once(run: Run, place: Playground) -> None:
    place.write(
        "Patches/0/0/1/02.py",
        "import pathlib, time\n\ndef apply(connection):\n    time.sleep(0.5)\n"
        "    pathlib.Path('made.txt').open('a').write('made\\n')\n",
    )
    place.write("tests/test_shop.py", IMPORTS + NAMES)
    run(place, "-n2", "--dist=each", "--tx=2*popen", plugins="hop_tasks.pytest_plugin,xdist").assert_outcomes(passed=12)
    assert len(set(place.read("databases.txt").split())) == 2
    assert place.read("made.txt") == "made\n"
    assert for_tests(place) == set()
    done = run(place, "-n1", "--hop-fresh", "--hop-keep", plugins="hop_tasks.pytest_plugin,xdist")
    done.assert_outcomes(passed=6)
    assert place.read("made.txt") == "made\nmade\n"
    (kept,) = for_tests(place)
    done.stdout.fnmatch_lines(["*databases kept until*", f"postgresql://*{kept}* (made at 0.0.1)"])
    assert place.releases(url_beside(place, kept)) == ["0.0.0", "0.0.1"]


BROKEN = """
def test_one(hop_connection):
    pass

def test_two(hop_release_database):
    hop_release_database("0.0.0").upgrade()

def test_three():
    pass
"""


def test_a_file_that_fails_is_one_clean_error(run: Run, place: Playground) -> None:
    place.write("Patches/0/0/1/02_vat.sql", "SELECT 1;\nCREATE TABLE vat (rate numeric NOT NUL);\n")
    place.write("tests/test_shop.py", IMPORTS + BROKEN)
    done = run(place)
    done.assert_outcomes(passed=1, failed=1, errors=1)
    done.stdout.fnmatch_lines(
        [
            "*ERROR at setup of test_one*",
            'hop: Patches/0/0/1/02_vat.sql:2:36: syntax error at or near "NUL"; *. Next: correct the file, and run *',
            "  2 | CREATE TABLE vat (rate numeric NOT NUL);",
            "    |                                    ^",
            '>       hop_release_database("0.0.0").upgrade()',
            "E       hop_tasks.errors.PatchError: Patches/0/0/1/02_vat.sql:2:36: *",
        ]
    )
    assert "Traceback" not in done.stdout.str()
    assert "site-packages" not in done.stdout.str()


def test_production_is_refused_in_one_line(run: Run, shelf: Shelf, play: Playground) -> None:
    place = shelf.copy(production, play).with_variables(HOP_PRODUCTION="")
    before = place.databases()
    place.write("tests/test_shop.py", "def test_one(hop_database):\n    pass\n")
    done = run(place)
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["hop: database * is stamped as production; pytest could lose its data and was refused*"])
    assert place.databases() == before


LIGHT = """
import sys

def test_nothing_was_imported():
    assert not {"sqlalchemy", "psycopg2", "git", "rich", "postgast"} & sys.modules.keys()
"""


def test_where_no_fixture_is_used_it_is_not_noticed(run: Run, play: Playground) -> None:
    """In no project, in one whose settings are wrong, and where the server does not run."""
    play.write("test_light.py", LIGHT)
    for settings in ("", "[tool.hop]\nname = 5\nnonsense = 1\n", "[tool.hop]\nname = 'shop'\npackage = 'shop'\n"):
        play.write("pyproject.toml", settings)
        done = run(play, "-W", "error")
        done.assert_outcomes(passed=1)
        assert "hop" not in done.stdout.str().replace(str(play.folder), "").replace("[tool.hop]", "")
        assert done.stderr.str() == ""


def test_a_fixture_says_what_is_wrong_with_the_project(run: Run, play: Playground) -> None:
    play.write("test_one.py", "def test_one(hop_database):\n    pass\n")
    run(play).stdout.fnmatch_lines(["hop: * is not in a project *"])
    play.write("pyproject.toml", "[tool.hop]\nname = 5\n")
    run(play).stdout.fnmatch_lines(["hop: * wrong settings: *"])


RELEASED = """
SCRATCH = os.environ["HOP_DATABASE_URL"]

@pytest.mark.parametrize("number", range(4))
def test_one(hop_connection, hop_database, number):
    assert hop_connection.execute(text("SELECT count(*) FROM product")).scalar_one() == 3
    assert (hop_database.dsn == SCRATCH) == (os.environ["PARALLEL"] == "no")
    assert str(hop_database.release) == "0.0.1"
    add(hop_connection, "Ann")
    hop_connection.commit()

def test_rows(hop_release_database):
    assert str(hop_release_database("0.0.0").upgrade()) == "0.0.1"
"""


@pytest.mark.parametrize("parallel", [False, True], ids=["alone", "parallel"])
def test_release_runs_them_against_the_copy_that_it_proves(
    shelf: Shelf, play: Playground, monkeypatch: pytest.MonkeyPatch, parallel: bool
) -> None:
    place = shelf.copy(applied, play).with_variables(
        HOP_TESTS="pytest -q -n 1" if parallel else "pytest -q", PARALLEL="yes" if parallel else "no"
    )
    place.write("tests/test_shop.py", IMPORTS + RELEASED)
    place.commit("tests")
    # The entry point, as pip has installed it.
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    done = place.hop("release").succeeds()
    assert "5 passed" in done.out
    assert for_tests(place) == set()
