"""The drill: a database with everything in it, backed up, damaged in every way, and restored as it was."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from hop_tasks.database import embedded
from tests.playground import Playground
from tests.workflows.backing import backup_of, everything, restored_at
from tests.workflows.diary import Diary
from tests.workflows.shelf import Shelf, database_of, maintain, production, url_beside

RICH = """
CREATE SCHEMA "odd schema %";
CREATE TABLE "odd schema %"."Table ""x"" {0}" (id serial PRIMARY KEY, note text);
INSERT INTO "odd schema %"."Table ""x"" {0}" (note) VALUES ('a'), (NULL), (E'tab\\tnew\\nline %s'), ('é');
CREATE TABLE measured (day date NOT NULL, value numeric) PARTITION BY RANGE (day);
CREATE TABLE measured_2024 PARTITION OF measured FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE measured_rest PARTITION OF measured DEFAULT;
INSERT INTO measured SELECT date '2024-11-01' + n, n / 7.0 FROM generate_series(1, 90) n;
CREATE TABLE parent (id integer);
CREATE TABLE child (extra text) INHERITS (parent);
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (2, 'b'), (3, 'c');
CREATE TABLE no_columns ();
INSERT INTO no_columns DEFAULT VALUES;
CREATE TABLE computed (n integer, twice integer GENERATED ALWAYS AS (n * 2) STORED);
INSERT INTO computed VALUES (1), (2);
CREATE TABLE only_computed (one integer GENERATED ALWAYS AS (1) STORED);
INSERT INTO only_computed DEFAULT VALUES;
CREATE UNLOGGED TABLE unlogged (n integer);
INSERT INTO unlogged VALUES (5);
CREATE MATERIALIZED VIEW total AS SELECT count(*) AS products FROM product;
CREATE TABLE secret (n integer);
INSERT INTO secret VALUES (42);
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
ALTER TABLE secret FORCE ROW LEVEL SECURITY;
CREATE POLICY nobody ON secret USING (false);
CREATE SEQUENCE ticket START 7 INCREMENT 3;
SELECT nextval('ticket'), nextval('ticket');
CREATE SEQUENCE untouched;
SELECT lo_from_bytea(4711, decode(repeat('c0ffee', 2000), 'hex'));
SELECT lo_from_bytea(4712, '');
"""

PRIVILEGES = """
GRANT SELECT ON product TO {reader};
GRANT UPDATE (price) ON product TO {reader} WITH GRANT OPTION;
GRANT USAGE ON SEQUENCE ticket TO {reader};
GRANT SELECT ON LARGE OBJECT 4711 TO {reader};
ALTER TABLE customer OWNER TO {reader};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {reader};
"""

OF_THE_DATABASE = """
COMMENT ON DATABASE {name} IS 'the shop''s own % {{words}}';
ALTER DATABASE {name} SET statement_timeout TO '77s';
ALTER DATABASE {name} SET search_path TO "$user", public, "odd schema %";
ALTER ROLE {reader} IN DATABASE {name} SET work_mem TO '7MB';
ALTER DATABASE {name} CONNECTION LIMIT 33;
REVOKE ALL ON DATABASE {name} FROM PUBLIC;
GRANT CONNECT ON DATABASE {name} TO {reader} WITH GRANT OPTION;
ALTER DATABASE {name} OWNER TO {owner};
"""

DAMAGE = """
DELETE FROM "odd schema %"."Table ""x"" {0}";
DROP TABLE customer;
ALTER TABLE product ALTER price TYPE text;
UPDATE product SET name = name || '?';
TRUNCATE measured_2024;
SELECT setval('ticket', 1);
SELECT lo_unlink(4711);
REVOKE ALL ON product FROM {reader};
DROP MATERIALIZED VIEW total;
"""


@pytest.fixture
def roles(server_url: str, play: Playground) -> Iterator[dict[str, str]]:
    """Roles of this test, which own and may read things."""
    names = {kind: f"{kind}_{secrets.token_hex(3)}" for kind in ("reader", "owner")}
    for name in names.values():
        maintain(play, f"CREATE ROLE {name}")
    yield names
    for database in play.databases():
        for name in names.values():
            play.sql(f"REASSIGN OWNED BY {name} TO CURRENT_USER; DROP OWNED BY {name}", url_beside(play, database))
    for name in names.values():
        maintain(play, f"DROP ROLE {name}")


def rich(place: Playground, roles: dict[str, str]) -> Playground:
    """Fills a production database with what PostgreSQL has."""
    place.sql(RICH)
    place.sql(PRIVILEGES.format(**roles))
    for line in OF_THE_DATABASE.format(name=database_of(place), **roles).strip().splitlines():
        maintain(place, line)
    return place


@pytest.mark.every_server
@pytest.mark.parametrize(("kind", "programs"), [("custom", "own"), ("directory", "own"), ("directory", "newest")])
def test_all_is_as_it_was(shelf: Shelf, play: Playground, roles: dict[str, str], kind: str, programs: str) -> None:
    place = rich(shelf.copy(production, play).with_variables(HOP_BACKUP_FORMAT=kind), roles)
    if programs == "newest":
        place = place.with_variables(HOP_CLIENT_PROGRAMS=str(embedded.binaries()))
    before = everything(place)
    backup = backup_of(place)
    assert backup.path.is_dir() == (kind == "directory")
    assert backup.rows is not None
    assert backup.rows['"odd schema %"."Table ""x"" {0}"'] == 4
    assert (backup.rows["public.parent"], backup.rows["public.child"]) == (1, 2)
    assert (backup.rows["public.secret"], backup.rows["public.no_columns"]) == (1, 1)
    assert "public.measured" not in backup.rows
    assert "public.total" not in backup.rows

    place.sql(DAMAGE.replace("{reader}", roles["reader"]))
    damaged = everything(place)
    assert damaged != before
    restored = restored_at(place)
    assert everything(place) == before
    assert place.sql("SELECT nextval('ticket')") == [(13,)]

    # What was replaced is there as it was, and comes back just so, with what belongs to the database.
    assert restored.kept_as is not None
    maintain(place, f"ALTER DATABASE {database_of(place)} SET work_mem TO '9MB'")
    maintain(place, f"ALTER DATABASE {database_of(place)} RESET statement_timeout")
    maintain(place, f"GRANT TEMPORARY ON DATABASE {database_of(place)} TO PUBLIC")
    settings = everything(place)["database"]
    again = restored_at(place, restored.kept_as)
    assert again.source == f"the kept database {restored.kept_as}"
    found = everything(place)
    assert found.pop("database") == settings
    damaged.pop("database")
    assert found == damaged


def test_a_database_that_was_dropped_comes_back(shelf: Shelf, play: Playground, roles: dict[str, str]) -> None:
    """With what belonged to it, as far as the server has the roles."""
    place = rich(shelf.copy(production, play), roles)
    before = everything(place)
    backup_of(place)
    maintain(place, f"DROP DATABASE {database_of(place)}")
    assert restored_at(place).kept_as is None
    assert everything(place) == before


def test_a_role_that_is_gone_with_the_database_is_named(shelf: Shelf, play: Playground, roles: dict[str, str]) -> None:
    place = shelf.copy(production, play)
    name = database_of(place)
    maintain(place, f"CREATE ROLE {name}")
    maintain(place, f"GRANT CREATE ON DATABASE {name} TO {name}")
    maintain(place, f"ALTER DATABASE {name} CONNECTION LIMIT 9")
    backup_of(place)
    maintain(place, f"DROP DATABASE {name}")
    maintain(place, f"DROP ROLE {name}")
    diary = Diary()
    restored_at(place, diary=diary)
    assert f"no {name}" in diary.told("warn")
    assert place.sql("SELECT datconnlimit FROM pg_database WHERE datname = current_database()") == [(9,)]
