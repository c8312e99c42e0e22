"""Statements that cannot run in a transaction, held against what servers say of them."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2
import pytest
from sqlalchemy import make_url

from hop_tasks.scripts.nontransactional import (
    Declaration,
    EnumValue,
    Name,
    Probe,
    added_value,
    declared,
    is_transactional_anyway,
    recognise,
    solo_for_declared,
)
from hop_tasks.scripts.statements import ScriptError
from tests.database.connecting import connect

IN_TRANSACTION = "25001"
SUBSCRIPTION = "CREATE SUBSCRIPTION s CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false, slot_name = 'x')"
ENABLED = f"{SUBSCRIPTION}; ALTER SUBSCRIPTION s ENABLE"
OBJECTS = """
    CREATE TABLE t (a int PRIMARY KEY); CREATE INDEX i ON t (a);
    CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
    CREATE INDEX pi ON p (a);
    CREATE MATERIALIZED VIEW m AS SELECT a FROM t; CREATE UNIQUE INDEX ON m (a);
    CREATE TYPE mood AS ENUM ('sad'); CREATE PUBLICATION pub;
"""

SOLOS = """
    CREATE INDEX CONCURRENTLY x ON t (a)
    create /* really */ unique -- and
      index concurrently IF NOT EXISTS "X y" on only public.t (a)
    DROP INDEX CONCURRENTLY i
    DROP INDEX CONCURRENTLY IF EXISTS nothing, i CASCADE
    REINDEX INDEX CONCURRENTLY i
    REINDEX TABLE CONCURRENTLY t
    REINDEX (VERBOSE, CONCURRENTLY) TABLE public.t @14
    REINDEX (CONCURRENTLY FALSE, CONCURRENTLY ON) TABLE t @14
    REINDEX SCHEMA public
    REINDEX SCHEMA CONCURRENTLY public
    REINDEX DATABASE postgres
    VACUUM
    VACUUM t
    VACUUM (FULL FALSE, ANALYZE) t
    VACUUM FULL t
    CLUSTER
    CREATE DATABASE x
    DROP DATABASE x
    DROP DATABASE IF EXISTS x
    ALTER DATABASE template1 SET TABLESPACE pg_default
    CREATE TABLESPACE x LOCATION '/nowhere'
    DROP TABLESPACE x
    ALTER SYSTEM SET work_mem = '4MB'
    ALTER SYSTEM RESET ALL
    ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY @14
    CREATE SUBSCRIPTION s CONNECTION 'dbname=nowhere' PUBLICATION p
    DROP SUBSCRIPTION s @after: disabled
    ALTER SUBSCRIPTION s REFRESH PUBLICATION @14 after: enabled
    ALTER SUBSCRIPTION s SET PUBLICATION q @14 after: enabled
    ALTER SUBSCRIPTION s ADD PUBLICATION q @14 after: enabled
    ALTER SUBSCRIPTION s SET (failover = true) @17 after: disabled
    ALTER SUBSCRIPTION s SET (two_phase = false) @18 after: disabled
    DISCARD ALL
    COMMIT PREPARED 'x'
    ROLLBACK PREPARED 'x'
"""
LOOK_ALIKES = """
    CREATE INDEX x ON t (a)
    CREATE INDEX concurrently_x ON t ((a + length('CONCURRENTLY'))) -- CONCURRENTLY
    CREATE TABLE "CONCURRENTLY" (vacuum int, "DATABASE" int)
    DROP INDEX i
    DROP TABLE IF EXISTS "CONCURRENTLY"
    REINDEX TABLE t
    REINDEX INDEX i
    REINDEX (CONCURRENTLY OFF) TABLE t @14
    ANALYZE
    ANALYZE t
    CLUSTER t USING i
    REFRESH MATERIALIZED VIEW CONCURRENTLY m
    ALTER TABLE p DETACH PARTITION p1
    ALTER TABLE p DETACH PARTITION p1 FINALIZE @14
    ALTER DATABASE template1 SET work_mem = '4MB'
    ALTER DATABASE template1 CONNECTION LIMIT 5
    COMMENT ON DATABASE template1 IS 'CREATE DATABASE'
    CREATE TABLE x (a int) TABLESPACE pg_default
    ALTER TABLE t SET TABLESPACE pg_default
    ALTER TABLESPACE pg_default SET (seq_page_cost = 1)
    CREATE SUBSCRIPTION s CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE)
    CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p WITH (connect = on, create_slot = off, slot_name = 'x')
    ALTER SUBSCRIPTION s DISABLE @after: enabled
    ALTER SUBSCRIPTION s SET PUBLICATION q WITH (refresh = false) @after: enabled
    ALTER SUBSCRIPTION s SET (slot_name = NONE) @after: disabled
    ALTER PUBLICATION pub SET TABLE t
    ALTER TYPE mood ADD VALUE 'CONCURRENTLY'
    DISCARD PLANS
    CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT 'VACUUM; CREATE DATABASE x' $$
    DO $$ BEGIN PERFORM 'CREATE INDEX CONCURRENTLY'; END $$
    LOCK TABLE t
    CHECKPOINT
"""


def statements(listed: str, version: int) -> list[tuple[str, str]]:
    """Statement and what has to be run before it, for a server of that major version."""
    entries: list[str] = []
    for line in listed.strip("\n").splitlines():
        if line.startswith("     "):
            entries[-1] += f"\n{line}"
        else:
            entries.append(line.strip())
    found = []
    for entry in entries:
        statement, _, notes = entry.partition(" @")
        since, _, after = notes.partition("after: ")
        if int(since or 0) <= version:
            found.append((statement, {"": "", "enabled": ENABLED, "disabled": SUBSCRIPTION}[after]))
    return found


@pytest.fixture(scope="module")
def server(server_url: str) -> Iterator[psycopg2.extensions.connection]:
    connection = connect(make_url(server_url))
    connection.autocommit = True
    yield connection
    connection.close()


def answer(connection: psycopg2.extensions.connection, *scripts: str) -> str | None:
    """The SQLSTATE that the last of these has in a transaction, which is rolled back; the others must do."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        try:
            for script in scripts[:-1]:
                cursor.execute(script or "SELECT 1")
            try:
                cursor.execute(scripts[-1])
            except psycopg2.Error as error:
                return error.pgcode
            return None
        finally:
            cursor.execute("ROLLBACK")


@pytest.mark.every_server
def test_the_server_refuses_in_a_transaction_what_is_recognised(server: psycopg2.extensions.connection) -> None:
    wrong = {}
    for statement, prelude in statements(SOLOS, server.server_version // 10000):
        state = answer(server, OBJECTS, prelude, statement)
        if state != IN_TRANSACTION or recognise(statement) is None:
            wrong[statement] = (state, recognise(statement))
    assert wrong == {}


@pytest.mark.every_server
def test_what_looks_alike_is_left_alone(server: psycopg2.extensions.connection) -> None:
    wrong = {}
    for statement, prelude in statements(LOOK_ALIKES, server.server_version // 10000):
        state = answer(server, OBJECTS, prelude, statement)
        if state == IN_TRANSACTION or recognise(statement) is not None:
            wrong[statement] = (state, recognise(statement))
    assert wrong == {}


@pytest.mark.every_server
def test_for_partitioned_tables_only_the_server_knows(server: psycopg2.extensions.connection) -> None:
    """So a declared file must not wrap them into a transaction."""
    for since, statement in ((14, "REINDEX TABLE p"), (14, "REINDEX INDEX pi"), (15, "CLUSTER p USING pi")):
        refused = answer(server, OBJECTS, statement) == IN_TRANSACTION
        assert refused == (server.server_version // 10000 >= since)
        assert recognise(statement) is None
        assert not is_transactional_anyway(statement)
        assert solo_for_declared(statement, Declaration(repeatable=False)).probe is Probe.REPEATABLE


def test_a_statement_is_known_by_its_words_its_subject_and_its_probe() -> None:
    def known(statement: str) -> tuple[object, ...]:
        solo = recognise(statement)
        assert solo is not None
        assert solo.problem is None
        return solo.words, solo.probe, solo.subject.name, solo.subject.table, solo.subject.tolerant

    built = ("CREATE INDEX CONCURRENTLY", Probe.INDEX_BUILT)
    assert known('create index concurrently if not exists "I x" on s."T" (a)') == (
        *(*built, Name("I x", "s"), Name("T", "s"), True),
    )
    assert known("CREATE INDEX CONCURRENTLY i ON t (a)") == (*built, Name("i"), Name("t"), False)
    assert known("DROP INDEX CONCURRENTLY IF EXISTS s.i") == (
        *("DROP INDEX CONCURRENTLY", Probe.INDEX_GONE, Name("i", "s"), None, True),
    )
    assert known("ALTER TABLE a.p DETACH PARTITION b.q CONCURRENTLY") == (
        *("ALTER TABLE DETACH PARTITION CONCURRENTLY", Probe.PARTITION_DETACHED, Name("q", "b"), Name("p", "a"), False),
    )
    assert known("REINDEX SCHEMA CONCURRENTLY s")[:3] == ("REINDEX SCHEMA CONCURRENTLY", Probe.REINDEX, Name("s"))
    assert known("CREATE DATABASE d") == ("CREATE DATABASE", Probe.DATABASE_EXISTS, Name("d"), None, False)
    assert known("DROP TABLESPACE IF EXISTS d")[1:3] == (Probe.TABLESPACE_GONE, Name("d"))
    assert known("DROP SUBSCRIPTION s")[1:3] == (Probe.SUBSCRIPTION_GONE, Name("s"))
    assert known("ALTER SYSTEM SET a = 1")[:2] == ("ALTER SYSTEM", Probe.REPEATABLE)
    assert known("ALTER SUBSCRIPTION s ADD PUBLICATION p")[1] is Probe.UNKNOWN


def test_what_lets_others_read_and_write_may_wait() -> None:
    polite = {
        "CREATE INDEX CONCURRENTLY i ON t (a)": True,
        "DROP INDEX CONCURRENTLY i": True,
        "REINDEX TABLE CONCURRENTLY t": True,
        "ALTER TABLE p DETACH PARTITION q CONCURRENTLY": True,
        "VACUUM (ANALYZE) t": True,
        "VACUUM (FULL) t": False,
        "CLUSTER": False,
        "REINDEX SCHEMA s": False,
        "DROP DATABASE d": False,
    }
    solos = {statement: recognise(statement) for statement in polite}
    assert {statement: solo and solo.waits_politely for statement, solo in solos.items()} == polite


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("CREATE INDEX CONCURRENTLY ON t (a)", "needs a name"),
        ("DROP INDEX CONCURRENTLY a, b", "takes one index"),
        ("DROP INDEX CONCURRENTLY a CASCADE", "CASCADE"),
        ("REINDEX SYSTEM CONCURRENTLY postgres", "system catalogs"),
        ("COMMIT PREPARED 'x'", "not for a patch file"),
    ],
)
def test_what_cannot_be_followed_up_is_a_problem(statement: str, problem: str) -> None:
    solo = recognise(statement)
    assert solo is not None
    assert problem in (solo.problem or "")


def test_beyond_the_parser_the_first_words_decide() -> None:
    built = recognise("CREATE UNIQUE INDEX CONCURRENTLY i ON s.t USING btree (a) IN SOME NEW WAY")
    assert built is not None
    assert (built.probe, built.subject.name, built.subject.table) == (
        *(Probe.INDEX_BUILT, Name("i", "s"), Name("t", "s")),
    )
    deep = recognise(f"CREATE INDEX CONCURRENTLY i ON t (({' || '.join(['a'] * 300)}))")
    assert deep is not None
    assert deep.probe is Probe.INDEX_BUILT
    for statement, words, probe, polite in (
        ("DROP /* x */ INDEX CONCURRENTLY i NEWLY", "DROP INDEX CONCURRENTLY", Probe.UNKNOWN, True),
        ("VACUUM t NEWLY", "VACUUM", Probe.REPEATABLE, True),
        ("vacuum full t NEWLY", "VACUUM FULL", Probe.REPEATABLE, False),
        ("REINDEX TABLE CONCURRENTLY t NEWLY", "REINDEX TABLE CONCURRENTLY", Probe.UNKNOWN, True),
        ("CREATE DATABASE d FROM SCRATCH", "CREATE DATABASE", Probe.UNKNOWN, False),
    ):
        solo = recognise(statement)
        assert solo is not None, statement
        assert (solo.words, solo.probe, solo.waits_politely) == (words, probe, polite), statement
    assert recognise("CREATE TABLE t (a int) IN DATABASE d") is None


def test_an_added_value_of_an_enum_is_found() -> None:
    assert added_value("ALTER TYPE s.mood ADD VALUE IF NOT EXISTS 'it''s' BEFORE 'sad'") == EnumValue(
        Name("mood", "s"), "it's"
    )
    assert added_value("alter /* */ type mood -- x\n add value 'ok'") == EnumValue(Name("mood"), "ok")
    for statement in (
        "ALTER TYPE mood RENAME VALUE 'a' TO 'b'",
        "ALTER TABLE t ADD value int",
        "ALTER TYPE pair ADD ATTRIBUTE value int",
        "SELECT 'ALTER TYPE mood ADD VALUE ''ok'''",
        "ALTER TYPE mood ADD VALUE",
    ):
        assert added_value(statement) is None, statement


def test_the_first_line_declares() -> None:
    once, again = Declaration(repeatable=False), Declaration(repeatable=True)
    for line, declaration in (
        ("-- hop: no-transaction\nVACUUM;", once),
        ("--HOP :  No-Transaction  \r\nVACUUM;", once),
        ("\ufeff-- hop:no-transaction", once),
        ("-- hop: no-transaction, repeatable\n", again),
        ("-- hop: no-transaction ,REPEATABLE", again),
        ("-- hopefully: no-transaction", None),
        ("-- about hop: no-transaction", None),
        ("\n-- hop: no-transaction", None),
        ("SELECT 1; -- hop: no-transaction", None),
        ("", None),
    ):
        assert declared(line) == declaration, line


@pytest.mark.parametrize("said", ["no-transactions", "repeatable", "", "no-transaction repeatable", "no-transaction,"])
def test_a_first_line_that_says_something_else_to_hop_is_an_error(said: str) -> None:
    with pytest.raises(ScriptError, match="possible are no-transaction and no-transaction, repeatable") as caught:
        declared(f"-- hop: {said}\nSELECT 1;\n")
    assert caught.value.offset == 0


def test_what_may_commit_by_itself_gets_no_transaction() -> None:
    deep = f"INSERT INTO t SELECT {' || '.join(['a'] * 300)}"
    for statement in (
        "INSERT INTO t VALUES (1)",
        "UPDATE t SET a = 1",
        "CREATE TABLE x ()",
        "SELECT f()",
        "TABLE t",
        deep,
    ):
        assert is_transactional_anyway(statement), statement
    for statement in ("CALL p()", "do $$ begin commit; end $$", "VACUUM", "CREATE DATABASE d", "WAIT FOR LSN '0/0'"):
        assert not is_transactional_anyway(statement), statement


def test_a_declared_statement_is_repeated_only_if_the_file_says_so() -> None:
    call = "CALL p()"
    assert solo_for_declared(call, Declaration(repeatable=False)).probe is Probe.UNKNOWN
    assert solo_for_declared(call, Declaration(repeatable=True)).probe is Probe.REPEATABLE
    assert solo_for_declared("DROP INDEX CONCURRENTLY i", Declaration(repeatable=True)).probe is Probe.INDEX_GONE
