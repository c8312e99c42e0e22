"""What a release costs in an upgrade, counted: round trips, processes and files, whatever the number of releases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from tests.counting import counted
from tests.histories import Patch, a_function, a_table, version_of, write_history
from tests.playground import Playground
from tests.workflows.shelf import database_of, maintain

FEW, MANY = 20, 60

Production = Callable[..., Playground]


@pytest.fixture
def production(play: Playground) -> Production:
    """Makes a production clone with a history, on a new, empty database."""

    def make(releases: int, **options: object) -> Playground:
        folder = write_history(play.folder / f"{releases}", releases, **options)  # type: ignore[arg-type]
        maintain(play, f"DROP DATABASE IF EXISTS {database_of(play)}", f"CREATE DATABASE {database_of(play)}")
        return replace(play, folder=folder).production().with_variables(HOP_BACKUP_FORMAT="none")

    return make


@pytest.mark.parametrize(("patch", "statements", "files"), [(a_table, 1, 1), (a_function, 4, 2)])
def test_a_release_costs_a_few_round_trips_and_neither_processes_nor_files(
    production: Production, patch: Patch, statements: int, files: int
) -> None:
    """BEGIN with what precedes the first file, one between two files, COMMIT with the registry row and all checks."""
    few, many = (counted(production(releases, patch=patch), "upgrade") for releases in (FEW, MANY))
    own = (many.round_trips - few.round_trips) / (MANY - FEW) - statements
    assert own == 1 + files <= 3
    assert (many.processes, many.files) == (few.processes, few.files)


def test_what_is_up_to_date_costs_the_same_however_many_releases_it_has(production: Production) -> None:
    again, one_more = [], []
    for releases in (FEW, MANY):
        place = production(releases)
        last, before = str(version_of(releases)), str(version_of(releases - 1))
        counted(place, "upgrade", "--to", before)
        one_more.append(counted(place, "upgrade", "--to", last))
        again.append(counted(place, "upgrade"))
    assert again[0] == again[1]
    assert one_more[0] == one_more[1]
    assert again[0].round_trips < 20
    assert again[0].processes <= 10


def mixed(number: int) -> Mapping[str, str]:
    """SQL and Python by turns, and a session that is left otherwise than it was."""
    if number % 2:
        return {"01.py": f"def apply(connection):\n    connection.exec_driver_sql('CREATE TABLE item_{number} ()')\n"}
    spoiling = "SET client_encoding = 'LATIN1';\nSET standard_conforming_strings = off;\nSET search_path = '';\n"
    return {**a_table(number), "02.sql": f"COMMENT ON TABLE item_{number} IS 'spoilt';\n{spoiling}"}


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_what_the_registry_gets_does_not_depend_on_what_a_file_has_set(
    production: Production, object_format: str
) -> None:
    message = r"für {} \ Größen, 100 % 'neu'"
    place = production(9, patch=mixed, message=message, object_format=object_format)
    place.hop("upgrade").succeeds()
    found = place.sql("SELECT changelog, author, tag, commit FROM half_orm_meta.hop_release ORDER BY patch OFFSET 1")
    for number, row in enumerate(found, 1):
        commit = place.git("rev-parse", f"{version_of(number)}^{{commit}}")
        assert row == (message.format(number), "Ann Author <ann@example.com>", str(version_of(number)), commit)
    assert len(found) == 9
