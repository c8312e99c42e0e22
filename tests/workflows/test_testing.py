"""Databases for tests: what state they have, when a template is made, what is left of it all."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import psycopg2
import pytest
from sqlalchemy import make_url, text

from hop_tasks import (
    Bench,
    ReleaseDatabase,
    Version,
    apply_release,
    open_bench,
    prepare_release,
    prepare_release_database,
    prepare_test_database,
)
from hop_tasks.catalog import read_catalog
from hop_tasks.database.engines import Database
from hop_tasks.errors import PatchError
from hop_tasks.names import database_beside
from hop_tasks.templates import KEPT_PREPARED
from tests.playground import Playground
from tests.workflows.calling import project_of, refused
from tests.workflows.diary import Diary
from tests.workflows.shelf import (
    Shelf,
    applied,
    database_of,
    maintain,
    prepared,
    production,
    published,
    url_beside,
)

MAKING = "making the template"


@pytest.fixture
def place(shelf: Shelf, play: Playground) -> Playground:
    """A project that is at 0.0.0, with 0.0.1 in preparation: nothing is applied."""
    return shelf.copy(prepared, play)


@contextmanager
def bench_at(place: Playground, diary: Diary | None = None, **options: Any) -> Iterator[Bench]:
    with project_of(place) as project, open_bench(project, reporter=diary or Diary(), **options) as bench:
        yield bench


@contextmanager
def a_database(place: Playground, **options: Any) -> Iterator[str]:
    """The URL of a database for tests, while there is one."""
    with bench_at(place, **options) as bench, prepare_test_database(bench) as database:
        yield database.dsn


def steps_of(place: Playground, **options: Any) -> int:
    """How many templates a run makes."""
    diary = Diary()
    with a_database(place, diary=diary, **options):
        return diary.count(MAKING)


def for_tests(place: Playground, kind: str = "test") -> set[str]:
    return {name for name in place.databases() if f"_{kind}_" in name}


def rows(database: ReleaseDatabase, query: str) -> list[Any]:
    with database.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


class TestState:
    @pytest.mark.every_server
    def test_it_is_what_apply_makes_rows_included(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(applied, play)
        place.sql("INSERT INTO product VALUES (9, 'typed in by hand', 1)")
        with a_database(place) as url:
            assert place.sql("SELECT id FROM product ORDER BY id", url) == [(1,), (2,), (3,)]
            assert place.releases(url) == ["0.0.0", "0.0.1"]
            catalogs = []
            for one in (place.url, url):
                with Database(make_url(one).set(drivername="postgresql+psycopg2")).connect() as connection:
                    catalogs.append(read_catalog(connection).fingerprint)
        assert catalogs[0] == catalogs[1]

    def test_without_a_snapshot_it_is_built_from_what_is_released(self, place: Playground) -> None:
        with a_database(place) as url:
            assert place.sql("SELECT count(*) FROM product", url) == [(0,)], "the rows of 0.0.0 are in no file"
            assert place.releases(url) == ["0.0.0", "0.0.1"]

    def test_without_a_development_database_too(self, place: Playground) -> None:
        maintain(place, f"DROP DATABASE {database_of(place)}")
        with a_database(place) as url:
            assert place.releases(url) == ["0.0.0", "0.0.1"]

    def test_on_the_main_branch_it_is_at_the_newest_release(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(published, play)
        with bench_at(place) as bench, prepare_test_database(bench) as database:
            assert database.release == Version(0, 0, 3)
            assert place.releases(database.dsn)[-1] == "0.0.3"

    def test_on_a_detached_head_as_in_ci_it_is_at_the_release_in_preparation(self, place: Playground) -> None:
        place.git("checkout", "--quiet", "--detach")
        place.git("branch", "--quiet", "-D", "hop_0.0.1")
        with a_database(place) as url:
            assert place.releases(url) == ["0.0.0", "0.0.1"]

    def test_on_a_branch_off_the_main_one_it_is_at_the_newest_release(self, place: Playground) -> None:
        place.git("switch", "--quiet", "-c", "topic", "hop_main")
        with a_database(place) as url:
            assert place.releases(url) == ["0.0.0"]

    def test_a_file_that_fails_leaves_nothing(self, place: Playground) -> None:
        before = place.databases()
        place.write("Patches/0/0/1/02.sql", "SELECT 1;\nSELECT nonsense;\n")
        with refused(1, "Patches/0/0/1/02.sql:2:8", "run the tests again"), a_database(place):
            pass
        assert place.databases() == before


class TestTemplates:
    def test_the_second_run_makes_none(self, place: Playground) -> None:
        assert steps_of(place) == 1
        assert steps_of(place) == 0
        assert len(for_tests(place, "template")) == 1

    def test_any_file_that_patches_may_read_counts(self, place: Playground) -> None:
        steps_of(place)
        for path, content in {
            "Patches/0/0/1/02.sql": "SELECT 1;",
            "Patches/0/0/1/_rates.py": "RATES = 1",
            "Patches/0/0/1/rates.csv": "1,2",
            "Patches/post/03.sql": "SELECT 1;",
        }.items():
            written = place.write(path, content)
            assert steps_of(place) == 1, path
            written.unlink()

    def test_files_as_they_were_have_the_template_that_they_had(self, place: Playground) -> None:
        steps_of(place)
        extra = place.write("Patches/0/0/1/02.sql", "SELECT 1;")
        steps_of(place)
        extra.unlink()
        assert steps_of(place) == 0

    def test_the_package_counts_where_a_patch_is_in_python(self, place: Playground) -> None:
        steps_of(place)
        place.write("shop/rules.py", "LIMIT = 2\n")
        assert steps_of(place) == 0
        place.write("Patches/0/0/1/02.py", "def apply(connection):\n    import shop.tables\n")
        assert steps_of(place) == 1
        place.write("shop/rules.py", "LIMIT = 3\n")
        assert steps_of(place) == 1
        assert steps_of(place) == 0

    def test_a_fresh_one_is_made_once_a_run(self, place: Playground) -> None:
        steps_of(place)
        assert steps_of(place, fresh=True, run="a") == 1
        assert steps_of(place, fresh=True, run="a") == 0
        assert steps_of(place, fresh=True, run="b") == 1
        assert len(for_tests(place, "template")) == 1

    def test_the_oldest_are_dropped(self, place: Playground) -> None:
        for number in range(KEPT_PREPARED + 1):
            place.write("Patches/0/0/1/02.sql", f"SELECT {number};")
            steps_of(place)
        assert len(for_tests(place, "template")) == KEPT_PREPARED
        assert steps_of(place) == 0

    def test_one_that_is_dropped_by_others_is_made_again(self, place: Playground) -> None:
        steps_of(place)
        (name,) = for_tests(place, "template")
        maintain(place, f"DROP DATABASE {name}")
        assert steps_of(place) == 1

    def test_nobody_can_connect_to_it(self, place: Playground) -> None:
        steps_of(place)
        (name,) = for_tests(place, "template")
        with pytest.raises(psycopg2.OperationalError, match="not currently accepting connections"):
            psycopg2.connect(url_beside(place, name))

    def test_a_database_of_its_name_that_hop_did_not_make_is_left_alone(self, place: Playground) -> None:
        steps_of(place)
        (name,) = for_tests(place, "template")
        maintain(place, f"COMMENT ON DATABASE {name} IS 'mine'")
        with refused(5, f"database {name} is in the way"), a_database(place):
            pass
        assert name in place.databases()
        maintain(place, f"DROP DATABASE {name}")


class TestReleases:
    @pytest.fixture
    def place(self, shelf: Shelf, play: Playground) -> Playground:
        return shelf.copy(published, play)

    def test_rows_that_were_there_go_through_an_upgrade(self, place: Playground) -> None:
        with bench_at(place) as bench, prepare_release_database(bench, "0.0.1") as database:
            with database.engine.begin() as connection:
                connection.execute(text("INSERT INTO product VALUES (7, 'wheel', 70)"))
            assert database.upgrade("0.0.2") == Version(0, 0, 2)
            assert rows(database, "SELECT price FROM product WHERE id = 7") == [(140,)]
            assert database.upgrade() == Version(0, 0, 3)
            assert place.releases(database.dsn) == ["0.0.0", "0.0.1", "0.0.2", "0.0.3"]
            assert database.upgrade() == Version(0, 0, 3), "there is nothing to do any more"

    def test_to_the_release_in_preparation_by_the_files_in_the_tree(self, place: Playground) -> None:
        with project_of(place) as project:
            prepare_release(project, "minor", "countries")
        place.write("Patches/0/1/0/01.sql", "ALTER TABLE customer ADD country text NOT NULL DEFAULT 'FR';")
        with bench_at(place) as bench, prepare_release_database(bench, "0.0.1") as database:
            with database.engine.begin() as connection:
                connection.execute(text("INSERT INTO customer (name) VALUES ('Ann')"))
            assert database.upgrade() == Version(0, 1, 0)
            assert rows(database, "SELECT name, country FROM customer") == [("Ann", "FR")]

    def test_a_file_that_fails_on_the_rows_says_where_and_is_rolled_back(self, place: Playground) -> None:
        with bench_at(place) as bench, prepare_release_database(bench, "0.0.2") as database:
            with database.engine.begin() as connection:
                connection.execute(text("INSERT INTO product VALUES (7, 'gold', 5000)"))
            with pytest.raises(PatchError, match=r"01_cheap.sql:1:1.*product_is_cheap"):
                database.upgrade()
            assert place.releases(database.dsn)[-1] == "0.0.2"

    def test_each_is_another_one_and_its_template_is_made_once(self, place: Playground) -> None:
        diary = Diary()
        with bench_at(place, diary) as bench:
            with (
                prepare_release_database(bench, "0.0.1") as first,
                prepare_release_database(bench, Version(0, 0, 1)) as second,
            ):
                assert first.name != second.name
            assert for_tests(place) == set()
        assert diary.count(MAKING) == 1

    def test_a_version_that_is_none_is_refused(self, place: Playground) -> None:
        with bench_at(place) as bench:
            with refused(7, "there is no release 7.0.0"), prepare_release_database(bench, "7.0.0"):
                pass
            with refused(2, "'newest' is not a version"), prepare_release_database(bench, "newest"):
                pass
            with prepare_release_database(bench, "0.0.2") as database, refused(2, "is at 0.0.2 already"):
                database.upgrade("0.0.1")


class TestPlaces:
    def test_nothing_of_the_development_database_is_touched(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(applied, play)
        before = place.databases()
        with closing(psycopg2.connect(place.url)) as session, session.cursor() as cursor:
            # As a program that holds a lock and a transaction open.
            cursor.execute("LOCK TABLE product IN ACCESS EXCLUSIVE MODE")
            with a_database(place):
                pass
            cursor.execute("SELECT count(*) FROM product")
            session.rollback()
        assert place.databases() - before == for_tests(place, "template")

    def test_hop_goes_on_as_if_they_were_not_there(self, place: Playground) -> None:
        with a_database(place), project_of(place) as project:
            assert apply_release(project).version == Version(0, 0, 1)
            assert len(for_tests(place)) == len(for_tests(place, "template")) == 1
        assert "snapshots       0.0.0\n" in place.hop().succeeds().out

    def test_production_is_refused(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(production, play)
        before = place.databases()
        with refused(6, "this place is production", "pytest"), bench_at(place):
            pass
        with refused(6, "is stamped as production"), bench_at(place.with_variables(HOP_PRODUCTION="0")):
            pass
        assert place.databases() == before

    def test_a_database_that_hop_does_not_know_is_refused(self, place: Playground) -> None:
        place.sql("DROP SCHEMA half_orm_meta CASCADE")
        with refused(7, "has no registry"), bench_at(place):
            pass

    def test_an_empty_one_as_a_ci_service_makes_it_is_not(self, place: Playground) -> None:
        maintain(place, f"DROP DATABASE {database_of(place)}", f"CREATE DATABASE {database_of(place)}")
        with a_database(place) as url:
            assert place.releases(url) == ["0.0.0", "0.0.1"]

    def test_one_of_another_project_is_refused(self, place: Playground) -> None:
        place.sql("UPDATE half_orm_meta.hop_release SET commit = repeat('a', 40)")
        with refused(7, "belongs to another project"), bench_at(place):
            pass

    def test_a_project_without_version_tracking_is_refused(self, place: Playground) -> None:
        with refused(6, "version tracking"), bench_at(place.with_variables(HOP_DEVEL="0")):
            pass


HOLDING = """
import time
from hop_tasks import Project, open_bench, prepare_test_database
with open_bench(Project.find()) as bench, prepare_test_database(bench):
    print("there", flush=True)
    time.sleep(60)
"""


class TestLeftovers:
    def test_of_a_killed_run_are_dropped_and_those_of_one_that_lives_are_not(self, place: Playground) -> None:
        with a_database(place) as living, place.start(sys.executable, "-c", HOLDING) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "there\n"
            with bench_at(place):
                assert len(for_tests(place)) == 2
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            # The server takes a moment to see that its program is gone.
            deadline = time.monotonic() + 10
            while len(for_tests(place)) > 1 and time.monotonic() < deadline:
                with bench_at(place):
                    pass
            assert for_tests(place) == {str(make_url(living).database)}
        assert for_tests(place) == set()

    def test_what_was_copied_and_not_yet_marked_is_dropped(self, place: Playground) -> None:
        steps_of(place)
        (template,) = for_tests(place, "template")
        half, empty = (f"{database_of(place)}_test_{digit * 12}" for digit in "ab")
        maintain(place, f"CREATE DATABASE {half} TEMPLATE {template}", f"CREATE DATABASE {empty} TEMPLATE template0")
        with bench_at(place):
            assert for_tests(place) == set()

    def test_that_is_recognised_where_a_long_name_was_cut(self, place: Playground) -> None:
        long = f"{database_of(place)}_{'x' * 50}"
        half = database_beside(long, "test_" + "a" * 12)
        maintain(place, f"CREATE DATABASE {half} TEMPLATE template0")
        with bench_at(replace(place, url=url_beside(place, long))):
            assert half not in place.databases()

    def test_a_name_alone_decides_nothing(self, place: Playground) -> None:
        """One of the same name that has something else in it, or a comment of a person's, or somebody on it, stays."""
        mine, commented, used = (f"{database_of(place)}_test_{digit * 12}" for digit in "abc")
        maintain(place, *(f"CREATE DATABASE {name} TEMPLATE template0" for name in (mine, commented, used)))
        maintain(place, f"COMMENT ON DATABASE {commented} IS 'of the night'")
        place.sql("CREATE TABLE precious ()", url_beside(place, mine))
        try:
            with closing(psycopg2.connect(url_beside(place, used))), bench_at(place):
                assert for_tests(place) == {mine, commented, used}
        finally:
            maintain(place, *(f"DROP DATABASE {name}" for name in (mine, commented, used)))

    def test_kept_ones_stay_until_others_are_kept(self, place: Playground) -> None:
        with a_database(place, keep=True, run="a") as first:
            pass
        with a_database(place, run="b"), a_database(place, keep=True, run="a"):
            pass
        assert len(for_tests(place)) == 2
        assert str(make_url(first).database) in for_tests(place)
        with a_database(place, keep=True, run="c") as last:
            pass
        assert for_tests(place) == {str(make_url(last).database)}
        assert place.releases(last) == ["0.0.0", "0.0.1"]
