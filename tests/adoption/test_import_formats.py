"""The folders of other tools: order, what goes forward, what is set aside, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from hop_tasks.errors import UsageError
from hop_tasks.foreign import MigrationSet, Tool, read_migrations
from tests.adoption.importing import written

FLYWAY = {
    "V1__first.sql": "SELECT 1;",
    "V1.10__tenth.sql": "SELECT 110;",
    "V1_2__second.sql": "SELECT 12;",
    "sub/V2024.01.31__dated.sql": "SELECT 2024;",
    "V9__index.sql": "CREATE INDEX CONCURRENTLY i ON t (a);",
    "V9__index.sql.conf": "executeInTransaction=false\n",
    "R__views.sql": "SELECT 'again';",
    "R__a_first_one.sql": "SELECT 'again';",
    "U1__first.sql": "SELECT -1;",
    "beforeMigrate.sql": "SELECT 0;",
}
GRAPHILE = {
    "committed/000002.sql": "--! Previous: sha1:a\n--! Hash: sha1:b\n--! Message: more of it\n\n"
    "--! no-transaction\nCREATE INDEX CONCURRENTLY i ON t (a);\n",
    "committed/000001-tables.sql": "--! Previous: -\n--! Hash: sha1:a\n\nCREATE TABLE t (a text DEFAULT 'x'::TEXT);\n",
    "current.sql": "SELECT 'not yet';\n",
}
GOLANG = {
    "000001_users.up.sql": "BEGIN;\nSELECT 1;\nCOMMIT;\n",
    "000001_users.down.sql": "SELECT -1;\n",
    "000010_more.up.sql": "SELECT 10;\n",
    "000002_then.up.sql": "SELECT 2;\n",
}
PLAIN = {"10_last.sql": "SELECT 10;\n", "2_second.sql": "SELECT 2;\n", "001-first.sql": "SELECT 1;\n", "notes.txt": ""}
DBMATE = {"1_a.sql": "-- migrate:up\r\nSELECT 1;\r\n\r\n-- migrate:down\r\n"}
YOYO = {"b.sql": "SELECT 2;\n", "c.sql": "-- depends: b\nSELECT 3;\n", "a.sql": "-- depends: c\nSELECT 1;\n"}
PLANNED = " 2026-01-02T03:04:05Z Ann <a@b.c> # note\n"


def sources(found: MigrationSet) -> list[str]:
    return [migration.source for migration in found.migrations]


class TestOrder:
    @pytest.mark.parametrize(
        ("files", "tool", "order"),
        [
            (
                FLYWAY,
                Tool.FLYWAY,
                [
                    *("V1__first.sql", "V1_2__second.sql", "V1.10__tenth.sql", "V9__index.sql"),
                    *("sub/V2024.01.31__dated.sql", "R__a_first_one.sql", "R__views.sql"),
                ],
            ),
            (GRAPHILE, Tool.GRAPHILE, ["000001-tables.sql", "000002.sql"]),
            (GOLANG, Tool.PLAIN, ["000001_users.up.sql", "000002_then.up.sql", "000010_more.up.sql"]),
            (PLAIN, Tool.PLAIN, ["001-first.sql", "2_second.sql", "10_last.sql"]),
            (DBMATE, Tool.DBMATE, ["1_a.sql"]),
            (YOYO, Tool.YOYO, ["b.sql", "c.sql", "a.sql"]),
        ],
        ids=lambda value: str(value) if isinstance(value, Tool) else "",
    )
    def test_the_tool_is_recognised_and_its_order_kept(
        self, tmp_path: Path, files: dict[str, str], tool: Tool, order: list[str]
    ) -> None:
        found = read_migrations(written(tmp_path, files))
        assert (found.tool, sources(found)) == (tool, order)

    def test_what_is_not_run_is_kept_with_the_reason(self, tmp_path: Path) -> None:
        kept = {one.source: one.why for one in read_migrations(written(tmp_path / "f", FLYWAY)).set_aside}
        assert kept == {"U1__first.sql": "undoes a migration", "beforeMigrate.sql": "a callback"}
        kept = {one.source: one.why for one in read_migrations(written(tmp_path / "g", GRAPHILE)).set_aside}
        assert kept == {"current.sql": "is not committed"}
        assert [one.source for one in read_migrations(written(tmp_path / "p", GOLANG)).set_aside] == [
            "000001_users.down.sql"
        ]

    def test_the_newest_baseline_of_flyway_takes_the_place_of_what_is_before(self, tmp_path: Path) -> None:
        found = read_migrations(written(tmp_path, {**FLYWAY, "B1.2__all_so_far.sql": "SELECT 'all';"}))
        assert sources(found)[:2] == ["B1.2__all_so_far.sql", "V1.10__tenth.sql"]
        assert {one.source for one in found.set_aside} >= {"V1__first.sql", "V1_2__second.sql"}

    def test_numbers_that_are_given_twice_are_told(self, tmp_path: Path) -> None:
        found = read_migrations(written(tmp_path, {**PLAIN, "2_also.sql": "SELECT 3;\n"}))
        assert sources(found) == ["001-first.sql", "2_also.sql", "2_second.sql", "10_last.sql"]
        assert found.notes[0].startswith("2_also.sql, 2_second.sql have a number more than once")

    def test_what_a_tool_runs_outside_of_a_transaction_is_told(self, tmp_path: Path) -> None:
        flyway, graphile = written(tmp_path / "f", FLYWAY), written(tmp_path / "g", GRAPHILE)
        dbmate = written(tmp_path / "d", {"1.sql": "-- migrate:up transaction:false\nSELECT 1;\n"})
        outside = [
            one.source
            for folder in (flyway, graphile, dbmate)
            for one in read_migrations(folder).migrations
            if not one.in_transaction
        ]
        assert outside == ["V9__index.sql", "000002.sql", "1.sql"]

    def test_texts_are_the_tools_own(self, tmp_path: Path) -> None:
        assert [one.text for one in read_migrations(written(tmp_path / "d", DBMATE)).migrations] == ["SELECT 1;\n"]
        header = read_migrations(written(tmp_path / "g", GRAPHILE)).migrations
        assert [one.text.splitlines()[0] for one in header] == [
            "CREATE TABLE t (a text DEFAULT 'x'::TEXT);",
            "--! no-transaction",
        ]
        (tmp_path / "b").mkdir()
        (tmp_path / "b/1.sql").write_bytes(b"\xef\xbb\xbfSELECT 'caf\xc3\xa9';\r\n")
        assert read_migrations(tmp_path / "b").migrations[0].text == "SELECT 'café';\r\n"


class TestSqitch:
    def read(self, folder: Path, plan: str, *scripts: str) -> MigrationSet:
        files = {"sqitch.plan": f"%syntax-version=1.0.0\n\n{plan}", **{f"deploy/{one}": "SELECT 1;" for one in scripts}}
        return read_migrations(written(folder, files))

    def test_reworked_changes_come_as_they_were(self, tmp_path: Path) -> None:
        plan = f"a{PLANNED}b [a other:c]{PLANNED}@v1{PLANNED}@v2{PLANNED}+ b [b@v2]{PLANNED}@v3{PLANNED}b{PLANNED}"
        found = self.read(tmp_path, plan, "a.sql", "b@v2.sql", "b@v3.sql", "b.sql")
        assert sources(found) == ["deploy/a.sql", "deploy/b@v2.sql", "deploy/b@v3.sql", "deploy/b.sql"]
        assert "other:c" in found.notes[0]

    @pytest.mark.parametrize(
        ("plan", "words"),
        [
            (f"a{PLANNED}", "no deploy script of a"),
            (f"b{PLANNED}- b{PLANNED}", "sqitch.plan:4"),
            ("b whenever\n", "sqitch.plan:3"),
            (f"b{PLANNED}b{PLANNED}", "reworked without a tag"),
        ],
    )
    def test_plans_that_cannot_be_followed(self, tmp_path: Path, plan: str, words: str) -> None:
        with pytest.raises(UsageError, match=words):
            self.read(tmp_path, plan, "b.sql")


class TestRefused:
    @pytest.mark.parametrize(
        ("files", "words"),
        [
            ({}, "there is no SQL file"),
            ({"a.sql": ""}, "is not certain: nothing tells it"),
            ({"V1__a.sql": "", "2_b.sql": "-- migrate:up\n"}, "those of flyway and of dbmate"),
            ({"V1__a.sql": "", "V1.0__b.sql": ""}, "V1.0__b.sql and V1__a.sql have the same version"),
            ({"V1__a.sql": "", "V2__b.java": ""}, "V2__b.java is not SQL"),
            ({"V1__a.sql": "SELECT\n  '${owner}';"}, r"V1__a.sql:2: \$\{owner\} is a placeholder"),
            ({"committed/000001.sql": "--! Previous: -\n\nGRANT ALL ON t TO :DATABASE_OWNER;"}, ":3: :DATABASE_OWNER"),
            ({"1_a.up.sql": "", "01_b.up.sql": ""}, "have the same number"),
            ({"1_a.sql": "-- +goose Up\nSELECT 1;\n-- +goose Down\n"}, "is of goose"),
            ({"1_a.sql": "--liquibase formatted sql\n"}, "is of Liquibase"),
            ({"1_a.sql": "-- migrate:up\n-- migrate:up\n"}, "not one block"),
            ({"1_a.sql": "SELECT 0;\n-- migrate:up\n"}, "statements before"),
            ({"1_a.sql": "-- migrate:down\nDROP TABLE a;\n"}, "1_a.sql has not one block"),
            ({"1_a.sql": "-- migrate:up\n", "1_b.sql": "-- migrate:up\n"}, "1_a.sql and 1_b.sql have the same version"),
            ({"1_a.down.sql": "DROP TABLE a;\n"}, r"but 1_a.down.sql \(goes back\)"),
            ({"a.sql": "-- depends: b\n", "b.sql": "-- depends: a\n"}, "a, b depend on each other"),
            ({"a.sql": "-- depends: z\n"}, "depends on z"),
            ({"a.rollback.sql": "", "a.sql": "", "b.py": "from yoyo import step\n"}, "b.py is Python"),
            ({"env.py": "", "versions/1.py": ""}, "is of Alembic"),
            ({"0001_initial.py": "class Migration(migrations.Migration): pass\n"}, "is of Django"),
        ],
    )
    def test_what_is_not_certain_or_would_be_run_wrongly(
        self, tmp_path: Path, files: dict[str, str], words: str
    ) -> None:
        with pytest.raises(UsageError, match=words) as raised:
            read_migrations(written(tmp_path, files))
        assert "nothing was imported" in raised.value.message

    def test_a_folder_that_is_none_and_a_tool_that_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="there is no folder"):
            read_migrations(tmp_path / "nowhere")
        with pytest.raises(UsageError, match="flyway, dbmate, sqitch"):
            Tool.parse("liquibase")
        with pytest.raises(UsageError, match="no migrations of dbmate"):
            read_migrations(tmp_path, Tool.DBMATE)

    def test_text_that_is_not_utf_8(self, tmp_path: Path) -> None:
        (tmp_path / "1_a.sql").write_bytes(b"SELECT 'caf\xe9';")
        with pytest.raises(UsageError, match=r"1_a\.sql is not UTF-8"):
            read_migrations(tmp_path)

    def test_placeholders_that_flyway_leaves_alone(self, tmp_path: Path) -> None:
        files = {"flyway.toml": "[flyway]\nplaceholderReplacement = false\n", "sql/V1__a.sql": "SELECT '${x}';"}
        assert len(read_migrations(written(tmp_path, files) / "sql").migrations) == 1
