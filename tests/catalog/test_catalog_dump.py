"""A database rebuilt from its dump has the catalog of its origin, and a dump's text can be made to say no more."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hop_tasks.catalog import normalise_dump, read_catalog
from hop_tasks.database.engines import Database

BODY = """CREATE FUNCTION public.f() RETURNS text
    LANGUAGE plpgsql
    AS $$BEGIN RETURN '
\\restrict abc

-- Dumped from database version 18.6
-- Dumped by pg_dump version 18.6

SET transaction_timeout = 0;

\\unrestrict abc

';END$$;
"""

DUMP = f"""--
-- PostgreSQL database dump
--

\\restrict abc

-- Dumped from database version 18.6
-- Dumped by pg_dump version 18.6 (Debian 18.6-1)

SET statement_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SELECT pg_catalog.set_config('search_path', '', false);

--
-- Name: f(); Type: FUNCTION; Schema: public; Owner: -
--

{BODY}

SET default_table_access_method = heap;

--
-- PostgreSQL database dump complete
--

\\unrestrict abc

"""

NORMAL = f"""--
-- PostgreSQL database dump
--

SET statement_timeout = 0;
SET client_encoding = 'UTF8';
SELECT pg_catalog.set_config('search_path', '', false);

--
-- Name: f(); Type: FUNCTION; Schema: public; Owner: -
--

{BODY}

SET default_table_access_method = heap;

--
-- PostgreSQL database dump complete
--
"""


def test_only_the_head_and_the_foot_of_a_dump_lose_what_changes() -> None:
    assert normalise_dump(DUMP) == NORMAL


def test_the_dump_of_a_program_without_restrict_gets_the_same_text() -> None:
    older = DUMP.replace("\\restrict abc\n\n", "", 1).removesuffix("\\unrestrict abc\n\n")
    assert BODY in older
    assert normalise_dump(older) == NORMAL


def test_doing_it_twice_is_doing_it_once() -> None:
    assert normalise_dump(NORMAL) == NORMAL


@pytest.mark.parametrize("key", ["abc", "def"])
def test_the_last_line_of_a_text_that_was_cut_off_stays(key: str) -> None:
    assert normalise_dump(NORMAL + f"x'\n\\unrestrict {key}\n") == NORMAL + f"x'\n\\unrestrict {key}\n"


@pytest.mark.parametrize(
    "text", ["", "\n", BODY, "-- Dumped by hand\n\\restrict abc\n", "SET transaction_timeout = 0;\n\n\n"]
)
def test_a_text_that_is_not_a_dump_stays_as_it_is(text: str) -> None:
    assert normalise_dump(text) == text


def test_characters_that_only_look_like_line_ends_stay() -> None:
    odd = DUMP.replace("BEGIN RETURN", "BEGIN -- \x0b\x0c\x1c\x85\u2028 \r\n RETURN")
    assert normalise_dump(odd) == NORMAL.replace("BEGIN RETURN", "BEGIN -- \x0b\x0c\x1c\x85\u2028 \r\n RETURN")


def test_a_database_rebuilt_from_its_dump_has_the_same_catalog(
    rich_database: Database, make_database: Callable[[str], Database], dump_database: Callable[[Database], str]
) -> None:
    with rich_database.connect() as connection:
        expected = read_catalog(connection)
    dump = normalise_dump(dump_database(rich_database))
    rebuilt = make_database(dump)
    with rebuilt.connect() as connection:
        found = read_catalog(connection)
    assert expected.compare(found).summary() == "no difference"
    assert expected.fingerprint == found.fingerprint
    again = normalise_dump(dump_database(rebuilt))
    assert again == normalise_dump(again)
    with make_database(again).connect() as connection:
        assert read_catalog(connection) == expected


def test_two_dumps_of_one_database_get_the_same_text(
    rich_database: Database, dump_database: Callable[[Database], str]
) -> None:
    first, second = dump_database(rich_database), dump_database(rich_database)
    assert first != second
    normal = normalise_dump(first)
    assert normal == normalise_dump(second)
    assert normal == normalise_dump(normal)
    # The rich schema has a function whose body looks like the head of a dump.
    for line in ("\\restrict x", "-- Dumped by pg_dump version 1", "SET transaction_timeout = 0;", "\\unrestrict x"):
        assert normal.split("\n").count(line) == 1
    kept = [line for line in first.split("\n") if line.startswith("-- ") and not line.startswith("-- Dumped ")]
    assert [line for line in normal.split("\n") if line.startswith("-- ") and not line.startswith("-- Dumped ")] == kept
