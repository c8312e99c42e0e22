"""Rows for the tables of the corpus: one for each that can be written, in an order in which all keys lead to one."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from typing import Any

from sqlalchemy.dialects.postgresql import Range

EVERY_TYPE: dict[str, Any] = {
    "mood": 'it\'s "fine", {really}',
    "moods": ["a b", 'it\'s "fine", {really}', "", "class"],
    "other_mood": "two",
    "email": "Ann@example.org",
    "work_email": "bob@example.org",
    "document": {"a": [1, None, "%s :x"]},
    "numbers": [1, 2, 3],
    "short": "abc",
    "emails": ["a@b", "c@d"],
    "address": '("Main street",5)',
    "addresses": '{"(x,1)"}',
    "span": "[1,2)",
    "names": ["a,b", '"', "NULL", "größe"],
    "matrix": [[1, 2], [3, 4]],
    "tags": {"a": 1},
    "plain_json": [1, {"b": 2}],
    "label": "Label",
    "labels": ["A", "b"],
    "extras_list": '{"\\"a\\"=>\\"1\\""}',
    "extras": {"a": "1", "b": None},
    "path": "a.b.c",
    "during": Range(
        dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc), dt.datetime(2024, 2, 1, tzinfo=dt.timezone.utc), bounds="[)"
    ),
    "several": "{[1,3),[5,7)}",
    "token": uuid.UUID(int=7),
    "tokens": [uuid.UUID(int=8), uuid.UUID(int=9)],
    "amount": decimal.Decimal("12.50"),
    "money": "$1.50",
    "at": dt.datetime(2024, 1, 1, 12, 30, 15, 125000, tzinfo=dt.timezone.utc),
    "local": dt.datetime(2024, 1, 1, 12, 30),
    "day": dt.date(2024, 2, 29),
    "clock": dt.time(12, 30, tzinfo=dt.timezone.utc),
    "wait": dt.timedelta(days=1, seconds=5),
    "flags": "1010",
    "flag_list": "{1010,0001}",
    "place": "(1,2)",
    "content": b"\x00\xff",
    "address_of": "10.0.0.1",
    "letters": "abc",
    "one": "x",
    "ratio": 0.1,
    "small": 7,
}

SHOWN_AS_TEXT = {"emails": "{a@b,c@d}", "labels": "{A,b}", "flag_list": "{1010,0001}"}
"""What of it the driver gives back as text, and how."""

WEIRD = "a %s :x \\ 'quoted' \"double\" größe"

ROWS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    *((schema, "t", {"id": 1}) for schema in ("t_person", "check", "metadata", "class", "1st", "Shop", "SHOP")),
    *((schema, "t", {"id": 1}) for schema in ("_base", "__init__", "base_test")),
    ('a "quoted" schema', 'a "quoted" table', {'a "quoted" key': 1, '""': WEIRD}),
    ("public", "text", {"id": 1, "Text": "a", "text": "b", "Integer": 2, "uuid": uuid.UUID(int=1), "UUID": None}),
    (
        "public",
        "date",
        {"id": 1, "date": dt.date(2024, 2, 29), "datetime": dt.datetime(2024, 1, 1), "Optional": "a", "list": ["b"]},
    ),
    ("public", "base", {"id": 1, "Base": "a", "base": "b", "mapped_column": "c", "relationship": "d", "Mapped": "e"}),
    (
        "public",
        "column",
        {"id": 1, "Column": "a", "Field": "b", "int": 2, "Any": {"a": [1]}, "decimal": decimal.Decimal(3)},
    ),
    ("public", "None", {"id": 1, "True": "a", "None": "b", "def": "c"}),
    (
        "public",
        "Table",
        {"id": 1, "registry": "a", "metadata": "b", "__tablename__": "c", "__table__": "d", "_sa": "e"},
    ),
    ("public", "pydantic", {"id": 1, "copy": "a", "json": "b", "schema": "c", "model_fields": "d", "_private": "e"}),
    (
        "public",
        "half",
        {
            "id": 1,
            "self": "a",
            "kwargs": "b",
            "class": "c",
            "__hidden": "d",
            "half_fk": "e",
            "naïve": "f",
            "super": "g",
            "typing": "h",
            "given": "i",
            "MODEL": "j",
            "name": "k",
            "value": "l",
        },
    ),
    ("public", "model_kind", {"id": 1, "model_x": "a"}),
    ("public", "uses_models", {"id": 1, "kind": 1, "class": 1, "copy_id": 1}),
    ("public", "release_check", {"id": 1}),
    ("public", "_", {"id": 1}),
    ("public", " ", {"id": 1, " ": WEIRD}),
    ("public", "日本", {"id": 1, "列": WEIRD}),
    ("public", "a\\b", {"id": 1, "c\\n": WEIRD}),
    ("public", "new\nline", {"id": 1, "x\ny": WEIRD}),
    ("other", "person", {"id": 1}),
    ("public", "person", {"id": 1, "name": WEIRD, "nick": "a", "rank": 1}),
    (
        "public",
        "select",
        {"from": 1, "class": WEIRD, "Mixed Case": "a", "1st": "b", "a%b": "c", "a.b": "e"},
    ),
    ("public", "1 Big-Table", {"id": 1, "x": 2}),
    ("public", "1_Big_Table", {"id": 1, "x": 3}),
    ("public", "m²", {"id": 1, "x": 4}),
    ("public", "größe", {"id": 1, "x": 5}),
    ("public", "alembic_version", {"id": 1, "x": 6}),
    ("public", "shop_item", {"id": 1, "x": 7}),
    ("shop", "item", {"id": 1, "x": 8}),
    ("shop", "person", {"id": 1, "x": 9, "friend": 1, "other": 1}),
    ("Odd schema.with dot", "Odd.table", {"Odd.id": 1, "Odd.parent": 1, "text": "e"}),
    ("shop", "line", {"b": 5, "a": 6, "note": WEIRD, "x": 1, "y": 2}),
    ("shop", "line_detail", {"id": 7, "line_a": 6, "line_b": 5}),
    ("shop", "left_side", {"id": 1}),
    ("shop", "right_side", {"id": 1, "left": 1}),
    ("shop", "two_targets", {"id": 1, "side": 1}),
    ("shop", "ticket", {"id": 20, "code": "T1"}),
    ("shop", "no_key", {"x": 1, "y": WEIRD}),
    ("shop", "vip", {"x": 1, "y": WEIRD, "level": 3}),
    ("shop", "event", {"id": 1, "at": dt.date(2024, 2, 29), "ticket": 20}),
    ("shop", "guest", {"id": 1, "event_id": 1, "event_at": dt.date(2024, 2, 29)}),
    ("shop", "every_type", EVERY_TYPE),
    ("blog", "post", {"id": 1, "title": WEIRD, "author_id": 1}),
    ("blog", "post", {"id": 2, "title": "another"}),
    ("blog", "post_test", {"id": 1}),
    ("blog", "Post", {"id": 1}),
    ("blog", "view", {"id": 1}),
    ("blog", "tag", {"name": "new"}),
    ("blog", "post_tag", {"post_id": 1, "tag": "new"}),
    ("blog", "related", {"one": 1, "other": 2}),
    ("Shop", "reader of", {"post.id": 1, "person.id": 1}),
    ("blog", "post_text", {"id": 1, "body": WEIRD}),
    ("blog", "post_extra", {"id": 1, "post_id": 1}),
    ("blog", "tenant", {"id": 1, "code": "one", "twin": "one"}),
    ("blog", "account", {"tenant_id": 1, "id": 1}),
    ("blog", "invoice", {"tenant_id": 1, "id": 1, "payer": 1, "owner": 1}),
    ("blog", "twice", {"id": 1, "tenant": 1}),
)

NEVER_WRITTEN = frozenset(
    {("shop", "no_columns"), ("shop", "far_away"), ("blog", "circle_one"), ("blog", "circle_two")}
)
"""Tables without columns or data, and those whose rows need each other in one transaction."""


def expected(schema: str, table: str, values: dict[str, Any]) -> dict[str, Any]:
    """What is read of a row that was written."""
    return values | SHOWN_AS_TEXT if (schema, table) == ("shop", "every_type") else values


def readable(value: Any) -> Any:
    """A value in a form that does not depend on the version of SQLAlchemy: bits are text in one, and not in another."""
    return str(value) if type(value).__name__ == "BitString" else value
