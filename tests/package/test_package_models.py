"""The generated classes, and the tables of the same corpus, used as a project would use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import Connection, Table, insert, inspect, select
from sqlalchemy.exc import IntegrityError, SAWarning
from sqlalchemy.orm import Session, class_mapper, configure_mappers

from tests.package.rows import NEVER_WRITTEN, ROWS, WEIRD, expected, readable
from tests.package.support import generate, run_script

STYLES = ("declarative", "dataclasses", "sqlmodel")


def classes_of(module: ModuleType) -> dict[str, Any]:
    """The mapped class of each table, by the key of that."""
    mapped = [value for value in vars(module).values() if isinstance(value, type) and hasattr(value, "__table__")]
    return {value.__table__.key: value for value in mapped}


def written_rows(module: ModuleType, session: Session) -> list[tuple[str, str, dict[str, Any], Any]]:
    """Each row of the corpus, written by the class of its table, or into the table itself where that has none."""
    classes = classes_of(module)
    written = []
    for schema, name, values in ROWS:
        table = module.metadata.tables[f"{schema}.{name}"]
        made: Any = None
        if table.key in classes:
            mapper = class_mapper(classes[table.key])
            given = {mapper.get_property_by_column(table.c[column]).key: value for column, value in values.items()}
            made = classes[table.key](**given)
            session.add(made)
            session.flush()
        else:
            session.execute(insert(table).values(values))
        written.append((schema, name, values, made))
    return written


def read_back(session: Session, table: Table, made: Any, values: dict[str, Any]) -> dict[str, Any]:
    """The columns of a row that were written, read again."""
    if made is None:
        row = session.execute(select(*(table.c[column] for column in values))).one()
        return dict(zip(values, row, strict=True))
    mapper = inspect(made).mapper
    session.refresh(made)
    return {column: getattr(made, mapper.get_property_by_column(table.c[column]).key) for column in values}


@pytest.fixture(params=STYLES)
def style(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def models(nasty_models: Callable[[str], ModuleType], style: str) -> ModuleType:
    """The generated classes, in that style."""
    module = nasty_models(style)
    configure_mappers()
    return module


@pytest.fixture
def tables(nasty_models: Callable[[str], ModuleType]) -> ModuleType:
    """The generated tables."""
    return nasty_models("tables")


@pytest.fixture
def session(nasty: Connection) -> Iterator[Session]:
    """A session whose commits are rolled back in the end."""
    with Session(nasty, join_transaction_mode="create_savepoint") as session:
        yield session


def test_the_rows_are_of_all_tables(tables: ModuleType) -> None:
    all_tables = tables.metadata.tables.values()
    writable = {(t.schema, t.name) for t in all_tables if not t.info} | {("shop", "far_away")}
    assert writable == {(schema, name) for schema, name, _ in ROWS} | NEVER_WRITTEN


def test_a_row_of_each_table_comes_back_by_its_class(models: ModuleType, session: Session) -> None:
    seen = set()
    for schema, name, values, made in written_rows(models, session):
        table = models.metadata.tables[f"{schema}.{name}"]
        if table.key in seen or (table.key, made) == ("shop.no_key", None):
            continue
        seen.add(table.key)
        found = {column: readable(value) for column, value in read_back(session, table, made, values).items()}
        assert found == expected(schema, name, values), table.key
    session.commit()


def test_a_row_of_each_table_comes_back_by_the_tables(nasty: Connection, tables: ModuleType) -> None:
    for schema, name, values in ROWS:
        table = tables.metadata.tables[f"{schema}.{name}"]
        nasty.execute(insert(table).values(values))
        rows = nasty.execute(select(*(table.c[column] for column in values))).mappings()
        found = [{column: readable(value) for column, value in row.items()} for row in rows]
        assert expected(schema, name, values) in found, table.key


def test_every_table_is_a_class_or_a_table(models: ModuleType) -> None:
    classes = classes_of(models)
    plain = {value.key for value in vars(models).values() if isinstance(value, Table)}
    assert len(classes) + len(plain) == len(models.metadata.tables)
    assert {"blog.post_tag", "blog.related", "Shop.reader of", "shop.no_key", "shop.person_view"} <= plain
    assert "blog.circle_two" in classes, "that one has a column of its own"
    assert models.Person.__table__.key == "public.person"
    assert models.ShopPerson.__table__.key == "shop.person"
    assert models.ReleaseCheck.__name__ == "ReleaseCheck"
    assert str(models.check) and models.__release__ == "1.2.0"


def test_relationships_lead_to_the_rows(models: ModuleType, session: Session) -> None:
    made: dict[tuple[str, str], Any] = {}
    for schema, name, _, row in written_rows(models, session):
        made.setdefault((schema, name), row)
    session.commit()
    person, post = made["public", "person"], made["blog", "post"]
    assert made["shop", "person"].person is person and person.person == [made["shop", "person"]]
    assert post.author is person
    assert post.tag == [made["blog", "tag"]] and made["blog", "tag"].post == [post]
    assert [other.title for other in post.other] == ["another"]
    assert post.other[0].one == [post]
    assert post.post_text is made["blog", "post_text"] and made["blog", "post_text"].post is post
    assert post.post_extra is made["blog", "post_extra"]
    assert post.person == [person], "through a table with odd names"
    assert made["shop", "guest"].event is made["shop", "event"]
    tenant, invoice = made["blog", "tenant"], made["blog", "invoice"]
    assert tenant.tenant is tenant and tenant.tenant_reverse == [tenant]
    assert invoice.tenant_payer is invoice.tenant_owner is made["blog", "account"]
    assert invoice.tenant is tenant and tenant.invoice == [invoice]
    odd = made["Odd schema.with dot", "Odd.table"]
    assert odd.select is made["public", "select"]
    assert made["shop", "right_side"].left_side is made["shop", "left_side"]


def test_a_row_is_hung_to_another_by_a_relationship(models: ModuleType, session: Session) -> None:
    boss = models.Person(name="Ann", nick="a")
    worker = models.Person(name="Bob", nick="b")
    worker.boss = boss
    session.add(worker)
    session.commit()
    assert worker.boss_id == boss.id
    assert boss.boss_reverse == [worker]
    assert session.scalars(select(models.Person.name).where(models.Person.boss_id == boss.id)).all() == ["Bob"]


def test_what_the_database_gives_need_not_be_given(models: ModuleType, session: Session) -> None:
    row = models.ShopEveryType()
    person = models.Person(name=WEIRD)
    session.add_all([row, person])
    session.commit()
    assert (row.id % 5, row.mood, row.email, row.document) == (0, "ok", "nobody@example.org", {})
    assert row.plain_json is None
    json = models.metadata.tables["shop.every_type"].c.plain_json
    assert session.scalar(select(json.is_(None))), "the null of SQL, not that of JSON"
    assert person.id and person.boss_id is None


def test_a_key_that_nothing_fills_in_is_refused(models: ModuleType, session: Session, style: str) -> None:
    if style == "dataclasses":
        with pytest.raises(TypeError, match="id"):
            models.OtherPerson()
        return
    session.add(models.OtherPerson())
    with pytest.warns(SAWarning, match="default generator"), pytest.raises(IntegrityError):
        session.flush()


def test_a_text_form_of_rows_that_refer_to_each_other(models: ModuleType, session: Session) -> None:
    boss = models.Person(name="Ann")
    session.add(boss)
    session.flush()
    boss.boss = boss
    assert "Person" in repr(boss)


def test_a_name_of_a_schema_changes_no_other(connection: Connection) -> None:
    run_script(connection, "CREATE SCHEMA a; CREATE TABLE a.t (id int PRIMARY KEY)")
    before = generate(connection, None, "declarative")
    run_script(connection, "CREATE SCHEMA b; CREATE TABLE b.t (id int PRIMARY KEY)")
    after = generate(connection, None, "declarative")
    assert {path for path in after if before.get(path) != after[path]} == {"models/__init__.py", "models/b.py"}
