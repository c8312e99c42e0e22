"""`hop apply` and `hop undo`: the development database at base plus patch files, or at the base, again and again."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest
from sqlalchemy import make_url

from hop_tasks.catalog import read_catalog
from hop_tasks.database.engines import Database
from tests.playground import SCRIPTS, Playground
from tests.workflows.shelf import (
    CUSTOMER,
    DOUBLE,
    Shelf,
    applied,
    clone,
    database_of,
    maintain,
    prepared,
    shop,
    url_beside,
    with_origin,
)

TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname"
PRICES = "SELECT price FROM product ORDER BY id"
PACKAGE = "shop/tables/public.py"


def tables(place: Playground) -> list[str]:
    return [row[0] for row in place.sql(TABLES)]


def catalog(place: Playground) -> str:
    with Database(make_url(place.url).set(drivername="postgresql+psycopg2")).connect() as connection:
        return read_catalog(connection).fingerprint


def before_apply(place: Playground) -> str:
    return f"{database_of(place)}_before_apply"


class TestAgainAndAgain:
    def test_each_run_starts_from_the_base_whatever_was_applied_before(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(prepared, play)
        place.write("Patches/0/0/1/02_double.sql", DOUBLE)
        place.write("Patches/0/0/1/03_tool.sql", "CREATE TABLE tool (id integer);\n")
        place.hop("apply").succeeds()
        assert tables(place) == ["customer", "product", "tool"]
        assert place.sql(PRICES) == [(20,), (40,), (80,)]
        assert "t_tool = " in place.read(PACKAGE)

        # One file changed, one as it was, one removed.
        place.write("Patches/0/0/1/01_customer.sql", CUSTOMER.replace("customer", "client"))
        (place.folder / "Patches/0/0/1/03_tool.sql").unlink()
        place.hop("apply").succeeds()
        assert tables(place) == ["client", "product"]
        assert place.sql(PRICES) == [(20,), (40,), (80,)], "doubled once, not twice"
        assert place.releases() == ["0.0.0", "0.0.1"]
        assert "t_client = " in place.read(PACKAGE)
        assert "t_tool" not in place.read(PACKAGE)

    def test_switching_between_two_releases_in_preparation(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(applied, play)
        place.hop("prepare", "-l", "minor").succeeds()
        place.write("Patches/0/1/0/01_tool.sql", "CREATE TABLE tool (id integer);\n")
        done = place.hop("apply").succeeds()
        assert "0.1.0" in done.out
        assert tables(place) == ["product", "tool"]
        assert place.releases() == ["0.0.0", "0.1.0"]
        place.commit("tools")
        place.git("switch", "--quiet", "hop_0.0.1")
        place.hop("apply").succeeds()
        assert tables(place) == ["customer", "product"]
        assert place.releases() == ["0.0.0", "0.0.1"]
        assert place.git("status", "--porcelain") == "", "the committed package is in step again"

    def test_files_run_in_name_order_between_those_of_pre_and_post(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(shop, play)
        place.hop("prepare", "-l", "patch").succeeds()
        log = "INSERT INTO log (what) VALUES ('{}');\n"
        place.write("Patches/pre/a.sql", "CREATE TABLE log (n serial, what text);\n" + log.format("pre"))
        for name in (
            "10.sql",
            "2.sql",
            "B.sql",
            "a.sql",
            "z/no.sql",
            "_no.sql",
            ".no.sql",
            "no.txt",
            "no.sql~",
            "no.slq",
        ):
            place.write(f"Patches/0/0/1/{name}", log.format(name))
        place.write("Patches/post/a.sql", log.format("post"))
        # A Python patch imports its neighbour and the project's package, which knows the base's tables.
        place.write("Patches/0/0/1/_helper.py", "NAME = 'python'\n")
        place.write(
            "Patches/0/0/1/c.py",
            "from _helper import NAME\n"
            "from sqlalchemy import select, text\n\n"
            "from shop.tables import t_product\n\n\n"
            "def apply(connection):\n"
            "    count = len(connection.execute(select(t_product.c.id)).all())\n"
            "    connection.execute(text('INSERT INTO log (what) VALUES (:what)'), {'what': f'{NAME} {count}'})\n",
        )
        applied = place.hop("apply").succeeds()
        passed_over = "warning: Patches/0/0/1/no.slq is not run: .slq is none of .sql, .py, .psql"
        assert [line.strip() for line in applied.err.splitlines()] == [passed_over]
        assert [row[0] for row in place.sql("SELECT what FROM log ORDER BY n")] == [
            "pre", "10.sql", "2.sql", "B.sql", "a.sql", "python 3", "post",
        ]  # fmt: skip

    def test_what_a_python_patch_does_in_a_session_of_its_own_is_apart(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(prepared, play)
        place.write(
            "Patches/0/0/1/own.py",
            "from sqlalchemy import text\n\n\n"
            "def apply(connection):\n"
            "    connection.execute(text('CREATE TABLE inside (pid integer)'))\n"
            "    for _ in range(2):\n"
            "        with connection.engine.connect() as other:\n"
            "            seen = other.execute(text(\"SELECT to_regclass('inside')\")).scalar_one()\n"
            "            pid = other.execute(text('SELECT pg_backend_pid()')).scalar_one()\n"
            "        assert seen is None, 'not committed yet'\n"
            "        connection.execute(text('INSERT INTO inside VALUES (:pid)'), {'pid': pid})\n"
            "        connection.execute(text('INSERT INTO inside VALUES (pg_backend_pid())'))\n"
            "        with connection.engine.begin() as other:\n"
            "            other.execute(text('CREATE TABLE IF NOT EXISTS outside ()'))\n",
        )
        place.hop("apply").succeeds()
        assert tables(place) == ["customer", "inside", "outside", "product"]
        assert place.sql("SELECT count(*), count(DISTINCT pid) FROM inside") == [(4, 3)]
        assert place.releases() == ["0.0.0", "0.0.1"]


class TestFailure:
    def test_database_sessions_and_package_are_as_before(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(applied, play)
        before = catalog(place), place.databases(), place.releases(), place.refs(), place.read(PACKAGE)
        place.write("Patches/0/0/1/02_tool.sql", "CREATE TABLE tool ();\nSELECT 1 / 0;\n")
        with closing(psycopg2.connect(place.url)) as session, session.cursor() as cursor:
            cursor.execute("INSERT INTO customer (name) VALUES ('typed in, not committed')")
            place.hop("apply").fails(1, "Patches/0/0/1/02_tool.sql:2:1", "division by zero")
            cursor.execute("SELECT name FROM customer")
            assert cursor.fetchall() == [("typed in, not committed",)]
            session.commit()
        assert (catalog(place), place.databases(), place.releases(), place.refs(), place.read(PACKAGE)) == before
        assert place.sql("SELECT count(*) FROM customer") == [(1,)]

    def test_a_module_of_ours_in_the_way_of_the_generated_one(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(prepared, play)
        place.write(PACKAGE, "# ours\n")
        place.hop("apply").fails(3, PACKAGE, "not written by hop")
        assert place.read(PACKAGE) == "# ours\n"
        assert place.releases() == ["0.0.0"]
        assert tables(place) == ["product"]

    def test_a_database_that_hop_does_not_know_is_left_alone(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(prepared, play, databases=False)
        maintain(place, f"CREATE DATABASE {database_of(place)}")
        place.sql("CREATE TABLE theirs AS SELECT 1 AS one")
        for command in ("apply", "undo"):
            place.hop(command).fails(7, database_of(place), "no registry")
        assert tables(place) == ["theirs"]
        assert place.databases() == {database_of(place)}

    def test_a_database_in_the_way_of_a_snapshot_is_not_touched(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(prepared, play)
        theirs = f"{database_of(place)}_hop_0.0.0"
        maintain(place, f'CREATE DATABASE "{theirs}" TEMPLATE template0')
        try:
            place.hop("apply").fails(5, theirs, "in the way")
            assert place.databases() == {database_of(place), theirs}
            assert place.releases() == ["0.0.0"]
        finally:
            maintain(place, f'DROP DATABASE "{theirs}"')


@pytest.mark.every_server
class TestSessions:
    def test_an_open_session_does_not_stop_apply_and_is_named(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(applied, play)
        place.write("Patches/0/0/1/02_tool.sql", "CREATE TABLE tool ();\n")
        with closing(psycopg2.connect(place.url, application_name="psql of Ann")) as session:
            with session.cursor() as cursor:
                cursor.execute("INSERT INTO customer (name) VALUES ('committed a moment ago')")
            session.commit()
            pid = session.get_backend_pid()
            done = place.hop("apply").succeeds()
            assert "psql of Ann" in done.err
            assert f"pid {pid}" in done.err
            assert "psql of Ann" not in done.out
            with pytest.raises(psycopg2.Error), session.cursor() as cursor:
                cursor.execute("SELECT 1")
        assert tables(place) == ["customer", "product", "tool"]
        kept = place.sql("SELECT name FROM customer", url_beside(place, before_apply(place)))
        assert kept == [("committed a moment ago",)], "what an open session wrote counts too"


@pytest.mark.every_server
class TestRowsTypedIn:
    def test_they_are_kept_and_said_and_nothing_is_kept_when_nobody_wrote(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(prepared, play)
        place.hop("apply").succeeds()
        there = place.databases()
        assert before_apply(place) not in there

        # Reading and maintenance are not writing.
        place.sql("VACUUM ANALYZE")
        place.sql("SELECT * FROM product, workshop.job")
        done = place.hop("apply").succeeds()
        assert place.databases() == there
        assert "kept" not in done.out

        place.sql("INSERT INTO customer (name) VALUES ('typed in')")
        done = place.hop("apply").succeeds()
        assert f"kept as {before_apply(place)}" in done.out
        assert place.sql("SELECT count(*) FROM customer") == [(0,)]
        assert place.sql("SELECT name FROM customer", url_beside(place, before_apply(place))) == [("typed in",)]
        assert before_apply(place) in place.hop().succeeds().out

        # The next run finds nobody's rows and leaves those that are kept.
        place.hop("apply").succeeds()
        assert place.sql("SELECT name FROM customer", url_beside(place, before_apply(place))) == [("typed in",)]

    def test_rows_that_are_kept_already_are_not_dropped_without_saying_so(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(applied, play)
        said = []
        for name in ("first", "second"):
            place.sql(f"INSERT INTO customer (name) VALUES ('{name}')")
            done = place.hop("apply").succeeds()
            said.append(done.out + done.err)
        kept = [name for name in place.databases() if name.startswith(before_apply(place))]
        names = {row[0] for name in kept for row in place.sql("SELECT name FROM customer", url_beside(place, name))}
        assert "second" in names
        assert "first" in names or "dropped" in said[1]

    def test_rows_typed_in_before_the_first_apply_are_part_of_the_base(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(prepared, play)
        place.sql("INSERT INTO product VALUES (9, 'pump', 9)")
        place.hop("apply").succeeds()
        assert place.sql("SELECT name FROM product WHERE id = 9") == [("pump",)]
        place.hop("undo").succeeds()
        assert place.sql("SELECT name FROM product WHERE id = 9") == [("pump",)]


class TestBase:
    def test_a_release_that_a_colleague_published_moves_the_base(self, shelf: Shelf, play: Playground) -> None:
        ann = with_origin(shelf.copy(applied, play)).with_variables(HOP_TESTS="none")
        ann.git("push", "--quiet", "origin", "hop_0.0.1")
        ann.hop("prepare", "-l", "minor").succeeds()
        ann.write("Patches/0/1/0/01_tool.sql", "CREATE TABLE tool (id integer);\n")
        ann.hop("apply").succeeds()
        ann.commit("tools")
        bob = clone(ann, "bob", url_beside(ann, f"{database_of(ann)}_bob"))
        bob.git("switch", "--quiet", "hop_0.0.1")
        bob.hop("apply").succeeds()
        bob.hop("release", "--push").succeeds()

        ann.git("fetch", "--quiet", "--tags", "origin", "hop_main:hop_main")
        ann.write("Patches/0/1/0/02_more.sql", "CREATE TABLE more (id integer);\n")
        stale = ann.hop("apply").succeeds()
        assert "hop_main has moved on" in stale.err, "a branch is rebased only when the tree is clean"
        assert tables(ann) == ["more", "product", "tool"]
        ann.commit("more")
        done = ann.hop("apply").succeeds()
        assert "rebased on hop_main" in done.out
        assert tables(ann) == ["customer", "more", "product", "tool"]
        assert ann.releases() == ["0.0.0", "0.0.1", "0.1.0"]
        assert ann.git("merge-base", "hop_main", "HEAD") == ann.git("rev-parse", "0.0.1^{commit}")
        assert "t_customer = " in ann.read(PACKAGE)
        assert ann.sql("SELECT count(*) FROM product") == [(3,)], "the rows of the base are still those of Ann"

    def test_a_fresh_clone_has_its_database_built(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(prepared, play, databases=False)
        assert place.databases() == set()
        done = place.hop("apply").succeeds()
        assert "0.0.0 from its schema" in done.out
        assert tables(place) == ["customer", "product"]
        assert place.releases() == ["0.0.0", "0.0.1"]
        assert place.sql("SELECT count(*) FROM product") == [(0,)]
        place.hop("undo").succeeds()
        assert tables(place) == ["product"]
        assert place.releases() == ["0.0.0"]

    def test_a_snapshot_dropped_by_hand_costs_no_rows(self, shelf: Shelf, play: Playground) -> None:
        """The base is built anew from the schema; the database that alone had the first rows is kept, and said so."""
        place = shelf.copy(applied, play)
        maintain(place, f'DROP DATABASE "{database_of(place)}_hop_0.0.0"')
        there = place.databases()
        done = place.hop("apply").succeeds()
        assert place.releases() == ["0.0.0", "0.0.1"]
        kept = [name for name in place.databases() - there if "_replaced_" in name]
        assert len(kept) == 1
        assert f"kept as {kept[0]}" in done.out
        assert place.sql("SELECT count(*) FROM product", url_beside(place, kept[0])) == [(3,)]


class TestUndo:
    def test_undo_brings_back_the_base_exactly(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(prepared, play)
        rows = "SELECT * FROM product ORDER BY id"
        base = catalog(place), place.sql(rows), place.sql("SELECT * FROM workshop.job"), place.releases()
        package = place.read(PACKAGE)
        place.hop("undo").fails(7, "nothing is applied", "0.0.0")
        place.write("Patches/0/0/1/02.sql", DOUBLE + "DROP VIEW workshop.open_job;\nDELETE FROM workshop.job;\n")
        place.hop("apply").succeeds()
        assert catalog(place) != base[0]
        assert place.read(PACKAGE) != package
        done = place.hop("undo").succeeds()
        assert "0.0.0" in done.out
        assert (catalog(place), place.sql(rows), place.sql("SELECT * FROM workshop.job"), place.releases()) == base
        assert place.read(PACKAGE) == package
        assert place.read("Patches/0/0/1/02.sql").startswith(DOUBLE), "the patch files stay"
        place.hop("undo").fails(7, "nothing is applied", "0.0.0")

    def test_database_only_leaves_the_package(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(applied, play)
        package, refs = place.read(PACKAGE), place.refs()
        place.sql("INSERT INTO customer (name) VALUES ('typed in')")
        done = place.hop("undo", "-d").succeeds()
        assert tables(place) == ["product"]
        assert place.read(PACKAGE) == package
        assert place.refs() == refs
        assert f"kept as {before_apply(place)}" in done.out
        assert place.sql("SELECT name FROM customer", url_beside(place, before_apply(place))) == [("typed in",)]

    def test_a_clone_without_tags_does_not_know_what_is_applied(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(shop, play)
        place.git("tag", "--delete", "0.0.0")
        place.hop("undo").fails(7, "0.0.0")
        assert place.releases() == ["0.0.0"]

    def test_nothing_to_undo_where_there_is_no_database(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(prepared, play, databases=False)
        place.hop("undo").fails(7, "there is no database")
        assert place.databases() == set()


@pytest.mark.every_server
class TestWhatBelongsToTheDatabase:
    @pytest.fixture
    def role(self, server_url: str) -> Iterator[str]:
        """A role; dropped after the databases that it has to do with."""
        name = f"o'role_{secrets.token_hex(3)}"
        play = Playground(folder=None, url=server_url.replace("+psycopg2", ""))  # type: ignore[arg-type]
        play.sql(f'CREATE ROLE "{name}" LOGIN')
        yield name
        play.sql(f'DROP ROLE "{name}"')

    def test_settings_comment_privileges_limit_and_owner_survive(
        self, role: str, shelf: Shelf, play: Playground
    ) -> None:
        place = shelf.copy(prepared, play)
        name = database_of(place)
        for statement in (
            f"ALTER DATABASE {name} SET search_path TO workshop, public",
            f"ALTER DATABASE {name} SET \"shop.motto\" TO 'it''s {{round}}, 100%'",
            f"ALTER ROLE \"{role}\" IN DATABASE {name} SET work_mem TO '7MB'",
            f"COMMENT ON DATABASE {name} IS 'Ann''s own 100% {{shop}}'",
            f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
            f'ALTER DATABASE {name} OWNER TO "{role}"',
            f"GRANT CONNECT ON DATABASE {name} TO pg_monitor WITH GRANT OPTION",
            f"ALTER DATABASE {name} CONNECTION LIMIT 17",
        ):
            maintain(place, statement)
        before = self.properties(place)
        assert before[0][3] == 17
        place.hop("apply").succeeds()
        assert self.properties(place) == before
        assert place.sql("SHOW search_path") == [("workshop, public",)]
        place.hop("undo").succeeds()
        assert self.properties(place) == before

    def properties(self, place: Playground) -> list[tuple[object, ...]]:
        name = database_of(place)
        return place.sql(f"""
            SELECT d.oid IS NOT NULL, pg_get_userbyid(datdba), shobj_description(d.oid, 'pg_database'), datconnlimit,
                   (SELECT array_agg(acl::text ORDER BY acl::text) FROM unnest(datacl) AS acl),
                   (SELECT jsonb_object_agg(setrole::regrole, (SELECT array_agg(c ORDER BY c) FROM unnest(setconfig) c))
                    FROM pg_db_role_setting WHERE setdatabase = d.oid)
            FROM pg_database d WHERE datname = '{name}'""")


def test_an_ordinary_role_and_names_with_odd_characters(shelf: Shelf, play: Playground) -> None:
    """CREATEDB is all that a developer needs; the names of role, database and package are no obstacle."""
    role, name = f'{database_of(play)} o\'dev "r"', f'{database_of(play)} O\'x "y" %s {{0}} é'
    maintain(play, f"CREATE ROLE {quoted(role)} LOGIN CREATEDB")
    url = make_url(play.url).set(username=role, database=name).render_as_string(hide_password=False)
    try:
        outside = replace(play, url=url)
        outside.hop("new", "shop", "--devel", "--package", "pack").succeeds()
        place = outside.inside("shop")
        place.hop("prepare", "-l", "patch").succeeds()
        place.write("Patches/0/0/1/01_customer.sql", CUSTOMER)
        place.hop("apply").succeeds()
        place.sql("INSERT INTO customer (name) VALUES ('typed in')")
        place.hop("apply").succeeds()
        assert place.databases() == {name, f"{name}_hop_0.0.0", f"{name}_before_apply"}
        assert place.releases() == ["0.0.0", "0.0.1"]
        place.hop("undo").succeeds()
        assert tables(place) == []
    finally:
        for made in play.databases():
            maintain(play, f"DROP DATABASE {quoted(made)}")
        maintain(play, f"DROP ROLE {quoted(role)}")


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class TestLeftovers:
    def test_what_a_kill_left_half_made_is_removed_by_the_next_command(
        self, shelf: Shelf, play: Playground, server_major: int
    ) -> None:
        place = shelf.copy(applied, play)
        there = place.databases()
        place.write("Patches/0/0/1/02_long.sql", "CREATE TABLE long ();\nSELECT pg_sleep(100);\n")
        process = place.start(str(SCRIPTS / "hop"), "apply")
        work = self.await_sleep(place)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
        assert work in place.databases() - there
        assert tables(place) == ["customer", "product"]
        if server_major >= 14:
            # The server ends the statement of a client that is gone; before, the next command does.
            self.await_end(place, work)
        (place.folder / "Patches/0/0/1/02_long.sql").unlink()
        place.hop("apply").succeeds()
        assert place.databases() == there

    def test_a_database_of_a_similar_name_is_not_removed(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(applied, play)
        name = database_of(place)
        half_made = f"{name}_work_0123abcd"
        similar = {f"{name}_work", f"{name}_work_notes", f"{name}_work_0123abcdef", f"{name}_work_0123ABCD"}
        commented = f"{name}_work_deadbeef"
        for made in (half_made, commented, *similar):
            maintain(place, f'CREATE DATABASE "{made}" TEMPLATE template0')
        maintain(place, f"COMMENT ON DATABASE {commented} IS 'what I work in'")
        there = place.databases()
        place.hop("undo", "-d").succeeds()
        assert place.databases() == there - {half_made}

    def await_sleep(self, place: Playground) -> str:
        asleep = "SELECT datname FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(100)%' AND state = 'active'"
        asleep += f" AND datname LIKE '{database_of(place)}%'"
        deadline = time.monotonic() + 60
        while not (found := place.sql(asleep)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return str(found[0][0])

    def await_end(self, place: Playground, name: str) -> None:
        deadline = time.monotonic() + 60
        there = f"SELECT 1 FROM pg_stat_activity WHERE datname = '{name}'"
        while place.sql(there, url_beside(place, "postgres")):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_project_in_a_production_place_is_not_applied_to(shelf: Shelf) -> None:
    place = shelf.shared(prepared)
    for command in ("apply", "undo"):
        place.production().hop(command).fails(6, "production", command)
    assert place.releases() == ["0.0.0"]
