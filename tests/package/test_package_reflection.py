"""What generating depends on, and what it leaves as it was."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, insert, select, text
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.types import UserDefinedType

from hop_tasks.errors import DatabaseError, ProjectError
from hop_tasks.package import differences, find_generator, synchronise
from tests.database.connecting import over
from tests.package.support import generate, generate_text, run_script

Load = Callable[[Mapping[str, str]], ModuleType]


class Path(UserDefinedType[str]):
    """A type of an extension, as a library would register it with SQLAlchemy."""

    def __init__(self, length: int = 5) -> None:
        self.length = length

    def get_col_spec(self, **_: Any) -> str:
        return "ltree"


def test_the_same_database_gives_the_same_bytes(awkward: Connection) -> None:
    assert generate(awkward) == generate(awkward)


def test_the_order_of_creation_makes_no_difference(make_engine: Callable[[], Engine]) -> None:
    tables = [
        "CREATE TABLE a (id int PRIMARY KEY, x int, y int)",
        "CREATE SCHEMA s; CREATE TABLE s.a (id int PRIMARY KEY)",
        "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TABLE b (m mood)",
    ]
    constraints = [
        "ALTER TABLE a ADD CONSTRAINT one FOREIGN KEY (x) REFERENCES a",
        "ALTER TABLE a ADD CONSTRAINT two FOREIGN KEY (x) REFERENCES s.a",
        "ALTER TABLE a ADD CONSTRAINT three UNIQUE (y, x)",
        "ALTER TABLE a ADD CONSTRAINT four UNIQUE (y, x)",
        "ALTER TABLE a ADD CONSTRAINT five CHECK (x > 1)",
        "CREATE INDEX six ON a (x)",
        "CREATE INDEX seven ON a (x)",
    ]
    sources = set()
    for turn in (1, -1):
        with make_engine().connect() as connection:
            run_script(connection, ";".join(tables[::turn] + constraints[::turn]))
            sources.add(generate_text(connection))
    assert len(sources) == 1


def test_the_settings_of_the_session_make_no_difference(awkward: Connection) -> None:
    run_script(
        awkward, "CREATE TABLE moment (at timestamptz DEFAULT '2024-02-01 12:00+00', wait interval DEFAULT '1 day')"
    )
    plain = generate(awkward)
    run_script(
        awkward,
        "SET search_path = other, shop, public, extensions; SET quote_all_identifiers = on; SET DateStyle = 'SQL, MDY';"
        "SET TimeZone = 'Asia/Tokyo'; SET IntervalStyle = 'iso_8601'; SET bytea_output = 'escape'",
    )
    assert generate(awkward) == plain


def test_the_session_and_the_transaction_of_the_caller_stay_as_they_were(connection: Connection) -> None:
    run_script(connection, "CREATE TABLE not_committed (x int); SET LOCAL search_path = pg_temp, public")
    assert "t_not_committed" in generate_text(connection)
    assert connection.execute(text("SHOW search_path")).scalar() == "pg_temp, public"
    connection.execute(text("INSERT INTO public.not_committed VALUES (1)"))
    connection.rollback()
    assert connection.execute(text("SHOW search_path")).scalar() != "pg_temp, public"
    assert "t_not_committed" not in generate_text(connection)


def test_what_went_past_sqlalchemy_is_not_lost(connection: Connection) -> None:
    connection.connection.cursor().execute("CREATE TABLE not_seen (x int)")
    assert "t_not_seen" in generate_text(connection)
    assert "t_not_seen" in generate_text(connection)


def test_no_transaction_stays_open(connection: Connection) -> None:
    generate(connection)
    assert not connection.in_transaction()


def test_a_connection_in_autocommit_keeps_its_settings(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET search_path = nowhere, public"))
        connection.execute(text("CREATE TYPE public.mood AS ENUM ('a')"))
        connection.execute(text("CREATE TABLE public.person (id int PRIMARY KEY, mood mood)"))
        source = generate(connection)
        assert connection.execute(text("SHOW search_path")).scalar() == "nowhere, public"
    with engine.connect() as connection:
        assert generate(connection) == source


def test_nothing_of_the_connection_is_in_the_module(awkward: Connection, engine: Engine) -> None:
    source = generate_text(awkward)
    url = engine.url
    assert url.database is not None
    user = awkward.execute(text("SELECT current_user || '@'")).scalar_one()
    for part in (url.database, url.host, url.query.get("host"), user, "postgresql+", "psycopg2"):
        assert not part or str(part) not in source


def test_the_number_of_queries_does_not_grow_with_the_tables(connection: Connection, engine: Engine) -> None:
    counts = []
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    for number in (2, 60):
        script = (f"CREATE TABLE t{number}_{i} (id serial PRIMARY KEY, x int UNIQUE, y text)" for i in range(number))
        run_script(connection, ";".join(script))
        generate(connection)
        statements.clear()
        generate(connection)
        counts.append(len(statements))
    assert counts[0] == counts[1] < 20


def test_a_type_that_a_library_registered_is_used_wherever_its_extension_is(
    awkward: Connection, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PGDialect.ischema_names, "ltree", Path)
    monkeypatch.setitem(sys.modules, Path.__module__, sys.modules[__name__])
    table = load(generate(awkward)).t_shop_every_type
    assert isinstance(table.c.path.type, Path)
    assert not table.c.path.info


def test_a_name_with_a_dot_that_makes_two_tables_one_is_reported(connection: Connection) -> None:
    run_script(
        connection, 'CREATE SCHEMA a; CREATE SCHEMA "a.b"; CREATE TABLE a."b.c" (x int); CREATE TABLE "a.b".c (x int)'
    )
    with pytest.raises(ProjectError, match=r"two tables are both called a\.b\.c"):
        generate(connection)
    assert connection.execute(text("SELECT 1")).scalar() == 1


def test_a_schema_that_may_not_be_read_is_named_and_the_transaction_goes_on(awkward: Connection) -> None:
    run_script(awkward, "CREATE ROLE package_reader; SET LOCAL ROLE package_reader")
    with pytest.raises(DatabaseError, match="could not be read: permission denied for schema") as caught:
        generate(awkward)
    assert "\n" not in str(caught.value) and "SELECT" not in str(caught.value)
    assert awkward.execute(text("SELECT current_user")).scalar() == "package_reader"
    awkward.rollback()


def test_names_of_tables_in_other_schemas_do_not_change_a_variable(connection: Connection) -> None:
    run_script(connection, "CREATE TABLE person (id int PRIMARY KEY)")
    assert "\nt_person = Table(" in generate_text(connection)
    run_script(connection, "CREATE SCHEMA aaa; CREATE TABLE aaa.person (id int PRIMARY KEY)")
    source = generate_text(connection)
    assert "\nt_person = Table(" in source and "\nt_aaa_person = Table(" in source


def test_a_package_is_brought_in_step_with_the_database(connection: Connection, tmp_path: Any, load: Load) -> None:
    generator = find_generator("tables")
    run_script(connection, "CREATE TABLE person (id int PRIMARY KEY)")
    folder = tmp_path / "shop"
    files = ("__init__.py", *(f"tables/{name}.py" for name in ("__init__", "_base", "_release", "public")))
    assert synchronise(folder, over(connection), generator, None).written == tuple(folder / name for name in files)
    assert differences(folder, over(connection), generator, None) == ()
    run_script(connection, "ALTER TABLE person ADD name text")
    assert differences(folder, over(connection), generator, None) == (folder / "tables/public.py",)
    assert synchronise(folder, over(connection), generator, None).written == (folder / "tables/public.py",)
    texts = {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in folder.rglob("tables/*.py")}
    table = load(texts).t_person
    connection.execute(insert(table).values(id=1, name="Ann"))
    assert connection.execute(select(table.c.name)).scalar() == "Ann"


def test_what_only_newer_servers_have(connection: Connection, load: Load) -> None:
    version = connection.dialect.server_version_info or (0,)
    if version < (18,):
        pytest.skip(f"needs PostgreSQL 18, this is {version[0]}")
    run_script(
        connection,
        """
        CREATE EXTENSION btree_gist;
        CREATE TABLE room (id int, during daterange, PRIMARY KEY (id, during WITHOUT OVERLAPS));
        CREATE TABLE stay (id int PRIMARY KEY, room int, during daterange,
            half int GENERATED ALWAYS AS (room / 2) VIRTUAL,
            CONSTRAINT positive CHECK (room > 0) NOT ENFORCED,
            FOREIGN KEY (room, PERIOD during) REFERENCES room (id, PERIOD during));
        """,
    )
    module = load(generate(connection))
    assert not module.t_stay.foreign_keys
    assert module.t_stay.c.half.computed.persisted is False
    run_script(connection, "INSERT INTO room VALUES (5, '[2024-01-01,2024-02-01)')")
    connection.execute(insert(module.t_stay).values(id=1, room=5, during="[2024-01-01,2024-01-02)"))
    assert connection.execute(select(module.t_stay.c.half)).scalar() == 2
