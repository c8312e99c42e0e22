"""Names of variables for tables."""

from __future__ import annotations

import ast

import pytest

from hop_tasks.package.variables import variable_names


def test_the_schema_public_is_not_named_and_every_other_is() -> None:
    names = variable_names([("public", "person"), ("shop", "person")])
    assert names == {("public", "person"): "t_person", ("shop", "person"): "t_shop_person"}


@pytest.mark.parametrize(
    "name", ["class", "1st", "a b", "a-b", "m²", "größe", "ﬁ", "😀", '"', "a.b", "\n", "x\u0301", " "]
)
def test_every_name_becomes_an_identifier_that_python_leaves_as_it_is(name: str) -> None:
    variable = variable_names([("public", name)])["public", name]
    assert variable.isidentifier()
    assert ast.parse(variable).body[0].value.id == variable  # type: ignore[attr-defined]


def test_tables_that_would_share_a_name_both_get_one_of_their_own() -> None:
    tables = [("public", "a b"), ("public", "a-b"), ("public", "a_b"), ("a", "b"), ("public", "other")]
    names = variable_names(tables)
    assert len(set(names.values())) == len(tables)
    assert "t_a_b" not in names.values()
    assert names["public", "other"] == "t_other"


def test_a_name_does_not_depend_on_which_others_share_it() -> None:
    few = variable_names([("public", "a b"), ("public", "a-b")])
    many = variable_names([("a", "b"), ("public", "a_b"), ("public", "a-b"), ("public", "a b")])
    assert few.items() <= many.items()
