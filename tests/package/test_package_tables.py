"""The generated tables, used as a project would use them."""

from __future__ import annotations

import decimal
import importlib
import inspect
import uuid
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import Connection, Table, func, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateTable

from hop_tasks.package import GENERATED_MARK
from hop_tasks.versions import Version
from tests.package.rows import EVERY_TYPE, SHOWN_AS_TEXT
from tests.package.support import generate, run_script

Load = Callable[[Mapping[str, str]], ModuleType]


@pytest.fixture
def module(awkward_source: dict[str, str], load: Load) -> ModuleType:
    """The generated module of the awkward database."""
    return load(awkward_source)


def round_trip(connection: Connection, table: Table, values: dict[str, Any]) -> dict[str, Any]:
    connection.execute(insert(table).values(values))
    return dict(connection.execute(select(table)).mappings().one())


def test_each_module_says_what_it_is_and_how_it_is_made_again(awkward_source: dict[str, str], load: Load) -> None:
    assert all(source.startswith('"""' + GENERATED_MARK) for source in awkward_source.values())
    assert all("again with: hop sync-package" in source for source in awkward_source.values())
    module = load(awkward_source)
    assert "hop sync-package" in (inspect.getdoc(module) or "")
    assert vars(module)["__release__"] == "1.2.0"


def test_there_is_a_module_for_each_schema(awkward_source: dict[str, str], module: ModuleType) -> None:
    assert set(awkward_source) == {
        f"tables/{name}.py"
        for name in ("__init__", "_base", "_release", "odd_schema_with_dot", "other", "public", "shop")
    }
    assert importlib.import_module(f"{module.__name__}.shop").t_shop_person is module.t_shop_person


def test_a_new_release_changes_no_module_of_a_schema(awkward: Connection, awkward_source: dict[str, str]) -> None:
    now = generate(awkward, Version(1, 3, 0))
    assert {path for path, text in now.items() if awkward_source[path] != text} == {"tables/_release.py"}


def test_a_database_without_tables_or_registry_gives_a_module(connection: Connection, load: Load) -> None:
    module = load(generate(connection))
    assert vars(module)["__release__"] is None
    assert not module.metadata.tables


def test_all_relations_of_the_user_are_there_and_no_others(module: ModuleType) -> None:
    by_schema: dict[str, set[str]] = {}
    for table in module.metadata.tables.values():
        by_schema.setdefault(table.schema, set()).add(table.name)
    big = {"1 Big-Table", "1_Big_Table"}
    assert by_schema.pop("public") == {"alembic_version", "größe", "m²", "person", "select", "shop_item"} | big
    assert by_schema.pop("other") == {"person"}
    assert by_schema.pop("Odd schema.with dot") == {"Odd.table"}
    parts = {"event", "guest", "line", "line_detail", "left_side", "right_side", "two_targets", "ticket", "item"}
    views = {"catalog_view", "person_view", "person_count", "far_away"}
    assert by_schema.pop("shop") == {"every_type", "person", "no_columns", "no_key", "vip"} | parts | views
    assert not by_schema


def test_each_table_has_a_variable_of_its_own(module: ModuleType) -> None:
    variables = [value for name, value in vars(module).items() if name.startswith("t_")]
    assert len(variables) == len(set(variables)) == len(module.metadata.tables)
    assert module.t_person.schema == "public"
    assert module.t_shop_person.schema == "shop"
    assert module.t_other_person.schema == "other"


def test_every_relation_can_be_read(awkward: Connection, module: ModuleType) -> None:
    awkward.execute(insert(module.t_shop_person).values(id=1))
    for table in module.metadata.tables.values():
        if table.info.get("kind") != "foreign table":
            assert awkward.execute(select(table).limit(100)).all() is not None


def test_a_row_of_every_type_comes_back_as_it_was_written(awkward: Connection, module: ModuleType) -> None:
    awkward.execute(text("SET TIME ZONE 'UTC'"))
    row = round_trip(awkward, module.t_shop_every_type, EVERY_TYPE)
    assert row.pop("id") == 10
    assert row.pop("total") == decimal.Decimal("25.00")
    assert row.pop("words") == "'x':1 'yz':2"
    row["flags"] = str(row["flags"])
    expected = EVERY_TYPE | SHOWN_AS_TEXT
    assert {name: value for name, value in row.items() if value != expected[name]} == {}


def test_what_the_type_does_not_tell_is_in_the_columns_info(module: ModuleType) -> None:
    told = {column.name: column.info["postgresql_type"] for column in module.t_shop_every_type.c if column.info}
    assert told["email"] == "shop.email"
    assert told["address"] == "shop.address"
    assert told["flag_list"] == "bit(4)[]"
    assert told["path"] == "extensions.ltree"
    assert "names" not in told and "label" not in told


def test_columns_over_domains_have_the_operators_of_the_type_beneath(awkward: Connection, module: ModuleType) -> None:
    table = module.t_shop_every_type
    awkward.execute(insert(table).values(document={"a": {"b": "x"}}, numbers=[1, 2], email="ann@example.org"))
    found = awkward.execute(
        select(table.c.document["a"]["b"].astext, table.c.numbers[2], table.c.email + "!").where(
            table.c.numbers.contains([2])
        )
    ).one()
    assert tuple(found) == ("x", 2, "ann@example.org!")


def test_left_out_columns_get_what_the_database_gives(awkward: Connection, module: ModuleType) -> None:
    table = module.t_shop_every_type
    for key in (10, 15):
        assert awkward.execute(insert(table)).inserted_primary_key == (key,)
    row = awkward.execute(select(table).where(table.c.id == 15)).mappings().one()
    assert row["mood"] == "ok"
    assert row["tags"] == {"a": "b :c", "time": "12:30"}
    assert row["email"] == "nobody@example.org"
    assert row["work_email"] == "boss@example.org"
    assert row["document"] == {}
    assert isinstance(row["token"], uuid.UUID)


def test_keys_from_sequences_are_given_back(awkward: Connection, module: ModuleType) -> None:
    assert awkward.execute(insert(module.t_person).values(name="Ann")).inserted_primary_key == (1,)
    assert awkward.execute(insert(module.t_shop_line).values(b=5)).inserted_primary_key == (1, 5)
    ticket = awkward.execute(insert(module.t_shop_ticket)).inserted_primary_key
    assert ticket is not None and ticket[0] % 10 == 0
    assert awkward.execute(insert(module.t_shop_line_detail)).inserted_primary_key == (7,)


def test_odd_names_of_columns_can_be_written_and_read(awkward: Connection, module: ModuleType) -> None:
    table = module.t_select
    values = {column.name: 1 if column.name == "from" else f"{column.name} 100%" for column in table.c}
    assert round_trip(awkward, table, values) == values
    for column in table.c:
        assert awkward.execute(select(column).where(column == values[column.name])).scalar() == values[column.name]


def test_two_tables_of_one_name_are_two_tables(awkward: Connection, module: ModuleType) -> None:
    awkward.execute(insert(module.t_other_person).values(id=4))
    awkward.execute(insert(module.t_shop_person).values(id=1, other=4))
    assert awkward.execute(select(func.count()).select_from(module.t_person)).scalar() == 0
    joined = module.t_shop_person.join(module.t_other_person)
    assert awkward.execute(select(module.t_other_person.c.id).select_from(joined)).scalar() == 4


def test_foreign_keys_lead_to_their_tables(module: ModuleType) -> None:
    def targets(table: Table) -> list[str]:
        return sorted(str(key.elements[0].column.table) for key in table.foreign_key_constraints)

    assert all(
        element.column is not None for table in module.metadata.tables.values() for element in table.foreign_keys
    )
    assert targets(module.t_person) == ["public.person"]
    assert targets(module.t_shop_person) == ["other.person", "public.person"]
    assert targets(module.t_shop_guest) == ["shop.event"]
    assert targets(module.t_shop_two_targets) == ["shop.left_side", "shop.right_side"]
    assert targets(module.t_Odd_schema_with_dot_Odd_table) == ["Odd schema.with dot.Odd.table", "public.select"]
    (key,) = module.t_shop_line_detail.foreign_key_constraints
    assert [(element.parent.name, element.column.name) for element in key.elements] == [
        ("line_a", "a"),
        ("line_b", "b"),
    ]
    assert (key.onupdate, key.ondelete, key.match) == ("CASCADE", "RESTRICT", "FULL")
    (key,) = module.t_person.foreign_key_constraints
    assert (key.ondelete, key.deferrable, key.initially) == ("SET NULL", True, "DEFERRED")


def test_keys_keep_their_order(module: ModuleType) -> None:
    assert [column.name for column in module.t_shop_line.primary_key.columns] == ["a", "b"]
    assert [column.name for column in module.t_shop_event.primary_key.columns] == ["id", "at"]


def test_views_are_tables_without_a_key(awkward: Connection, module: ModuleType) -> None:
    for table, kind in (
        (module.t_shop_person_view, "view"),
        (module.t_shop_person_count, "materialized view"),
        (module.t_shop_far_away, "foreign table"),
    ):
        assert table.info == {"kind": kind}
        assert not table.primary_key.columns
    awkward.execute(insert(module.t_person).values(name="ann"))
    view = module.t_shop_person_view
    assert awkward.execute(select(view.c.UPPER).where(view.c.name == "ann")).scalar() == "ANN"


def test_comments_are_what_was_said(module: ModuleType) -> None:
    said = 'Says "hello", \'quoted\', """triple""", back\\slash,\nand a second line # noqa'
    assert module.t_person.comment == said
    assert module.t_person.c.name.comment == '"""\' \\ größe 😀'
    assert module.t_shop_person_view.comment == "A view."


def test_checks_and_indexes_have_the_sql_of_the_database(awkward: Connection, module: ModuleType) -> None:
    ddl = str(CreateTable(module.t_person).compile(awkward)).replace("%%", "%")
    assert ddl.count("CHECK") == 4
    assert "~ ':x 50%'::text" in ddl
    assert "DEFAULT 'a:b \\:c ::d 50%'::character varying" in ddl
    assert "rank = ANY (ARRAY[0, 1])" in ddl
    indexes = {index.name: index for index in module.t_person.indexes}
    assert set(indexes) == {"person_colon", "person_lower", "person_sorted"}
    assert indexes["person_lower"].unique
    assert str(indexes["person_lower"].dialect_options["postgresql"]["where"]) == "(rank = 1)"
    assert not module.t_shop_line.indexes


def test_a_wrong_value_is_refused_by_the_database_not_by_the_module(awkward: Connection, module: ModuleType) -> None:
    with pytest.raises(IntegrityError):
        awkward.execute(insert(module.t_person).values(name="Ann", rank=7))


def test_the_tables_can_be_made_elsewhere_and_give_the_same_module(make_engine: Callable[[], Any], load: Load) -> None:
    script = r"""
        CREATE SCHEMA shop;
        CREATE TYPE shop.mood AS ENUM ('a', 'b c');
        CREATE TABLE person (id serial PRIMARY KEY, name text COLLATE "C" DEFAULT 'a :b \:c 50%',
            mood shop.mood NOT NULL,
            CHECK (name ~ ':x 50%'), UNIQUE (name, mood) DEFERRABLE INITIALLY DEFERRED);
        CREATE TABLE shop.line (id bigint GENERATED BY DEFAULT AS IDENTITY (CACHE 5) PRIMARY KEY, moods shop.mood[],
            person_id int REFERENCES person ON DELETE CASCADE, twice bigint GENERATED ALWAYS AS (person_id * 2) STORED);
        CREATE UNIQUE INDEX line_index ON shop.line (person_id DESC, lower('x:y'), (id + 1) DESC NULLS LAST)
            INCLUDE (moods) WITH (fillfactor = 60) WHERE id > 5;
        CREATE TABLE shop.part (at timestamptz(3)) PARTITION BY RANGE (at);
        COMMENT ON COLUMN shop.line.id IS 'it''s "the" key';
    """
    with make_engine().connect() as first, make_engine().connect() as second:
        run_script(first, script)
        source = generate(first)
        run_script(second, "CREATE SCHEMA shop")
        load(source).metadata.create_all(second)
        assert generate(second) == source
