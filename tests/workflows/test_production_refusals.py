"""A database stamped production, and one that may be: nothing done from a place of development touches it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import psycopg2
import pytest
from sqlalchemy import make_url

from hop_tasks import (
    HopError,
    Project,
    apply_release,
    create_project,
    drop_replaced_databases,
    initialise_project,
    list_backups,
    prepare_release,
    prune_backups,
    read_status,
    release_prepared,
    restore_database,
    synchronise_package,
    undo_release,
    upgrade_database,
)
from hop_tasks.database.admin import drop_database
from hop_tasks.database.engines import Database
from hop_tasks.workflows.server import stop_server
from tests.playground import Playground
from tests.workflows.backing import files_in
from tests.workflows.calling import project_of
from tests.workflows.shelf import Shelf, applied, database_of, maintain, production, url_beside

WRONG_MODE, WRONG_SETTING, WRONG_STATE = 6, 3, 7


@dataclass(frozen=True)
class Verb:
    """A command as a library function, and the exit code of its refusal; None where it is not refused.

    Attributes:
        call: the function; it is given a project, and the place.
        stamped: the code for a database that is stamped production.
        unknown: the code for one that may be.
    """

    call: Callable[[Project, Playground], object]
    stamped: int | None = WRONG_MODE
    unknown: int | None = WRONG_MODE


def new(project: Project, place: Playground, *, devel: bool = True) -> object:
    return create_project("second", folder=place.folder.parent, devel=devel, url=place.url)


def init(project: Project, place: Playground) -> object:
    folder = place.folder.parent / "third"
    folder.mkdir()
    inside = replace(place, folder=folder)
    inside.git("init", "--quiet", "--initial-branch=main")
    inside.write("code.py", "")
    inside.commit("code")
    return initialise_project(folder, devel=True, url=place.url)


VERBS = {
    "new": Verb(new, unknown=WRONG_STATE),
    "new without version tracking": Verb(lambda it, place: new(it, place, devel=False), unknown=WRONG_STATE),
    "init": Verb(init, unknown=WRONG_STATE),
    "apply": Verb(lambda it, _: apply_release(it)),
    "undo": Verb(lambda it, _: undo_release(it)),
    "undo -d": Verb(lambda it, _: undo_release(it, database_only=True)),
    "release": Verb(lambda it, _: release_prepared(it)),
    "restore": Verb(lambda it, _: restore_database(it, "0.0.0")),
    "restore --force": Verb(lambda it, _: restore_database(it, "0.0.0", force=True, drop_replaced=True)),
    "upgrade": Verb(lambda it, _: upgrade_database(it)),
    "upgrade --baseline": Verb(lambda it, _: upgrade_database(it, baseline="0.0.0")),
    "backups --prune": Verb(lambda it, _: prune_backups(it)),
    "backups --drop-replaced": Verb(lambda it, _: drop_replaced_databases(it)),
    "backups": Verb(lambda it, _: list_backups(it), None, None),
    "prepare": Verb(lambda it, _: prepare_release(it, "minor", "next"), None, None),
    "sync-package": Verb(lambda it, _: synchronise_package(it), None, None),
    "status": Verb(lambda it, _: read_status(it), None, None),
    "server --stop": Verb(lambda it, _: stop_server(it), None, None),
}

STAMPS = {
    "stamped": "UPDATE half_orm_meta.database SET production = true",
    "a stamp that is null": "UPDATE half_orm_meta.database SET production = NULL",
    "no row": "ALTER TABLE half_orm_meta.hop_release DROP CONSTRAINT hop_release_dbid_fkey; "
    "DELETE FROM half_orm_meta.database",
    "no column, as of half_orm's own tool": "ALTER TABLE half_orm_meta.database DROP production",
    "no table": "DROP TABLE half_orm_meta.database CASCADE",
}
"""What is done to the registry of a database at 0.0.1, beside which stand what hop keeps of it and has left of it."""


@dataclass
class Live:
    """A database that is in use, a laptop whose URL names it, and all that must stay."""

    laptop: Playground
    session: Any

    def seen(self) -> object:
        """Databases with their oids and comments, and all rows of this one; asked in the session that is open on it."""
        with self.session.cursor() as cursor:
            cursor.execute(
                "SELECT datname, oid, shobj_description(oid, 'pg_database') FROM pg_database WHERE datname LIKE %s "
                "ORDER BY 1",
                (f"{database_of(self.laptop)}%",),
            )
            databases = cursor.fetchall()
            cursor.execute(
                "SELECT oid::regclass::text, relfilenode FROM pg_class "
                "WHERE relkind = 'r' AND relnamespace::regnamespace::text IN ('public', 'half_orm_meta') ORDER BY 1"
            )
            tables = cursor.fetchall()
            rows = []
            for table, _ in tables:
                cursor.execute(f"SELECT xmin::text, t::text FROM {table} AS t ORDER BY 2")
                rows.append((table, cursor.fetchall()))
            cursor.execute("SELECT pg_backend_pid()")
            return databases, tables, rows, cursor.fetchall()


@pytest.fixture(scope="module", params=STAMPS)
def live(
    request: pytest.FixtureRequest, shelf: Shelf, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Live, bool]]:
    """The same for all verbs of a stamp, since none of them may change anything; and whether it says production."""
    laptop = shelf.copy(applied, Playground(tmp_path_factory.mktemp("laptop"), shelf.new_url()))
    of = database_of(laptop)
    laptop.sql(STAMPS[request.param])
    for kind, name in (("replaced", f"{of}_replaced_20260101_000000"), ("work", f"{of}_work_0a1b2c3d")):
        maintain(laptop, f'CREATE DATABASE "{name}"')
        mark = f'hop: {{"kind": "{kind}", "of": "{of}", "release": "0.0.0"}}'
        maintain(laptop, f"COMMENT ON DATABASE \"{name}\" IS '{mark}'")
    with closing(psycopg2.connect(laptop.url, application_name="the till")) as session:
        session.autocommit = True
        yield Live(laptop, session), request.param == "stamped"
    with Database(make_url(laptop.url).set(drivername="postgresql+psycopg2")).administer() as admin:
        for name in laptop.databases():
            drop_database(admin, name)


@pytest.mark.parametrize("verb", VERBS)
def test_nothing_of_it_is_touched_from_a_place_of_development(live: tuple[Live, bool], verb: str) -> None:
    (found, is_stamped), wanted = live, VERBS[verb]
    place, before = found.laptop, found.seen()
    files, refs = files_in(place.folder / "Patches"), place.refs()
    code = wanted.stamped if is_stamped else wanted.unknown
    try:
        with project_of(place) as project:
            if code is None:
                wanted.call(project, place)
            else:
                with pytest.raises(HopError) as refused:
                    wanted.call(project, place)
                assert refused.value.exit_code == code, refused.value
        assert found.seen() == before
        if code is not None:
            assert (files_in(place.folder / "Patches"), place.refs()) == (files, refs)
    finally:
        tidy(place)


def tidy(place: Playground) -> None:
    """Remove what a verb that has nothing to do with the database has made in the folder."""
    place.git("restore", ".")
    if place.git("branch", "--show-current") != "hop_0.0.1":
        place.git("switch", "--quiet", "hop_0.0.1")
        place.git("branch", "--quiet", "-D", "hop_0.1.0")
    for name in ("second", "third"):
        if (place.folder.parent / name).exists():
            place.run("rm", "-r", str(place.folder.parent / name)).succeeds()


class TestPlace:
    """What makes a place production."""

    @pytest.mark.parametrize("variables", [{"HOP_PRODUCTION": "0"}, {"HOP_PRODUCTION": "false"}, {}], ids=str)
    @pytest.mark.parametrize("source", ["HOP_DATABASE_URL", "DATABASE_URL", "libpq", "setting"])
    def test_the_stamp_counts_wherever_the_url_comes_from(
        self, shelf: Shelf, variables: dict[str, str], source: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stamped, laptop = shelf.shared(production), shelf.shared(applied)
        given = {"HOP_DATABASE_URL": "", **variables}
        flags = {}
        if source == "libpq":
            url = make_url(stamped.url)
            given |= {"PGHOST": str(url.query["host"]), "PGPORT": str(url.query["port"])}
            given |= {"PGUSER": str(url.username), "PGDATABASE": str(url.database)}
        elif source == "setting":
            flags["url"] = stamped.url
        else:
            given[source] = stamped.url
        for variable, value in given.items():
            monkeypatch.setenv(variable, value)
        before = stamped.releases(), stamped.databases()
        with pytest.raises(HopError, match="stamped as production"):
            apply_release(Project.find(laptop.folder, **flags))
        assert (stamped.releases(), stamped.databases()) == before

    @pytest.mark.parametrize("value", ["maybe", "2", "prod"])
    def test_a_variable_that_is_neither_true_nor_false_is_an_error(self, shelf: Shelf, value: str) -> None:
        place = shelf.shared(applied).with_variables(HOP_PRODUCTION=value)
        place.hop("apply").fails(WRONG_SETTING, "production", value, "true or false is needed")

    @pytest.mark.parametrize("value", ["", " "], ids=["empty", "blank"])
    def test_an_empty_variable_does_not_make_development_of_production(self, shelf: Shelf, value: str) -> None:
        place = shelf.shared(applied)
        configuration = {"production": True}
        assert Project.find(place.folder, configuration=configuration, environ={}).settings.production
        project = Project.find(place.folder, configuration=configuration, environ={"HOP_PRODUCTION": value})
        assert project.settings.production
        project = Project.find(place.folder, configuration=configuration, environ={"HOP_PRODUCTION": "0"})
        assert not project.settings.production

    def test_in_production_a_verb_of_development_changes_nothing(self, shelf: Shelf) -> None:
        stamped = shelf.shared(production)
        before = stamped.releases(), stamped.databases(), stamped.refs()
        for call in (apply_release, undo_release, release_prepared, lambda it: prepare_release(it, "patch")):
            with project_of(stamped) as project, pytest.raises(HopError) as refused:
                call(project)  # type: ignore[operator]
            assert refused.value.exit_code == WRONG_MODE
        assert (stamped.releases(), stamped.databases(), stamped.refs()) == before


class TestNotStamped:
    """A registry that does not say whether the database is production, as half_orm's own tool leaves it."""

    @pytest.fixture
    def place(self, shelf: Shelf, play: Playground) -> Playground:
        place = shelf.copy(applied, play)
        place.sql("ALTER TABLE half_orm_meta.database DROP production")
        return place

    def test_hop_says_so_and_what_makes_it_development(self, place: Playground) -> None:
        found = place.hop().succeeds().out
        assert "not known whether it is production" in found
        assert "is not changed from here" in found
        refused = place.hop("apply").fails(WRONG_MODE, "does not say whether it is production", "ALTER TABLE")
        hint = refused.err.split("development: ")[-1]
        place.sql(hint)
        place.hop("apply").succeeds()

    def test_in_production_it_is_to_be_declared(self, place: Playground) -> None:
        place.production().hop("upgrade").fails(WRONG_MODE, "not stamped as production", "--baseline 0.0.1")
        assert "hop upgrade --baseline 0.0.1" in place.production().hop().succeeds().out


def test_a_replaced_database_that_is_production_outlives_one_of_development(shelf: Shelf, play: Playground) -> None:
    place = shelf.copy(applied, play)
    name = f"{database_of(place)}_replaced_20260101_000000"
    maintain(place, f'CREATE DATABASE "{name}" TEMPLATE "{database_of(place)}"')
    mark = f'hop: {{"kind": "replaced", "of": "{database_of(place)}", "release": "0.0.1"}}'
    maintain(place, f"COMMENT ON DATABASE \"{name}\" IS '{mark}'")
    place.sql("UPDATE half_orm_meta.database SET production = true", url_beside(place, name))
    for flag in ("--prune", "--drop-replaced"):
        place.hop("backups", flag).fails(WRONG_MODE, name, "stamped as production")
    assert name in place.databases()
    place.sql("UPDATE half_orm_meta.database SET production = false", url_beside(place, name))
    place.hop("backups", "--drop-replaced").succeeds()
    assert name not in place.databases()
