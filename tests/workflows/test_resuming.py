"""Commands that were interrupted, given again: what they began comes first, and what they did counts as done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.playground import SCRIPTS, Playground
from tests.workflows.shelf import Shelf, clone, database_of, maintain, published


@pytest.fixture
def developer(shelf: Shelf, play: Playground) -> Playground:
    return shelf.copy(published, play)


@pytest.fixture
def production(developer: Playground, other_database: Callable[[], str]) -> Playground:
    """A production clone with an empty database."""
    place = clone(developer, "production", url=other_database()).production()
    maintain(place, f"CREATE DATABASE {database_of(place)}")
    return place


@contextmanager
def stopped_at(place: Playground, checkpoint: str, signs: Path, *command: str) -> Iterator[Any]:
    """A hop that has come to a checkpoint; it goes on with the file `go` in `signs`."""
    stopping = place.with_variables(HOP_TESTING_CHECKPOINT=f"{checkpoint}={signs}")
    with stopping.start(str(SCRIPTS / "hop"), *command) as process:
        try:
            deadline = time.monotonic() + 60
            while not (signs / "reached").exists():
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.01)
            yield process
        finally:
            process.kill()


class TestABeginningIsAskedForAgain:
    def test_schema_again_after_it_was_loaded(self, production: Playground, tmp_path: Path) -> None:
        with stopped_at(production, "deploy.before_commit", tmp_path, "upgrade", "--schema", "0.0.1") as process:
            process.kill()
        assert production.releases() == ["0.0.1"]
        production.hop("upgrade", "--schema", "0.0.1").succeeds()
        assert production.releases() == ["0.0.1", "0.0.2", "0.0.3"]

    def test_baseline_again_after_it_was_declared(self, production: Playground, tmp_path: Path) -> None:
        production.hop("upgrade", "--schema", "0.0.2", "--to", "0.0.2").succeeds()
        production.sql("DROP SCHEMA half_orm_meta CASCADE")
        production.sql('DROP SCHEMA "half_orm_meta.view" CASCADE')
        with stopped_at(production, "audit.begun", tmp_path, "upgrade", "--baseline", "0.0.2") as process:
            process.kill()
        assert production.releases() == ["0.0.2"]
        production.hop("upgrade", "--baseline", "0.0.2").succeeds()
        assert production.releases() == ["0.0.2", "0.0.3"]


class TestABegunReleaseComesFirst:
    def test_nothing_else_fits_on_half_of_a_release(self, developer: Playground, production: Playground) -> None:
        production.hop("upgrade").succeeds()
        production.sql("INSERT INTO product (id, name, price) VALUES (1, 'bell', 1), (2, 'lock', 1)")
        _release_unique_prices(developer)
        production.hop("upgrade").fails(1, "could not create unique index", "the step before it is done and stays")
        production.hop("upgrade", "--to", "0.0.3").fails(7, "0.0.4 was begun on", "hop upgrade goes on with it")
        production.git("tag", "-d", "0.0.4")
        refused = production.hop("upgrade", "--no-fetch")
        refused.fails(7, "0.0.4 was begun on", "1 of its 2 steps are done", "release 0.0.4 is not here", "hop restore")
        assert production.sql("SELECT array_agg(price ORDER BY id) FROM product") == [([2, 2],)]


class TestTheLockIsLost:
    def test_the_release_is_rolled_back(self, production: Playground, tmp_path: Path) -> None:
        production.hop("upgrade", "--to", "0.0.1").succeeds()
        with stopped_at(production, "deploy.before_registry", tmp_path, "upgrade") as process:
            holder = f"FROM pg_stat_activity WHERE application_name LIKE 'hop upgrade {database_of(production)} %'"
            while production.sql(f"SELECT pg_terminate_backend(pid) {holder}"):
                time.sleep(0.01)
            (tmp_path / "go").touch()
            out, err = process.communicate(timeout=60)
        assert process.returncode == 8, f"{out}\n{err}"
        assert "another hop may be at work; what was not committed was rolled back" in err
        assert production.releases()[-1] == "0.0.1"
        production.hop("upgrade").succeeds()
        assert production.releases()[-1] == "0.0.3"


def _release_unique_prices(developer: Playground) -> None:
    """0.0.4, which is two steps, at origin."""
    developer.hop("prepare", "-l", "patch", "-m", "unique prices").succeeds()
    developer.write("Patches/0/0/4/01_raise.sql", "UPDATE product SET price = price + 1;\n")
    developer.write(
        "Patches/0/0/4/02_unique.sql", "CREATE UNIQUE INDEX CONCURRENTLY product_price ON product (price);\n"
    )
    developer.hop("apply").succeeds()
    developer.commit("unique prices")
    developer.hop("release", "--push").succeeds()
