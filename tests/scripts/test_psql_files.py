"""Patch files that the real psql runs, of every version that is here."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, make_url

from hop_tasks.database.clients import find_client
from hop_tasks.database.engines import Database
from hop_tasks.errors import DatabaseError, PatchError
from hop_tasks.scripts.files import PatchFile
from hop_tasks.scripts.nontransactional import Declaration
from hop_tasks.scripts.psql_files import LINES_SHOWN, check_psql, run_psql
from tests.database.connecting import connect
from tests.database.test_pgbouncer import PGBOUNCER, pgbouncer

pytestmark = pytest.mark.every_server

PATH = "Patches/0/1/0/load.psql"
UNDECLARED = "-- hop: no-transaction\n"


class Told:
    """Keeps what was reported."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def step(self, text: str) -> None:
        self.steps.append(text)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)


class Scene:
    """A project's folder, and a database with an empty table `t` and a journal of one row."""

    def __init__(self, root: Path, url: URL) -> None:
        self.root = root
        self.url = url
        self.told = Told()
        self.journal = {
            "before": "UPDATE journal SET state = 'running'",
            "after": "UPDATE journal SET state = 'done'",
        }

    def write(self, text: str, path: str = PATH) -> PatchFile:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
        return PatchFile(path, target.read_bytes())

    def run(self, text: str, **arguments: Any) -> None:
        file = self.write(text)
        declared = check_psql(file) is not None
        given = {"place": self.url, "lock_timeout": 5.0, "root": self.root, "single_transaction": not declared}
        with closing(connect(self.url)) as connection:
            program = find_client("psql", connection.server_version)
        run_psql(file, program=program, reporter=self.told, **{**given, **self.journal, **arguments})

    def fails(self, text: str, **arguments: Any) -> PatchError:
        with pytest.raises(PatchError) as caught:
            self.run(text, **arguments)
        return caught.value

    def ask(self, query: str) -> Any:
        with closing(connect(self.url)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute(query)
            return [row[0] for row in cursor.fetchall()] if cursor.description else None

    @property
    def rows(self) -> Any:
        return self.ask("SELECT a FROM t ORDER BY a")

    @property
    def state(self) -> Any:
        return self.ask("SELECT state FROM public.journal")[0]


@pytest.fixture(scope="module")
def place(server_url: str) -> Iterator[URL]:
    name = f"t_{secrets.token_hex(4)}"
    server = Database(make_url(server_url))
    with server.administer() as admin:
        # psql would take the encoding of the database for that of the file.
        admin.exec_driver_sql(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        yield server.beside(name).url
        admin.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def scene(place: URL, tmp_path: Path) -> Scene:
    scene = Scene(tmp_path / "the project", place)
    scene.ask(
        "SET client_min_messages = warning; DROP TABLE IF EXISTS t, c, p, journal; CREATE TABLE t (a int, b text);"
        " CREATE TABLE journal (state text); INSERT INTO journal VALUES ('planned')"
    )
    return scene


def test_a_file_and_its_journal_are_one_transaction(scene: Scene) -> None:
    scene.run(
        "INSERT INTO t VALUES (txid_current()::text::int);", after="INSERT INTO t SELECT txid_current()::text::int"
    )
    assert len(set(scene.rows)) == 1
    assert len(scene.rows) == 2
    assert scene.state == "running"


def test_psqls_own_commands_work_from_the_projects_folder(scene: Scene) -> None:
    (scene.root / "data").mkdir(parents=True)
    (scene.root / "data" / "rows.csv").write_text("1,née\n2,x\n", "utf-8")
    scene.write("INSERT INTO t VALUES (3, 'beside');\n", "Patches/0/1/0/_more.sql")
    scene.run(
        "\\set four 4\n\\copy t FROM 'data/rows.csv' CSV\n\\ir _more.sql\n\\i Patches/0/1/0/_more.sql\n"
        "INSERT INTO t VALUES (:four, 'ü');\n"
        "SELECT format('INSERT INTO t VALUES (%s)', n) FROM generate_series(5, 6) n \\gexec\n"
        "COPY t FROM stdin;\n7\tinline\n\\.\n"
    )
    assert scene.rows == [1, 2, 3, 3, 4, 5, 6, 7]
    assert scene.ask("SELECT length(b) FROM t WHERE a IN (1, 4) ORDER BY a") == [3, 1]
    assert scene.state == "done"


def test_what_is_said_is_reported(scene: Scene) -> None:
    scene.run(
        "\\echo begun at last\nDO $$ BEGIN RAISE NOTICE 'hear' USING DETAIL = 'more'; RAISE WARNING 'beware'; END $$;\n"
        "DROP TABLE IF EXISTS nothing;\nSELECT 42 AS answer;\nCREATE TABLE c ();\n\\warn stray\n"
    )
    assert scene.told.notes[:2] == ["NOTICE: hear (more)", 'NOTICE: table "nothing" does not exist, skipping']
    assert "begun at last" in scene.told.notes
    assert any(note.strip() == "42" for note in scene.told.notes)
    assert "CREATE TABLE" not in scene.told.notes
    assert scene.told.warnings == ["WARNING: beware", "stray"]
    assert re.fullmatch(rf"{re.escape(PATH)} \(\d+\.\d\d s\)", "".join(scene.told.steps))


def test_much_output_is_cut(scene: Scene) -> None:
    scene.run("\\pset tuples_only on\nSELECT n FROM generate_series(1, 5000) n;\n")
    assert len(scene.told.notes) == LINES_SHOWN + 1
    assert scene.told.notes[-1] == f"and {5000 - LINES_SHOWN} more lines of psql's output"


def test_an_error_is_placed_and_everything_rolled_back(scene: Scene) -> None:
    error = scene.fails("INSERT INTO t VALUES (1);\nSELECT 1,\n\t2, nothing\nFROM t\nWHERE a = 1;\nSELECT 1;\n")
    assert error.message == f'{PATH}:3:5: column "nothing" does not exist; rolled back, the database is as it was'
    assert error.sqlstate == "42703"
    assert [line.strip() for line in error.details] == ["3 |  2, nothing", "|     ^"]
    assert (scene.rows, scene.state) == ([], "planned")


def test_an_error_without_a_column_is_placed_where_its_statement_ends(scene: Scene) -> None:
    scene.ask("CREATE UNIQUE INDEX u ON t (a); INSERT INTO t VALUES (1)")
    error = scene.fails("\nINSERT INTO t\nVALUES (1);\n")
    assert error.message.startswith(
        f'{PATH}:3: duplicate key value violates unique constraint "u" (Key (a)=(1) already exists.); rolled back'
    )
    assert error.sqlstate == "23505"
    assert error.details[0] == "  3 | VALUES (1);"


def test_an_error_in_a_file_that_is_brought_in_is_placed_there(scene: Scene) -> None:
    scene.write("SELECT 1;\nSELECT nothing;\n", "Patches/0/1/0/_more.sql")
    error = scene.fails("\n\\ir ./_more.sql\n")
    assert error.message.startswith('Patches/0/1/0/_more.sql:2:8: column "nothing" does not exist')


def test_a_long_line_is_found_again(scene: Scene) -> None:
    error = scene.fails(f"SELECT '{'x' * 300}', nothing, '{'y' * 300}';\n")
    assert error.message.startswith(f"{PATH}:1:312: column")


def test_the_context_of_an_error_is_shown(scene: Scene) -> None:
    error = scene.fails("DO $$ BEGIN\nRAISE EXCEPTION E'two\\nlines' USING HINT = 'do better'; END $$;")
    assert error.message.startswith(f"{PATH}:2: two lines; rolled back")
    assert error.sqlstate == "P0001"
    assert "  hint: do better" in error.details
    assert any("inline_code_block" in line for line in error.details)
    assert not any("pl_exec.c" in line for line in error.details)


@pytest.mark.parametrize("fault", ["\\i nothing.sql", "\\copy t FROM 'nothing.csv'", "\\nonsense", "\\if true"])
def test_an_error_of_psql_itself_rolls_back_too(scene: Scene, fault: str) -> None:
    """Which psql's own --single-transaction does not do before version 15."""
    error = scene.fails(f"INSERT INTO t VALUES (1);\n{fault}\n")
    assert re.match(f"{re.escape(PATH)}:[23]: .*; rolled back", error.message), error.message
    assert error.sqlstate is None
    assert (scene.rows, scene.state) == ([], "planned")


@pytest.mark.parametrize(
    "ending",
    ["COMMIT;", "ROLLBACK;", "COMMIT;\nBEGIN;", "COMMIT AND CHAIN;", "DO $$ BEGIN COMMIT; END $$;", "\\connect"],
)
def test_a_file_that_ends_the_transaction_is_found(scene: Scene, ending: str) -> None:
    error = scene.fails(f"INSERT INTO t VALUES (1);\n{ending}\nINSERT INTO t VALUES (2);\n")
    if ending.startswith("DO"):
        assert error.sqlstate == "2D000"
    else:
        assert "it ended the release's transaction" in error.message
        assert "-- hop: no-transaction" in (error.hint or "")
    assert scene.state != "done"


def test_resetting_the_session_is_not_taken_for_that_and_does_not_reach_the_journal(scene: Scene) -> None:
    scene.run(
        "INSERT INTO t VALUES (1);\nRESET ALL;\nDISCARD TEMP;\nSELECT pg_advisory_unlock_all();\n"
        "SAVEPOINT x;\nROLLBACK TO x;\nSET search_path = nowhere;\nSET ROLE pg_monitor;\n"
    )
    assert (scene.rows, scene.state) == ([1], "done")


def test_what_is_deferred_fails_at_the_end_of_the_file(scene: Scene) -> None:
    scene.ask("CREATE TABLE p (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    error = scene.fails("INSERT INTO p VALUES (1), (1);\n")
    assert error.message.startswith(f"{PATH}: at the end of the file: duplicate key")
    assert error.sqlstate == "23505"
    assert scene.state == "planned"


def test_a_file_cannot_make_psql_go_on_after_an_error(scene: Scene) -> None:
    error = scene.fails("\\set ON_ERROR_STOP off\nINSERT INTO t VALUES (1);\nSELECT 1/0;\nSELECT 2;\n")
    assert error.message.startswith(f"{PATH}:3: division by zero; rolled back")
    assert (scene.rows, scene.state) == ([], "planned")


def test_what_needs_no_transaction_says_so_in_its_first_line(scene: Scene) -> None:
    error = scene.fails("VACUUM t;\n")
    assert error.sqlstate == "25001"
    assert "-- hop: no-transaction" in (error.hint or "")
    scene.run(f"{UNDECLARED}INSERT INTO t VALUES (1);\nVACUUM t;\nBEGIN;\nINSERT INTO t VALUES (2);\nCOMMIT;\n")
    assert (scene.rows, scene.state) == ([1, 2], "done")


def test_a_failed_file_without_a_transaction_keeps_what_it_did(scene: Scene) -> None:
    error = scene.fails(f"{UNDECLARED}INSERT INTO t VALUES (1);\nSELECT nothing;\n")
    assert error.message.endswith("what the file did before that stays")
    assert (scene.rows, scene.state) == ([1], "running")


@pytest.mark.parametrize("opening", ["BEGIN;", "\\set AUTOCOMMIT off"])
def test_a_transaction_that_is_left_open_is_an_error(scene: Scene, opening: str) -> None:
    error = scene.fails(f"{UNDECLARED}INSERT INTO t VALUES (1);\n{opening}\nINSERT INTO t VALUES (2);\n")
    assert "it leaves a transaction open" in error.message
    assert (scene.rows, scene.state) == ([1], "running")


def test_locks_are_waited_for_no_longer_than_wanted(scene: Scene) -> None:
    with closing(connect(scene.url)) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE t")
        error = scene.fails("INSERT INTO t VALUES (1);\n", lock_timeout=0.1)
    assert error.sqlstate == "55P03"
    assert scene.state == "planned"


def test_the_session_has_hops_settings_and_those_of_the_url(scene: Scene, server_major: int) -> None:
    options = {"options": "-c work_mem=5MB -c search_path=public"}
    scene.run(
        "\\pset tuples_only on\n\\pset format unaligned\nSHOW work_mem;\nSHOW lock_timeout;\nSHOW application_name;\n"
        "SELECT setting FROM pg_settings WHERE name = 'client_connection_check_interval';\n",
        place=scene.url.update_query_dict(options),
    )
    # Only since PostgreSQL 14 does a server look whether its client is still there.
    assert scene.told.notes == ["5MB", "5s", "hop", *(["1000"] if server_major >= 14 else [])]


@pytest.mark.skipif(PGBOUNCER is None, reason="the program pgbouncer is not installed")
def test_a_pooler_in_session_mode_is_no_hindrance(scene: Scene) -> None:
    with pgbouncer(scene.url, "session", 20, "*", "") as port:
        pooled = scene.url.set(host="127.0.0.1", port=port).difference_update_query(["host", "port"])
        scene.run("\\pset tuples_only on\n\\pset format unaligned\nSHOW lock_timeout;\n", place=pooled)
    assert scene.told.notes == ["5s"]


def test_the_password_is_not_shown(scene: Scene) -> None:
    error = scene.fails(
        "\\! echo $PGPASSWORD\nSELECT 'hush-hush', nothing;\n", place=scene.url.set(password="hush-hush")
    )
    assert scene.told.notes == ["***"]
    assert "hush" not in str(error)


def test_a_lost_session_is_an_error_with_its_place(scene: Scene) -> None:
    error = scene.fails("INSERT INTO t VALUES (1);\nSELECT pg_terminate_backend(pg_backend_pid());\n")
    assert error.message.startswith(f"{PATH}:2: terminating connection")
    assert error.sqlstate == "57P01"
    assert (scene.rows, scene.state) == ([], "planned")


def test_no_connection_is_no_fault_of_the_file(scene: Scene) -> None:
    with pytest.raises(DatabaseError, match=r"psql failed: .*does not exist"):
        scene.run("SELECT 1;\n", place=scene.url.set(database="nowhere"))


def test_files_with_nothing_to_run_are_refused(scene: Scene) -> None:
    for text in ("", " \n", "-- hop: no-transaction\n", "/* only */ -- comments\n;;"):
        with pytest.raises(PatchError, match=r"load\.psql: the file has no statement; nothing was run"):
            check_psql(PatchFile(PATH, text.encode()))
    with pytest.raises(PatchError, match=r"load\.psql:2:1: the file is not UTF-8"):
        check_psql(PatchFile(PATH, b"\n\xe9"))
    with pytest.raises(PatchError, match=r"load\.psql:1:1: -- hop: 'never' is unknown; .*nothing was run"):
        check_psql(PatchFile(PATH, b"-- hop: never\nSELECT 1"))
    with pytest.raises(PatchError, match="there is no such file"):
        scene.run("SELECT 1", root=scene.root / "Patches")
    assert check_psql(PatchFile(PATH, b"-- hop: no-transaction, repeatable\n\\echo")) == Declaration(repeatable=True)
    assert check_psql(PatchFile(PATH, b"\\echo")) is None
