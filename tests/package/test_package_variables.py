"""Names of variables for tables."""

from __future__ import annotations

import ast
import keyword

import pytest

from hop_tasks.package.variables import attribute_names, class_names, module_names, variable_names


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


def test_a_schema_is_a_module_of_small_letters() -> None:
    names = module_names(["public", "Sales", "Odd schema.with dot", "class", "1st", "t_x", "check", "_base"], {"check"})
    assert names["public"] == "public"
    assert names["Sales"] == "sales"
    assert names["Odd schema.with dot"] == "odd_schema_with_dot"
    assert names["1st"] == "s_1st"
    assert all(name.isidentifier() and not keyword.iskeyword(name) for name in names.values())
    assert not {"check", "t_x", "_base"} & set(names.values())


def test_schemas_that_would_share_a_module_both_get_one_of_their_own() -> None:
    alone = module_names(["Sales"], ())["Sales"]
    names = module_names(["sales", "Sales", "SALES"], ())
    assert len({name.lower() for name in names.values()}) == 3
    assert alone not in names.values()
    assert module_names(["sales", "Sales", "SALES", "other"], ()) == {**names, "other": "other"}


@pytest.mark.parametrize(
    ("table", "name"),
    [
        (("public", "order_line"), "OrderLine"),
        (("sales", "order_line"), "SalesOrderLine"),
        (("public", "1st"), "T1st"),
        (("public", "日本"), "T日本"),
        (("public", "_"), "T"),
        (("public", "none"), "None_"),
        (("public", "base"), "Base_"),
        (("public", "größe"), "Größe"),
    ],
)
def test_a_table_is_a_class_that_begins_with_a_capital(table: tuple[str, str], name: str) -> None:
    assert class_names([table], {"Base"}) == {table: name}


def test_a_column_is_an_attribute_of_its_own_name_wherever_that_can_be_one() -> None:
    names = attribute_names(["id", "class", "1st", "__x", "a b", "a-b", "metadata", "Größe"], {"metadata"}.__contains__)
    assert names["id"] == "id" and names["Größe"] == "Größe"
    assert (names["class"], names["metadata"], names["1st"], names["__x"]) == ("class_", "metadata_", "c_1st", "c_x")
    assert len(set(names.values())) == len(names)
    assert names["a b"].startswith("a_b_") and names["a-b"].startswith("a_b_")
