"""The registry: what half_orm's own tool knows is there with its types, and who, when, how long, from which commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from sqlalchemy import Connection, text

from hop_tasks.database.engines import Database
from hop_tasks.registry import create_registry, read_releases, read_state
from hop_tasks.registry.creating import tables_statement
from hop_tasks.registry.tables import definition
from tests.playground import Playground
from tests.workflows.shelf import Shelf, database_of, maintain, production, published, shop

HALF_ORM_COLUMNS = {
    ("half_orm_meta", "hop_release"): [
        ("major", "integer", "NO"),
        ("minor", "integer", "NO"),
        ("patch", "integer", "NO"),
        ("pre_release", "text", "NO"),
        ("pre_release_num", "text", "NO"),
        ("date", "date", "YES"),
        ("time", "time with time zone", "YES"),
        ("changelog", "text", "YES"),
        ("commit", "text", "YES"),
        ("dbid", "text", "YES"),
        ("hop_release", "text", "YES"),
    ],
    ("half_orm_meta", "hop_release_issue"): [
        ("num", "integer", "NO"),
        ("issue_release", "integer", "NO"),
        ("release_major", "integer", "NO"),
        ("release_minor", "integer", "NO"),
        ("release_patch", "integer", "NO"),
        ("release_pre_release", "text", "NO"),
        ("release_pre_release_num", "text", "NO"),
        ("changelog", "text", "YES"),
    ],
    ("half_orm_meta", "database"): [("id", "text", "NO"), ("name", "text", "NO"), ("description", "text", "YES")],
    ("half_orm_meta.view", "hop_last_release"): [
        ("major", "integer", "YES"),
        ("minor", "integer", "YES"),
        ("patch", "integer", "YES"),
        ("pre_release", "text", "YES"),
        ("pre_release_num", "text", "YES"),
        ("date", "date", "YES"),
        ("time", "time with time zone", "YES"),
        ("changelog", "text", "YES"),
        ("commit", "text", "YES"),
    ],
    ("half_orm_meta.view", "hop_penultimate_release"): [
        ("major", "integer", "YES"),
        ("minor", "integer", "YES"),
        ("patch", "integer", "YES"),
    ],
}
KEYS = {
    "half_orm_meta.hop_attempt PRIMARY KEY (id)",
    "half_orm_meta.hop_step PRIMARY KEY (major, minor, patch, step)",
    "half_orm_meta.database PRIMARY KEY (id)",
    "half_orm_meta.hop_release PRIMARY KEY (major, minor, patch, pre_release, pre_release_num)",
    "half_orm_meta.hop_release FOREIGN KEY (dbid) REFERENCES half_orm_meta.database(id) ON UPDATE CASCADE",
    "half_orm_meta.hop_release_issue PRIMARY KEY (num, issue_release)",
    "half_orm_meta.hop_release_issue FOREIGN KEY (release_major, release_minor, release_patch, release_pre_release, "
    "release_pre_release_num) REFERENCES half_orm_meta.hop_release(major, minor, patch, pre_release, pre_release_num)",
}

LEGACY = r"""
CREATE SCHEMA half_orm_meta;
CREATE SCHEMA "half_orm_meta.view";
CREATE TABLE half_orm_meta.database (id text PRIMARY KEY, name text NOT NULL, description text);
CREATE TABLE half_orm_meta.hop_release (
    major integer NOT NULL CHECK (major >= 0),
    minor integer NOT NULL CHECK (minor >= 0),
    patch integer NOT NULL CHECK (patch >= 0),
    pre_release text NOT NULL DEFAULT '' CHECK (pre_release IN ('alpha', 'beta', 'rc', '')),
    pre_release_num text NOT NULL DEFAULT '' CHECK (pre_release_num = '' OR pre_release_num ~ '^\d+$'),
    "date" date DEFAULT CURRENT_DATE,
    "time" time(0) with time zone DEFAULT CURRENT_TIME,
    changelog text,
    "commit" text,
    dbid text REFERENCES half_orm_meta.database (id) ON UPDATE CASCADE,
    hop_release text,
    PRIMARY KEY (major, minor, patch, pre_release, pre_release_num)
);
CREATE TABLE half_orm_meta.hop_release_issue (
    num integer NOT NULL CHECK (num >= 0),
    issue_release integer NOT NULL DEFAULT 0,
    release_major integer NOT NULL,
    release_minor integer NOT NULL,
    release_patch integer NOT NULL,
    release_pre_release text NOT NULL,
    release_pre_release_num text NOT NULL,
    changelog text,
    PRIMARY KEY (num, issue_release),
    FOREIGN KEY (release_major, release_minor, release_patch, release_pre_release, release_pre_release_num)
        REFERENCES half_orm_meta.hop_release (major, minor, patch, pre_release, pre_release_num)
);
CREATE VIEW "half_orm_meta.view".hop_last_release AS
    SELECT major, minor, patch, pre_release, pre_release_num, "date", "time", changelog, "commit"
    FROM half_orm_meta.hop_release
    ORDER BY major DESC, minor DESC, patch DESC, pre_release DESC, pre_release_num DESC LIMIT 1;
CREATE VIEW "half_orm_meta.view".hop_penultimate_release AS
    SELECT * FROM (
        SELECT major, minor, patch FROM half_orm_meta.hop_release ORDER BY major DESC, minor DESC, patch DESC LIMIT 2
    ) AS penultimate ORDER BY major, minor, patch LIMIT 1;
INSERT INTO half_orm_meta.database VALUES ('6b1e', 'bikes', 'made in 2023');
INSERT INTO half_orm_meta.hop_release
    (major, minor, patch, pre_release, pre_release_num, "date", "time", changelog, "commit", dbid, hop_release) VALUES
    (0, 0, 0, '', '', '2023-01-02', '10:11:12+01', '{"Initial": "release"}', 'c0ffee', '6b1e', '0.13.0'),
    (0, 0, 1, 'rc', '1', '2023-02-02', '10:11:12+01', 'a try', NULL, '6b1e', '0.13.0'),
    (0, 0, 1, '', '', '2023-03-02', '10:11:12+01', 'customers', 'beef', '6b1e', '0.13.0');
INSERT INTO half_orm_meta.hop_release_issue VALUES (7, 0, 0, 0, 1, '', '', 'fixed');
"""
LEGACY_ROWS = {
    table: f"SELECT {columns} FROM half_orm_meta.{table} ORDER BY 1, 2, 3, 4"
    for table, columns in {
        "hop_release": "major, minor, patch, pre_release, pre_release_num, date, time, changelog, commit, dbid, "
        "hop_release",
        "hop_release_issue": "num, issue_release, release_major, release_minor, release_patch, changelog",
        "database": "id, name, description, 1",
    }.items()
}


def columns_of(place: Playground, schema: str, table: str) -> list[tuple[str, str, str]]:
    return place.sql(f"""
        SELECT column_name, data_type, is_nullable FROM information_schema.columns
        WHERE table_schema = '{schema}' AND table_name = '{table}' ORDER BY ordinal_position""")


def keys_of(place: Playground) -> set[str]:
    rows = place.sql("""
        SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'half_orm_meta'::regnamespace AND contype IN ('p', 'f')""")
    return {row[0] for row in rows}


def legacy_rows(place: Playground) -> dict[str, list[tuple[object, ...]]]:
    return {table: place.sql(query) for table, query in LEGACY_ROWS.items()}


def test_the_file_that_makes_the_tables_is_what_their_definition_says() -> None:
    """After a change: python -c "from hop_tasks.registry.tables import definition; print(definition(), end='')" """
    assert tables_statement() == definition()


class TestCompatibility:
    """In a database that hop took over, and in one that half_orm's tool made and hop completed."""

    @staticmethod
    def completed(shelf: Shelf, play: Playground) -> Playground:
        maintain(play, f"CREATE DATABASE {database_of(play)}")
        play.sql(LEGACY)
        with transaction(play) as connection:
            create_registry(connection, production=False)
        return play

    @pytest.fixture(params=["new", "completed"])
    def place(self, request: pytest.FixtureRequest, shelf: Shelf) -> Playground:
        return shelf.shared(shop if request.param == "new" else self.completed)

    @pytest.mark.parametrize("relation", HALF_ORM_COLUMNS, ids=".".join)
    def test_columns_and_their_types(self, place: Playground, relation: tuple[str, str]) -> None:
        found = columns_of(place, *relation)
        expected = HALF_ORM_COLUMNS[relation]
        assert found[: len(expected)] == expected, "ours come after those of half_orm's tool"
        assert all(nullable == "YES" for _, _, nullable in found[len(expected) :]), "its rows stay valid"

    def test_keys(self, place: Playground) -> None:
        assert keys_of(place) == KEYS

    def test_when_is_a_time_with_time_zone_and_how_long_an_interval(self, place: Playground) -> None:
        own = {name: kind for name, kind, _ in columns_of(place, "half_orm_meta", "hop_release")}
        assert own["applied_at"] == "timestamp with time zone"
        assert own["duration"] == "interval"
        assert own["applied_by"] == own["author"] == own["checksum"] == "text"
        assert place.sql("SELECT atttypmod FROM pg_attribute WHERE attrelid = 'half_orm_meta.hop_release'::regclass "
                         "AND attname = 'time'") == [(0,)]  # fmt: skip

    def test_no_extension_is_needed(self, place: Playground) -> None:
        assert place.sql("SELECT extname FROM pg_extension") == [("plpgsql",)]

    def test_half_orms_tool_can_still_write(self, place: Playground) -> None:
        """A row as it writes it, and one that its checks refuse."""
        with transaction(place) as connection:
            insert = "INSERT INTO half_orm_meta.hop_release (major, minor, patch, pre_release, pre_release_num) VALUES "
            connection.execute(text(insert + "(9, 0, 0, 'rc', '1')"))
            last = connection.execute(text('SELECT * FROM "half_orm_meta.view".hop_last_release')).one()
            assert last[:5] == (9, 0, 0, "rc", "1")
            for row in ("(-1, 0, 0, '', '')", "(1, 0, 0, 'gamma', '')", "(1, 0, 0, 'rc', 'x')", "(0, 0, 0, '', '')"):
                with pytest.raises(Exception, match="hop_release"), connection.core.begin_nested():
                    connection.execute(text(insert + row))
            connection.rollback()


@contextmanager
def transaction(place: Playground) -> Iterator[Connection]:
    from sqlalchemy import make_url

    url = make_url(place.url).set(drivername="postgresql+psycopg2")
    with Database(url).connect() as connection:
        yield connection
        connection.commit()


class TestLegacy:
    def test_a_registry_of_half_orms_tool_is_read_as_it_stands(self, play: Playground) -> None:
        maintain(play, f"CREATE DATABASE {database_of(play)}")
        play.sql(LEGACY)
        before = legacy_rows(play)
        with transaction(play) as connection:
            state = read_state(connection)
            rows = read_releases(connection)
        assert state.exists
        assert not state.production
        assert state.last == rows[0]
        assert [(str(row.version), row.message, row.commit, row.applied_at) for row in rows] == [
            ("0.0.1", "customers", "beef", None),
            ("0.0.0", '{"Initial": "release"}', "c0ffee", None),
        ]
        assert len(columns_of(play, "half_orm_meta", "hop_release")) == 11, "reading adds nothing"
        assert legacy_rows(play) == before

    def test_it_is_completed_in_place_and_keeps_its_rows(self, shelf: Shelf) -> None:
        place = shelf.shared(TestCompatibility.completed)
        rows = legacy_rows(place)
        assert rows["database"] == [("6b1e", "bikes", "made in 2023", 1)]
        assert [row[:5] + row[7:] for row in rows["hop_release"]] == [
            (0, 0, 0, "", "", '{"Initial": "release"}', "c0ffee", "6b1e", "0.13.0"),
            (0, 0, 1, "", "", "customers", "beef", "6b1e", "0.13.0"),
            (0, 0, 1, "rc", "1", "a try", None, "6b1e", "0.13.0"),
        ]
        assert rows["hop_release_issue"] == [(7, 0, 0, 0, 1, "fixed")]
        # Nobody knows when those were applied, so nothing is said about it.
        assert place.sql("SELECT DISTINCT applied_at, applied_by, duration FROM half_orm_meta.hop_release") == [
            (None, None, None)
        ]
        assert place.sql("SELECT coalesce(production, false) FROM half_orm_meta.database") == [(False,)]
        with transaction(place) as connection:
            create_registry(connection, production=False)
        assert legacy_rows(place) == rows, "a second time changes nothing"

    def test_its_production_database_goes_on_with_hop(
        self, shelf: Shelf, play: Playground, other_database: Callable[[], str]
    ) -> None:
        place = replace(shelf.copy(published, play, databases=False), url=other_database()).production()
        maintain(place, f"CREATE DATABASE {database_of(place)}")
        schema = place.git("show", "0.0.1:Releases/shop-0.0.1.sql")
        place.sql("\n".join(line for line in schema.splitlines() if not line.startswith("\\")))
        place.sql("SET search_path = public;" + LEGACY)
        before = legacy_rows(place)
        assert "0.0.1: customers" in place.hop().succeeds().out
        place.hop("upgrade").fails(6, "not stamped as production", "--baseline 0.0.1")
        place.hop("upgrade", "--baseline", "0.0.2").fails(7, "0.0.1")
        assert legacy_rows(place) == before
        place.hop("upgrade", "--baseline", "0.0.1").succeeds()
        assert place.releases() == ["0.0.0", "0.0.1", "0.0.1", "0.0.2", "0.0.3"]
        now = legacy_rows(place)
        assert now["hop_release"][:3] == before["hop_release"]
        assert now["hop_release_issue"] == before["hop_release_issue"]
        assert now["database"] == before["database"]
        filled = "SELECT count(*) FROM half_orm_meta.hop_release WHERE num_nulls(applied_at, applied_by, duration) = 0"
        assert place.sql(filled) == [(2,)]
        assert "nothing to do" in place.hop("upgrade").succeeds().out


class TestWhoWhenHowLong:
    """Filled in, every time."""

    COLUMNS = "applied_at, applied_by, applied_from, duration, commit, author, changelog, hop_release, dbid"

    @staticmethod
    def upgraded(shelf: Shelf, play: Playground) -> Playground:
        """Production from an empty database to 0.0.3 in two steps."""
        place = shelf.copy(production, play)
        place.hop("upgrade").succeeds()
        return place

    @staticmethod
    def built(shelf: Shelf, play: Playground) -> Playground:
        """A colleague's development database, built from the repository."""
        place = shelf.copy(published, play, databases=False)
        place.hop("restore", "0.0.2").succeeds()
        return place

    @pytest.fixture(params=["shop", "published", "upgraded", "built"])
    def place(self, request: pytest.FixtureRequest, shelf: Shelf) -> Playground:
        makes = {"shop": shop, "published": published, "upgraded": self.upgraded, "built": self.built}
        return shelf.shared(makes[request.param])

    def test_every_row_of_every_kind_of_database(self, place: Playground) -> None:
        missing = [
            (version, column)
            for column in self.COLUMNS.split(", ")
            for (version,) in place.sql(
                f"SELECT concat_ws('.', major, minor, patch) FROM half_orm_meta.hop_release WHERE {column} IS NULL"
            )
        ]
        assert missing == []

    def test_they_are_the_truth(self, shelf: Shelf) -> None:
        place = shelf.shared(self.upgraded)
        rows = place.sql(f"SELECT {self.COLUMNS} FROM half_orm_meta.hop_release ORDER BY major, minor, patch")
        (role,) = place.sql("SELECT session_user")[0]
        for version, (at, by, whence, _, commit, author, *_) in zip(place.releases(), rows, strict=True):
            assert datetime.now(timezone.utc) - timedelta(hours=1) < at <= datetime.now(timezone.utc)
            assert by == role
            assert "@" in whence
            assert commit == place.git("rev-parse", f"{version}^{{commit}}")
            assert author == "Ann Author <ann@example.com>"
        assert all(earlier[0] < later[0] for earlier, later in pairwise(rows))
        assert all(row[3] > timedelta(0) for row in rows[1:])
        assert [row[6] for row in rows[1:]] == ["a patch release"] * 3
        assert len({row[8] for row in rows}) == 1

    def test_they_are_read_the_same_in_sessions_of_any_style(self, shelf: Shelf) -> None:
        place = shelf.shared(self.upgraded)
        with transaction(place) as connection:
            usual = read_releases(connection)
            assert usual[0].duration == place.sql(
                "SELECT duration FROM half_orm_meta.hop_release ORDER BY major DESC, minor DESC, patch DESC LIMIT 1"
            )[0][0]  # fmt: skip
            for style in ("iso_8601", "sql_standard", "postgres_verbose"):
                connection.exec_driver_sql(f"SET LOCAL IntervalStyle = {style}")
                assert read_releases(connection) == usual, style

    def test_they_are_shown_by_hop(self, shelf: Shelf) -> None:
        place = shelf.shared(self.upgraded)
        by, whence, commit = place.sql("SELECT applied_by, applied_from, commit FROM half_orm_meta.hop_release "
                                       "ORDER BY major DESC, minor DESC, patch DESC LIMIT 1")[0]  # fmt: skip
        out = place.hop().succeeds().out
        for shown in ("0.0.3: a patch release", f"by {by} ({whence})", commit[:12], "Ann Author <ann@example.com>"):
            assert shown in out

    def test_the_views_show_the_last_two(self, shelf: Shelf) -> None:
        place = shelf.shared(self.upgraded)
        last = place.sql('SELECT major, minor, patch, changelog FROM "half_orm_meta.view".hop_last_release')
        assert last == [(0, 0, 3, "a patch release")]
        assert place.sql('SELECT * FROM "half_orm_meta.view".hop_penultimate_release') == [(0, 0, 2)]
