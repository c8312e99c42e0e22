"""The spare: a copy of the base that waits, made in the background, so that apply and undo wait for no copy."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import make_url

from hop_tasks import Project, apply_release
from hop_tasks.database import embedded
from hop_tasks.database.engines import Database
from hop_tasks.workflows import spare_maker
from hop_tasks.workflows.spare_maker import Request, make_spares
from hop_tasks.workflows.spare_notes import SpareNote
from hop_tasks.workflows.spares import LEFT_AGAIN
from tests.playground import SCRIPTS, Playground
from tests.workflows.calling import project_of
from tests.workflows.shelf import Shelf, applied, database_of, maintain, url_beside
from tests.workflows.sparing import BLOCKED, await_, kill, making, oid_of, settled, spares, sparing, stopped_at

TOOL = "CREATE TABLE tool (id integer);\n"
HAS_TOOL = "SELECT to_regclass('tool') IS NOT NULL"


def with_spare(shelf: Shelf, play: Playground) -> Playground:
    """0.0.1 is applied, and there is a spare of 0.0.0."""
    place = sparing(shelf.copy(applied, play))
    make_spares(request_of(place))
    return place


def request_of(place: Playground) -> Request:
    """What a command would have the process in the background do, to be done in this one."""
    database = Database(make_url(place.url).set(drivername="postgresql+psycopg2"))
    return Request(database, f"{database.name}_hop_0.0.0", SpareNote(place.folder))


def beside(place: Playground) -> set[str]:
    """The databases beside the place's own, without the random part of a spare's name."""
    own = database_of(place)
    return {name.removeprefix(own).partition("_spare_")[0] or "_spare" for name in place.databases() - {own}}


@pytest.mark.every_server
def test_apply_and_undo_take_the_spare_and_the_next_one_is_made(shelf: Shelf, play: Playground) -> None:
    place = with_spare(shelf, play)
    for command in ("apply", "undo"):
        (spare,) = spares(place)
        waiting = oid_of(place, spare)
        there = place.databases()
        with pytest.raises(psycopg2.OperationalError, match="not currently accepting connections"):
            psycopg2.connect(url_beside(place, spare))
        done = place.hop(command).succeeds()
        assert oid_of(place, database_of(place)) == waiting, "it is the spare that is in place now"
        assert "kept" not in done.out
        assert place.releases() == (["0.0.0"] if command == "undo" else ["0.0.0", "0.0.1"])
        assert place.sql("SELECT count(*) FROM product") == [(3,)]
        assert settled(place) - {spare, *spares(place)} == there - {spare}


def test_a_patch_that_fails_leaves_database_and_sessions_alone_and_the_next_one_has_a_spare(
    shelf: Shelf, play: Playground
) -> None:
    place = with_spare(shelf, play)
    place.write("Patches/0/0/1/02_tool.sql", f"{TOOL}SELECT 1 / 0;\n")
    own = oid_of(place, database_of(place))
    with closing(psycopg2.connect(place.url)) as session, session.cursor() as cursor:
        cursor.execute("INSERT INTO customer (name) VALUES ('typed in, not committed')")
        place.hop("apply").fails(1, "02_tool.sql:2:1", "division by zero")
        cursor.execute("SELECT name FROM customer")
        assert cursor.fetchall() == [("typed in, not committed",)]
    assert oid_of(place, database_of(place)) == own
    assert place.sql(HAS_TOOL) == [(False,)]
    settled(place)
    assert beside(place) == {"_hop_0.0.0", "_spare"}
    place.write("Patches/0/0/1/02_tool.sql", TOOL)
    place.hop("apply").succeeds()
    assert place.sql(HAS_TOOL) == [(True,)]
    settled(place)


def test_rows_typed_in_are_kept_and_those_of_the_time_before_go_with_a_word(shelf: Shelf, play: Playground) -> None:
    place = with_spare(shelf, play)
    kept = f"{database_of(place)}_before_apply"
    for name, dropped in (("first", False), ("second", True)):
        place.sql(f"INSERT INTO customer (name) VALUES ('{name}')")
        done = place.hop("apply").succeeds()
        assert f"kept as {kept}" in done.out
        assert (f"{kept} of last time was dropped" in done.out) == dropped
        settled(place)
        assert place.sql("SELECT name FROM customer", url_beside(place, kept)) == [(name,)]
        assert beside(place) == {"_hop_0.0.0", "_before_apply", "_spare"}


def test_release_takes_the_spare_for_its_scratch_copy_and_leaves_none(shelf: Shelf, play: Playground) -> None:
    place = with_spare(shelf, play)
    (spare,) = spares(place)
    # The tests of a release see which database they get.
    place.write("which.py", "import os\nprint(os.environ['HOP_DATABASE_URL'])\n")
    place.write(
        "which.py",
        "import os, psycopg2\n"
        "connection = psycopg2.connect(os.environ['DATABASE_URL'].replace('+psycopg2', ''))\n"
        "cursor = connection.cursor()\n"
        "cursor.execute('SELECT oid FROM pg_database WHERE datname = current_database()')\n"
        "open(os.environ['SEEN'], 'w').write(str(cursor.fetchone()[0]))\n",
    )
    place.commit("which")
    oid, seen = oid_of(place, spare), place.folder.parent / "seen"
    place.with_variables(HOP_TESTS=f"{SCRIPTS / 'python'} which.py", SEEN=str(seen)).hop("release").succeeds()
    assert int(seen.read_text()) == oid
    settled(place, spare=False)
    assert beside(place) == {"_hop_0.0.0"}


def test_a_spare_of_another_snapshot_is_not_taken_and_goes(shelf: Shelf, play: Playground) -> None:
    """The snapshot was made anew under the same name, since the release was made anew."""
    place = with_spare(shelf, play)
    (spare,) = spares(place)
    snapshot, old = f"{database_of(place)}_hop_0.0.0", oid_of(place, spare)
    comment = place.sql(
        f"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{snapshot}'",
        url_beside(place, "postgres"),
    )[0][0]
    maintain(
        place,
        f'ALTER DATABASE "{snapshot}" RENAME TO "{database_of(place)}_old"',
        f'CREATE DATABASE "{snapshot}" TEMPLATE "{database_of(place)}_old"',
        f"COMMENT ON DATABASE \"{snapshot}\" IS '{comment}'",
        f'DROP DATABASE "{database_of(place)}_old"',
    )
    place.sql("INSERT INTO product VALUES (4, 'pump', 5)", url_beside(place, snapshot))
    place.hop("apply").succeeds()
    assert place.sql("SELECT name FROM product WHERE id = 4") == [("pump",)]
    settled(place)
    assert old not in {oid_of(place, name) for name in place.databases()}


def test_nobody_waits_for_who_makes_spares_and_who_comes_leaves_it_the_work(shelf: Shelf, play: Playground) -> None:
    place = sparing(shelf.copy(applied, play))
    secret = make_url(place.url).set(password="open sesame").render_as_string(hide_password=False)
    with stopped_at(place.with_variables(HOP_DATABASE_URL=secret), "spare.before_create", "apply") as maker:
        assert making(place)
        assert os.getsid(maker.pid) != os.getsid(0), "no Ctrl-C reaches it"
        words = Path(f"/proc/{maker.pid}/cmdline").read_bytes().decode().split("\0")
        assert words[1:3] == ["-m", spare_maker.__name__]
        assert not any("sesame" in word for word in words), "anybody can read a command line"
        place.write("Patches/0/0/1/02_tool.sql", TOOL)
        place.hop("apply").succeeds()
        assert place.sql(HAS_TOOL) == [(True,)]
        assert maker.is_alive()
        assert spares(place) == []
        await_(lambda: len(place.databases()) == 3)
    # What the second apply has replaced is dropped by the first one's process, the only one that was at work.
    settled(place)
    assert beside(place) == {"_hop_0.0.0", "_spare"}


def test_a_spare_that_is_being_copied_is_waited_for(shelf: Shelf, play: Playground) -> None:
    place = sparing(shelf.copy(applied, play))
    with stopped_at(place, "spare.before_create", "apply") as maker:
        # The server waits for this session to end before it copies. A copy of the command's own would have ended it.
        looking = psycopg2.connect(url_beside(place, f"{database_of(place)}_hop_0.0.0"))
        maker.go()
        blocked = (
            "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%' AND application_name ~ '^hop spare'"
        )
        await_(lambda: place.sql(blocked, url_beside(place, "postgres")))
        with place.start(str(SCRIPTS / "hop"), "apply") as process:
            holding = f"SELECT 1 FROM pg_stat_activity WHERE application_name ~ '^hop apply {database_of(place)}'"
            await_(lambda: place.sql(holding, url_beside(place, "postgres")))
            looking.cursor().execute("SELECT 'still here'")
            looking.close()
            _, err = process.communicate(timeout=60)
            assert process.wait() == 0, err
    assert "ended the session" not in err
    settled(place)


def test_one_that_is_killed_while_the_server_copies_leaves_nothing_for_long(shelf: Shelf, play: Playground) -> None:
    place = sparing(shelf.copy(applied, play))
    with stopped_at(place, "spare.before_create", "apply") as maker:
        with closing(psycopg2.connect(url_beside(place, f"{database_of(place)}_hop_0.0.0"))):
            maker.go()
            await_(lambda: place.sql(BLOCKED, url_beside(place, "postgres")))
            kill(maker)
        # The server goes on for a moment, and nobody else begins.
        await_(lambda: not making(place))
    assert spares(place) == []
    place.hop("apply").succeeds()
    settled(place)
    assert beside(place) == {"_hop_0.0.0", "_spare"}


def test_where_nobody_can_work_in_the_background_what_is_discarded_does_not_pile_up(
    shelf: Shelf, play: Playground
) -> None:
    # No interpreter that is begun there finds its library.
    place = sparing(shelf.copy(applied, play)).with_variables(PYTHONHOME="nowhere")
    with project_of(place) as project:
        for _ in range(5):
            apply_release(project)
            assert len(place.databases()) <= 2 + LEFT_AGAIN
    assert spares(place) == []
    with project_of(place.with_variables(HOP_SPARE="0")) as project:
        apply_release(project)
    assert beside(place) == {"_hop_0.0.0"}


def test_stopping_the_server_stops_it_too(tmp_path: Path) -> None:
    outside = sparing(Playground(tmp_path, url=""))
    place = outside.inside("shop")
    try:
        outside.hop("new", "shop", "--devel").succeeds()
        place.hop("prepare", "-l", "patch").succeeds()
        place.write("Patches/0/0/1/01_tool.sql", TOOL)
        url = place.hop("server").succeeds().out.strip()
        there = replace(place, url=url)
        with stopped_at(place, "spare.before_create", "apply") as maker:
            looking = psycopg2.connect(url_beside(there, "shop_hop_0.0.0"))
            maker.go()
            await_(lambda: there.sql(BLOCKED, url_beside(there, "postgres")))
            place.hop("server", "--stop").succeeds()
            looking.close()
            await_(lambda: not maker.is_alive())
        assert "not running" in place.hop("server", "--stop").succeeds().out
        place.hop("apply").succeeds()
        settled(there)
        assert beside(there) == {"_hop_0.0.0", "_spare"}
    finally:
        data = place.folder / ".hop/pgdata"
        folder = data.resolve()
        embedded.stop(data)
        shutil.rmtree(folder, ignore_errors=True)


class TestNone:
    def test_where_there_is_too_little_room_which_is_said_once(
        self, shelf: Shelf, play: Playground, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place = with_spare(shelf, play)
        maintain(place, *(f'DROP DATABASE "{name}"' for name in spares(place)))
        with monkeypatch.context() as patch:
            patch.setattr(spare_maker, "RESERVE", 1 << 60)
            for _ in range(2):
                make_spares(request_of(place))
        assert spares(place) == []
        said = [place.hop(command).succeeds().out for command in ("apply", "undo")]
        assert "there is no spare" in said[0]
        assert "are free on the server's disk" in said[0]
        settled(place)
        assert SpareNote(place.folder).read() is None, "there is room again"
        assert "no spare" not in said[1]

    def test_what_was_told_is_not_told_again_as_long_as_it_is_so(self, tmp_path: Path) -> None:
        note = SpareNote(tmp_path)
        note.write("1 GB is free")
        assert note.tell() == "1 GB is free"
        note.write("0.9 GB are free")
        assert note.tell() is None
        assert note.read() == "0.9 GB are free"
        note.clear()
        note.write("0.8 GB are free")
        assert note.tell() == "0.8 GB are free"

    def test_where_the_setting_says_so_and_one_that_is_there_goes(self, shelf: Shelf, play: Playground) -> None:
        place = with_spare(shelf, play)
        place.with_variables(HOP_SPARE="0").hop("apply").succeeds()
        assert beside(place) == {"_hop_0.0.0"}

    def test_in_ci_unless_a_setting_says_so(self, project: Playground) -> None:
        def has(**environ: str) -> bool:
            return Project.find(project.folder, environ=environ).settings.spare

        assert has()
        assert has(CI="false")
        assert not has(CI="true")
        assert has(CI="true", HOP_SPARE="1")
        project.write("pyproject.toml", project.read("pyproject.toml") + "spare = true\n")
        assert has(CI="true")
