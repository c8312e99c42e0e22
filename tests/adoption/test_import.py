"""`hop import`: another tool's migrations become the patch files of the release in preparation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from hop_tasks import Tool, import_migrations, plan_import
from tests.adoption.importing import importable, patch_files, set_aside, written
from tests.playground import Playground
from tests.workflows.calling import project_of, refused
from tests.workflows.shelf import Shelf

FLYWAY = {
    "V1__Tables for the shop.sql": "CREATE TABLE a (id integer);\n",
    "V2__rows.sql": "COPY a FROM stdin;\n1\n2\n\\.\n",
    "V3__.sql": "-- nothing yet\n",
    "R__views.sql": "CREATE OR REPLACE VIEW b AS SELECT id FROM a;\n",
    "U2__rows.sql": "DELETE FROM a;\n",
}
WRITTEN = ["01_tables_for_the_shop.sql", "02_rows.sql", "03_views.sql"]


@pytest.fixture
def place(shelf: Shelf, play: Playground) -> Playground:
    return shelf.copy(importable, play)


@pytest.fixture
def flyway(tmp_path: Path) -> Path:
    files = {path: text for path, text in FLYWAY.items() if path != "V3__.sql"} | {"V3__empty.sql": FLYWAY["V3__.sql"]}
    return written(tmp_path / "flyway", files)


def test_it_is_said_done_applied_and_released(place: Playground, flyway: Path) -> None:
    for command in (("import", str(flyway), "--dry-run"), ("--dry", "import", str(flyway))):
        told = place.hop(*command).succeeds().out
        assert "Patches/0/1/0/03_views.sql  from R__views.sql" in told
        assert "nothing was changed" in told
        assert place.git("status", "--porcelain") == ""
    told = place.invoke("import", str(flyway)).succeeds().out
    assert "3 migrations of flyway became patch files of 0.1.0" in told
    assert "U2__rows.sql (undoes a migration); not run" in told
    assert "V3__empty.sql has no statement" in told
    assert (list(patch_files(place)), set_aside(place)) == (WRITTEN, ["U2__rows.sql"])
    assert patch_files(place)["02_rows.sql"] == FLYWAY["V2__rows.sql"]
    place.hop("apply").succeeds()
    assert place.sql("SELECT array_agg(id) FROM b") == [([1, 2],)]
    place.commit()
    place.with_variables(HOP_TESTS="none").hop("release").succeeds()


def test_the_library_says_what_it_did(place: Playground, flyway: Path) -> None:
    with project_of(place) as project:
        planned = plan_import(project, flyway)
        assert import_migrations(project, flyway, tool=Tool.FLYWAY) == planned
    assert (str(planned.version), [file.source for file in planned.files][-1]) == ("0.1.0", "R__views.sql")


def test_more_comes_after_what_is_there(place: Playground, flyway: Path, tmp_path: Path) -> None:
    with project_of(place) as project:
        import_migrations(project, flyway)
        import_migrations(project, written(tmp_path / "more", {"7_more.sql": "SELECT 1;\n"}))
        assert list(patch_files(place)) == [*WRITTEN, "04_more.sql"]
        with refused(2, "7_more.sql is there already, as Patches/0/1/0/04_more.sql", "nothing was imported"):
            import_migrations(project, tmp_path / "more")
    assert list(patch_files(place)) == [*WRITTEN, "04_more.sql"]


def test_a_transaction_around_a_whole_file_is_left_out(place: Playground, tmp_path: Path) -> None:
    function = "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;"
    text = f"-- one\nBEGIN TRANSACTION;\n{function}\nEND;\n"
    with project_of(place) as project:
        plan = import_migrations(project, written(tmp_path / "m", {"1_a.sql": text, "2_b.sql": "SELECT 1;"}))
    kept = patch_files(place)["01_a.sql"]
    assert kept == text.replace("BEGIN TRANSACTION;", "").replace("\nEND;", "\n")
    assert plan.notes == ("BEGIN and COMMIT around 1_a.sql were left out: each release is one transaction",)
    place.hop("apply").succeeds()


def test_what_is_to_run_outside_of_a_transaction_says_so(place: Playground, tmp_path: Path) -> None:
    text = "-- migrate:up transaction:false\nVACUUM;\nSELECT 1;\n"
    with project_of(place) as project:
        import_migrations(project, written(tmp_path / "m", {"1_a.sql": text}))
    assert patch_files(place)["01_a.sql"] == "-- hop: no-transaction\nVACUUM;\nSELECT 1;\n"
    place.hop("apply").succeeds()


class TestRefused:
    def assert_refused(self, place: Playground, code: int, folder: Path, *words: str) -> None:
        before = place.git("status", "--porcelain", "--untracked-files=all")
        with project_of(place) as project, refused(code, *words):
            import_migrations(project, folder)
        assert place.git("status", "--porcelain", "--untracked-files=all") == before

    @pytest.mark.parametrize(
        ("files", "code", "words"),
        [
            ({"1_a.sql": "SELECT 1;", "2_b.sql": "SELECT 2;\nCOMMIT;\nSELECT 3;"}, 1, ("2_b.sql:2:1", "COMMIT")),
            ({"1_a.sql": "SELECT 'open;"}, 1, ("1_a.sql:1:8", "unterminated")),
            ({"1_a.sql": "\\i other.sql\n"}, 1, ("1_a.sql:1:1", "meta-command")),
            ({"a.sql": "SELECT 1;"}, 2, ("not certain", "--tool")),
        ],
        ids=["COMMIT", "quote", "meta-command", "nobody's"],
    )
    def test_files_that_cannot_be_run(
        self, place: Playground, tmp_path: Path, files: Mapping[str, str], code: int, words: tuple[str, ...]
    ) -> None:
        self.assert_refused(place, code, written(tmp_path / "m", files), *words, "nothing was imported")

    def test_files_that_are_in_the_way(self, place: Playground, flyway: Path) -> None:
        place.write("Patches/0/1/0/zz_ours.sql", "SELECT 1;\n")
        self.assert_refused(place, 2, flyway, "zz_ours.sql would run after 01_tables_for_the_shop.sql")
        (place.folder / "Patches/0/1/0/zz_ours.sql").unlink()
        place.write("Patches/0/1/0/set_aside/U2__rows.sql", "")
        self.assert_refused(place, 2, flyway, "set_aside/U2__rows.sql would be overwritten")

    def test_a_place_without_a_release_in_preparation(self, place: Playground, flyway: Path) -> None:
        self.assert_refused(place.with_variables(HOP_PRODUCTION="1"), 6, flyway, "development only")
        place.git("switch", "--quiet", "hop_main")
        self.assert_refused(place, 7, flyway, "hop_main is not the branch of a release", "git switch hop_0.1.0")

    def test_a_database_that_has_the_migrations(self, place: Playground, flyway: Path) -> None:
        place.sql("CREATE TABLE flyway_schema_history (installed_rank integer)")
        with project_of(place) as project:
            plan_import(project, flyway)
        place.sql("INSERT INTO flyway_schema_history VALUES (1), (2)")
        self.assert_refused(place, 7, flyway, "2 migrations of Flyway already", "hop init --baseline")
