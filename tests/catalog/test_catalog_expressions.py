"""Casts of arrays, which PostgreSQL spells in two ways."""

from __future__ import annotations

import pytest

from hop_tasks.catalog.expressions import spread_array_casts


@pytest.mark.parametrize(
    ("kept", "reloaded"),
    [
        ("(ARRAY['a'::character varying])::text[]", "ARRAY[('a'::character varying)::text]"),
        (
            "x = ANY ((ARRAY['a, b'::character varying, 'it''s ]'::character varying(10)])::text[]) AND y",
            "x = ANY (ARRAY[('a, b'::character varying)::text, ('it''s ]'::character varying(10))::text]) AND y",
        ),
        (
            '(ARRAY["col]umn", f(1, 2), (ARRAY[1, 2])[1]])::"My ""type"""[]',
            'ARRAY[("col]umn")::"My ""type""", (f(1, 2))::"My ""type""", ((ARRAY[1, 2])[1])::"My ""type"""]',
        ),
        ("(ARRAY[1, 2])::numeric(10,2)[]", "ARRAY[(1)::numeric(10,2), (2)::numeric(10,2)]"),
        (
            "(ARRAY[(ARRAY[1])::shop.code[], b])::pg_catalog.text[] || (ARRAY[c])::double precision[]",
            "ARRAY[(ARRAY[(1)::shop.code])::pg_catalog.text, (b)::pg_catalog.text] || ARRAY[(c)::double precision]",
        ),
    ],
)
def test_a_cast_of_a_whole_array_becomes_casts_of_its_elements(kept: str, reloaded: str) -> None:
    assert spread_array_casts(kept) == reloaded
    assert spread_array_casts(reloaded) == reloaded


@pytest.mark.parametrize(
    "other",
    [
        "",
        "ARRAY['a'::text]",
        "(ARRAY[1, 2])[1]",
        "(ARRAY[1, 2])::text",
        "a function's body, with one quote and (ARRAY['x])::text[] and more",
        "(ARRAY[",
        "(ARRAY[1, 2",
    ],
)
def test_other_text_stays_as_it_is(other: str) -> None:
    assert spread_array_casts(other) == other
