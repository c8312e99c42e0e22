"""The splitter of SQL scripts, held against cases and against PostgreSQL's own scanner and parser."""

from __future__ import annotations

import random
import re

import postgast
import pytest

from hop_tasks.scripts.statements import ScriptError, Statement, locate, split_statements

MEGABYTE = 1_000_000
SPACE = " \t\n\r\f\v"


def texts(script: str) -> list[str]:
    return [statement.text for statement in split_statements(script)]


# In these, `¦` stands for a semicolon that ends a statement, `⏎` for a line break.
PLAIN = ["", SPACE, "¦¦¦ ¦\n¦", "SELECT 1", "SELECT 1¦", "SELECT 1¦ SELECT 2", "SELECT 1 ¦\n\n SELECT 2 \r\n"]
PLAIN += ["SELECT 1¦\r\nSELECT 2¦\r\n", "SELECT 1¦\f\v\tSELECT 2\f", "SELECT 1¦\ufeff¦a", "\u00a0¦a", "SELECT 1\u00a0"]
TOKENS = r"""
SELECT x::text, a[1:2], :v, :'v;'¦e¦SELECT [1¦2]¦BEGIN¦a¦END¦CASE¦b¦SELECT a - -1/ 2 <-> c->>'d'¦e
SELECT 'a;b'¦SELECT 'it''s;'¦SELECT 'a\'¦SELECT U&'d!0061;\' UESCAPE '!', B'01;\', x'f;\', N';\'¦c
E'\';'¦SELECT E'a\';b'¦SELECT e'a\\'¦SELECT E'a''\';'¦SELECT E'a' '\'¦SELECT E'a' /*⏎*/ '\'¦SELECT E'a' --'\'⏎¦c
SELECT E'a'  -- note;⏎⏎'\';'¦SELECT E'a'⏎'\';'⏎'\';'¦SELECT 'a'⏎'\'¦c
SELECT nameE'\'¦SELECT éE'\'¦SELECT date'\'¦SELECT $$x$$E'\';'¦c
SELECT "a;""b;"¦SELECT U&"d\0061;"¦SELECT "a\"¦c
DO $$a;b$$¦DO $été1$a;$$;$ été1$;$été1$¦DO $a$x;$A$;$b$;$a$¦DO $$x;$a$$¦c
SELECT a$b$¦c$b$¦SELECT a1$b$¦c$b$¦SELECT é$$¦c$$¦SELECT 1e5$a$¦SELECT $1a$b$¦c
SELECT $1¦c¦$2$$;$$¦SELECT 12$$;$$¦SELECT 1.5$a$;$a$¦SELECT $1$a$;$a$¦SELECT $ ¦$ab ¦c
SELECT 1 /* a; /* b; */ c; */¦SELECT 1 /*/ ; */¦SELECT 1 /***;***/¦SELECT 1 /* ' " $$ -- */¦d
SELECT 1 -- ' " $$ /*⏎¦SELECT a-->b;⏎¦SELECT a +--;⏎ 1¦SELECT a +/*;*/ 1¦SELECT a*/*;*/b¦SELECT 1 -- a;b
CREATE RULE r AS ON INSERT TO t DO (a; b)¦SELECT 1)¦SELECT (2)¦c
SELECT (1;(2;')';")";$$)$$;/*)*/;--)⏎;E'\');';)(3;);)¦c
SELECT (1; SELECT 2;⏎
CREATE FUNCTION f() BEGIN ATOMIC a; b; END¦create or replace procedure f() begin a; end¦c
CREATE /*;*/ OR --;⏎ REPLACE FUNCTION f() BEGIN CASE a END; b; END¦c
CREATE FUNCTION f() BEGIN a; BEGIN b; END; (CASE; BEGIN END END); "end"; 'end'; t.ending; $1end; END¦c
CREATE FUNCTION f() RETURN CASE 1 END¦CREATE FUNCTION begins(a) RETURN 1begin¦CREATE FUNCTION f() AS $$begin a; $$¦c
CREATE FUNCTION f() BEGIN ATOMIC a; b;⏎
CREATE VIEW f AS BEGIN¦a¦END¦create$ function f() begin¦a¦end¦CREATE¦FUNCTION f() BEGIN¦a
COPY (SELECT a FROM stdin) TO stdout¦COPY t TO stdout¦COPY t FROM 'from stdin'¦COPY t FROM PROGRAM 'x'¦c
COPY t FROM 'x' WHERE a IS DISTINCT FROM stdin¦COPY t FROM stdin_¦COPY t FROM /* stdin */ $$stdin$$¦c
SELECT 'COPY t FROM stdin'¦EXPLAIN COPY t FROM stdin¦copy_ t FROM stdin¦c
"""
CASES = [*PLAIN, *TOKENS.strip().splitlines()]


@pytest.mark.parametrize("marked", CASES)
@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("lead", ["", "\ufeff", "\ufeff /* a; */ -- b;\r\n;; ", "é; -- 'c\r"])
def test_a_script_is_split_at_the_marks(marked: str, line_break: str, lead: str) -> None:
    marked = marked.replace("⏎", line_break)
    *complete, last = [part.lstrip(SPACE) for part in marked.split("¦")]
    expected = [text for text in (*complete, last.rstrip(SPACE)) if text]
    statements = split_statements(lead + marked.replace("¦", ";"))
    assert [statement.text for statement in statements if statement.text != "é"] == expected
    assert all(statement.copy_data is None for statement in statements)


def test_comments_alone_are_no_statements() -> None:
    assert texts("-- only\n/* a */; /* b; /* c */ */;\n-- d;") == []


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT " + "(1;" * 300 + ")" * 300,
        "SELECT (" + "'a;', " * 300 + "1)",
        "SELECT " + "'a;', " * 300 + '";"',
        "SELECT " + "(2), " * 300 + "$$;$$",
        "SELECT " + "1 - " * 300 + "E';\\';'",
        "CREATE FUNCTION f() BEGIN ATOMIC SELECT " + "endpoint, beginning, cases, 1 - " * 300 + "x; END",
        "SELECT E'\\';'" + "--\n" * 3000 + "'\\';'",
        "SELECT 1" + "--;\n" * 3000,
    ],
    ids=["parentheses", "list", "strings", "groups", "operators", "words", "continued string", "comments"],
)
def test_a_statement_with_more_pieces_than_one_match_takes_is_whole(statement: str) -> None:
    assert texts("--;\n;" * 3000 + f"{statement};{statement}") == [statement, statement.rstrip()]


ROWS = [("COPY t FROM stdin", rows) for rows in ("", "1\ta;'b\n2\t\\.\n", "\\.x\n \\.\n\\. \n")]
ROWS += [
    ("copy t (a,b) from STDIN with (format csv)", "1\r\n\r\n"),
    ("COPY BINARY s.t FROM/*;*/stdout", "\u00a0\n\f\n"),
]
ROWS += [("COPY t FROM stdin (DELIMITER E'\\';')", "1\n"), ('COPY "from"."b;" (c) FROM -- a\nstdin', "1\n")]
ROWS += [("COPY stdin FROM stdin WHERE a <> ';'", "COPY t FROM stdin;\n")]


@pytest.mark.parametrize(("statement", "rows"), ROWS)
@pytest.mark.parametrize("close", [";\n", "; -- note; \r\n", ";\t\n"])
def test_the_lines_below_copy_from_stdin_are_its_rows(statement: str, rows: str, close: str) -> None:
    block = f"{statement}{close}{rows}\\."
    first, second, third = split_statements(f"{block}\r\n{block}\nSELECT 1")
    assert first == Statement(statement, 0, rows)
    assert second == Statement(statement, len(block) + 2, rows)
    assert third == Statement("SELECT 1", 2 * len(block) + 3)
    assert split_statements(block) == (first,)


# `¶` stands in front of the place to be named.
REFUSED = {
    "unterminated quoted identifier": ['é;SELECT (¶"a'],
    "unterminated dollar-quoted string $é$": ["SELECT ¶$é$;$$"],
    "unterminated /* comment": ["SELECT 1; ¶/* a /* b */;", "CREATE ¶/*"],
    "text after COPY … FROM stdin; on the same line": ["COPY t FROM stdin;¶ c;\n1\n\\.\n"],
    "psql meta-command \\i in an SQL script": ["SELECT 1;\n ¶\\i other.sql\n"],
    "psql meta-command \\gexec in an SQL script": ["SELECT 1 ¶\\gexec\n"],
    "psql meta-command \\. in an SQL script": ["SELECT 1;\n¶\\.\n"],
}
REFUSED["unterminated quoted string"] = ["SELECT ¶'a;", "SELECT ¶'a''b;", "SELECT 'x' ¶'it''s''", "¶" + "'" * 3]
REFUSED["unterminated quoted string"] += ["SELECT ¶E'a\\';", "SELECT ¶E'a'\n'b\\';", "SELECT ¶e'a''"]
NO_ROWS_END = [
    "a;\n¶COPY t FROM stdin;\n1\n",
    "¶COPY t FROM stdin;\n1\\.\n",
    "¶COPY t FROM stdin;",
    "¶COPY t FROM stdin",
]
REFUSED["COPY … FROM stdin without a line \\. that ends its rows"] = NO_ROWS_END


@pytest.mark.parametrize(
    ("message", "marked"), [(message, marked) for message in REFUSED for marked in REFUSED[message]]
)
def test_a_script_that_cannot_be_split_is_refused_with_the_place(message: str, marked: str) -> None:
    with pytest.raises(ScriptError) as caught:
        split_statements(marked.replace("¶", ""))
    assert caught.value.offset == marked.index("¶")
    assert caught.value.message.startswith(message)
    assert str(caught.value) == caught.value.message


def test_offsets_and_places_count_characters() -> None:
    script = "\ufeff-- ünïcode\r\nSELECT '€';\r\n  /* 𝄞 */ SELECT 'é', x FRM t;\n"
    first, second = split_statements(script)
    assert first == Statement("SELECT '€'", script.index("SELECT"))
    assert (second.text, second.offset) == ("SELECT 'é', x FRM t", script.rindex("SELECT"))
    with pytest.raises(postgast.PgQueryError) as caught:
        postgast.parse(second.text)
    assert caught.value.cursorpos == 19
    assert locate(script, first.offset) == (2, 1)
    assert locate(script, second.offset + caught.value.cursorpos - 1) == (3, 29)


PLACES = [("", 0, (1, 1)), ("ab\ncd", 2, (1, 3)), ("ab\ncd", 3, (2, 1)), ("ab\r\ncd\n", 7, (3, 1))]
PLACES += [("\ufeffab", 0, (1, 1)), ("\ufeffab", 1, (1, 1)), ("\ufeffa\nb", 3, (2, 1))]


@pytest.mark.parametrize(("script", "offset", "place"), PLACES)
def test_a_place_is_line_and_column(script: str, offset: int, place: tuple[int, int]) -> None:
    assert locate(script, offset) == place


SCHEMA = """
-- The shop; its tables
CREATE SCHEMA shop; CREATE TYPE shop.state AS ENUM ('new', 'paid;', 'it''s sent');
CREATE TABLE shop.customer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, /* surrogate; */
    name text NOT NULL CHECK ((length(name) > 0) AND (position(';' IN name) = 0)),
    "e;mail" varchar(200) DEFAULT E'nobody\\\\\\'s;' NOT NULL -- unique, see below; really
);
COMMENT ON TABLE shop.customer IS U&'Kund\\00E9; en';
CREATE UNIQUE INDEX ON shop.customer (lower("e;mail")) WHERE name <> $$;$$;;
INSERT INTO shop.customer (name) VALUES ('Zoë; d''Arc'), (N'x'), ($q$a;$$b$q$);
ALTER TABLE shop.customer ADD COLUMN ratio numeric DEFAULT 1.5e-3, ADD CHECK (ratio*-1<=+2 AND id->>'a' IS NULL);
CREATE VIEW shop.v AS SELECT CASE WHEN id > 1 THEN 'a;' ELSE b'01'::text END AS "end" FROM shop.customer;
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO PUBLIC
"""
ROUTINES = """
CREATE OR REPLACE FUNCTION f(a integer, "b;" text DEFAULT ';') RETURNS text LANGUAGE plpgsql AS $body$
DECLARE q text := $$SELECT ';'$$;
BEGIN
  IF a > 1 THEN RETURN q; END IF; -- done;
  RETURN CASE WHEN a = 0 THEN 'zero' ELSE $1::text END;
END;
$body$;
CREATE FUNCTION g() RETURNS integer LANGUAGE sql BEGIN ATOMIC
  SELECT CASE WHEN 1 = 1 THEN (CASE WHEN true THEN 2 END) ELSE 3 END;
  INSERT INTO t VALUES (1, ';'); SELECT 2 AS "end"; /* END; */
END;
CREATE PROCEDURE h(x int) BEGIN ATOMIC SELECT 1; END;
CREATE FUNCTION i(x int) RETURNS int RETURN CASE x WHEN 1 THEN 2 END;
CREATE FUNCTION j() RETURNS int LANGUAGE c STRICT AS 'lib;', 'sym;';
DO $$ BEGIN PERFORM 1; EXCEPTION WHEN others THEN RAISE NOTICE 'a;%', $x$;$x$; END $$;
DO LANGUAGE plpgsql 'BEGIN RAISE NOTICE ''x;''; END;';
BEGIN; SELECT 1; END;
CREATE RULE r AS ON INSERT TO t DO ALSO (INSERT INTO a VALUES (1); INSERT INTO b VALUES (';'); NOTIFY t);
CREATE TRIGGER tr BEFORE UPDATE OF a ON t FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION f();
SELECT a$b, c$$d FROM t WHERE a @> '{";"}' AND b - -1 > 2 -- end
"""
LEADING_BLANK = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*", re.DOTALL)


@pytest.mark.parametrize("script", [SCHEMA, ROUTINES, SCHEMA.replace("\n", "\r\n"), ROUTINES.replace("\n", "\r\n")])
def test_a_valid_script_is_split_where_the_parser_splits_it(script: str) -> None:
    expected = [LEADING_BLANK.sub("", text, count=1).rstrip() for text in postgast.split(script, method="parser")]
    assert [text.rstrip() for text in texts(script)] == expected


KEYBOARD = r"""
    ' '' 'a;' 'it''s' 'b\' E' E'\';' e'\\' N'n;' U&'u;' B'1' x'f' " "a;" "b""c" U&"c;" $$ $$;$$ $a$ $a$;'$a$ $é$ $
    a é E e 1 1.5 0x1F . -- /* */ /*;*/ /*/**/;*/ - / * + -> ; ; ; ; ( ) (;) [ ] , : :: end_ \ € _ select COPY FROM
    begin case END BEGIN
"""
FRAGMENTS = [*KEYBOARD.split(), *"   \n\r\f\t\u00a0", "\r\n", "$1 ", "$1$a$", "-- ;'\n", "E'a'\n'\\';'", "'a'\n'b;'"]
FRAGMENTS += ["\nCREATE FUNCTION f() ", ";create or replace/**/procedure p() begin atomic ", " CASE ", " end "]
# Unlike PostgreSQL's scanner, that of libpg_query ends a continued string at a comment, and a parameter at a letter.
UNLIKE_POSTGRESQL = re.compile(r"'\s*--|\$[0-9]+E'", re.IGNORECASE)


def reference(script: str) -> list[Statement]:
    """Split by the tokens of PostgreSQL's scanner; raises ScriptError at a backslash."""
    encoded = script.encode()
    statements: list[Statement] = []
    start, depth, body, first = -1, 0, 0, ""
    for token in postgast.scan(script).tokens:
        word = encoded[token.start : token.end].decode().lower()
        if word.startswith(("--", "/*")) or (word == ";" and start < 0):
            continue
        offset = len(encoded[: token.start].decode())
        if word == "\\":
            raise ScriptError("", offset)
        if word == ";" and not depth and not body:
            statements.append(Statement(script[start:offset], start))
            start, first = -1, ""
            continue
        if start < 0:
            start = offset
        first = f"{first} {word}" if first.count(" ") < 4 else first
        depth = max(0, depth + (word == "(") - (word == ")"))
        if not depth and re.match(" create (or replace )?(function|procedure)( |$)", first):
            body = max(0, body + (word == "begin" or (word == "case" and body > 0)) - (word == "end"))
    if start >= 0:
        statements.append(Statement(script[start:].rstrip(SPACE), start))
    return statements


@pytest.mark.parametrize("seed", range(8))
def test_a_mixture_of_fragments_is_split_where_the_scanner_splits_it(seed: int) -> None:
    generator = random.Random(seed)
    compared = 0
    for _ in range(1000):
        script = "".join(generator.choices(FRAGMENTS, k=generator.randint(1, 25)))
        if UNLIKE_POSTGRESQL.search(script):
            continue
        try:
            expected = reference(script)
        except ScriptError as error:
            with pytest.raises(ScriptError, match="meta-command") as caught:
                split_statements(script)
            assert caught.value.offset == error.offset, script
        except postgast.PgQueryError as error:
            if str(error).startswith("unterminated"):
                with pytest.raises(ScriptError):
                    split_statements(script)
        else:
            assert list(split_statements(script)) == expected, script
            compared += 1
    assert compared > 250


ONE_THING = ["(", ")", "'", '"', "$", "$a$b", "1$", "a$", "- ", "E'", "E''\n", "('' ", "((a)", "(--\n", "é", "create "]


@pytest.mark.parametrize("unit", ONE_THING)
def test_a_megabyte_of_one_thing_is_one_statement(unit: str) -> None:
    script = unit * (MEGABYTE // len(unit) // 4 * 4)
    assert split_statements(f"a;{script}") == (Statement("a", 0), Statement(script.rstrip(), 2))


@pytest.mark.parametrize("unit", [" ", "-", ";", "--\n", "/**/"])
def test_a_megabyte_of_nothing_is_no_statement(unit: str) -> None:
    assert split_statements(unit * (MEGABYTE // len(unit))) == ()


UNENDING = [("'", "''"), ("E'", "\\'"), ("E'", "\\\\"), ("", "/*"), ("/*", "/**/"), ("", "\\")]
UNENDING += [("$" + "a" * (MEGABYTE // 2) + "$", "a"), ("COPY t FROM stdin;\n", "\\.x\n")]


@pytest.mark.parametrize(("before", "unit"), UNENDING, ids=range(len(UNENDING)))
def test_a_megabyte_without_an_end_is_refused(before: str, unit: str) -> None:
    with pytest.raises(ScriptError, match=r"unterminated|without a line|meta-command") as caught:
        split_statements(before + unit * (MEGABYTE // len(unit)))
    assert caught.value.offset == 0


def test_long_bodies_and_blocks_are_split() -> None:
    routine = "CREATE FUNCTION f() BEGIN ATOMIC " + "SELECT CASE 1 END; " * 30_000 + "END"
    rows = "1\t;'\n" * 200_000
    inserts = [f"INSERT INTO t (a, b) VALUES ({number}, 'it''s {number};')" for number in range(20_000)]
    statements = split_statements(f"{routine};\nCOPY t FROM stdin;\n{rows}\\.\n{';'.join(inserts)}")
    assert statements[0].text == routine
    assert statements[1].copy_data == rows
    assert [statement.text for statement in statements[2:]] == inserts
