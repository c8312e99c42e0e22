"""One hop at a time: every command that changes a database is refused, or waits, while another is at work on it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import psycopg2
import pytest
from sqlalchemy import make_url

from hop_tasks import (
    apply_release,
    create_project,
    initialise_project,
    plan_upgrade,
    release_prepared,
    restore_database,
    synchronise_package,
    undo_release,
    upgrade_database,
)
from hop_tasks.database.locks import lock_key
from hop_tasks.errors import LockedError
from tests.playground import SCRIPTS, Playground
from tests.workflows.calling import project_of
from tests.workflows.shelf import Shelf, applied, database_of, maintain, prepared, production, url_beside

ALL = ["0.0.0", "0.0.1", "0.0.2", "0.0.3"]
AT_WORK = "SELECT query FROM pg_stat_activity WHERE application_name = 'hop at work on {}'"


@contextmanager
def held_lock(place: Playground) -> Iterator[None]:
    """Somebody holds the lock of a place's database."""
    with closing(psycopg2.connect(url_beside(place, "postgres"), application_name="ann")) as session:
        session.cursor().execute("SELECT pg_advisory_lock(%s)", (lock_key(database_of(place)),))
        yield


@contextmanager
def started(place: Playground, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A hop that runs; it is killed at the end if it still does."""
    with place.start(str(SCRIPTS / "hop"), *arguments) as process:
        try:
            yield process
        finally:
            process.kill()


def until_said(process: subprocess.Popen[str], words: str) -> str:
    """The first line on standard output that has the words."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return line
    raise AssertionError(f"{words!r} was not said: {lines} {process.communicate()[1]}")


def until(process: subprocess.Popen[str], condition: Callable[[], object]) -> None:
    """Wait until something is so while the process runs."""
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


class TestRefused:
    def test_every_command_of_development(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(applied, play)
        before = place.refs(), place.databases()
        with held_lock(place), project_of(place) as project:
            commands: list[tuple[str, Callable[[], object]]] = [
                ("apply", lambda: apply_release(project)),
                ("undo", lambda: undo_release(project)),
                ("release", lambda: release_prepared(project)),
                ("restore", lambda: restore_database(project, "0.0.0")),
            ]
            for verb, command in commands:
                with pytest.raises(LockedError, match=r"another hop is at work on \w+: ann") as caught:
                    command()
                assert f"hop {verb} --lock-wait 60" in str(caught.value.hint)
            assert synchronise_package(project).written == (), "it only reads the database"
        assert (place.refs(), place.databases()) == before

    def test_every_command_of_production(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(production, play)
        with held_lock(place), project_of(place) as project:
            for command in (lambda: upgrade_database(project), lambda: restore_database(project, "0.0.1")):
                with pytest.raises(LockedError, match="ann"):
                    command()
            assert [str(release.version) for release in plan_upgrade(project).releases] == ALL[2:]
        assert place.releases() == ALL[:2]

    @pytest.mark.parametrize("exists", [True, False])
    def test_the_beginning_of_a_project(self, play: Playground, exists: bool) -> None:
        """Nothing is left of it; and without version tracking the database is only looked at."""
        if exists:
            maintain(play, f"CREATE DATABASE {database_of(play)}")
        play.git("init", "--quiet", "repository")
        repository = play.inside("repository")
        repository.write("README", "one\n")
        commit = repository.commit()
        with held_lock(play), pytest.MonkeyPatch.context() as patch:
            patch.setenv("HOP_DATABASE_URL", play.url)
            with pytest.raises(LockedError, match="ann") as caught:
                create_project("shop", folder=play.folder, devel=True)
            assert "hop new --lock-wait" in str(caught.value.hint)
            with pytest.raises(LockedError, match="ann"):
                initialise_project(repository.folder, name="shop", devel=True)
            assert [path.name for path in play.folder.iterdir()] == ["repository"]
            assert repository.git("status", "--porcelain", "--ignored") == ""
            assert repository.git("rev-parse", "HEAD") == commit
            if exists:
                assert create_project("shop", folder=play.folder).commit is None

    def test_nothing_to_do_needs_no_lock(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(production, play)
        place.hop("upgrade").succeeds()
        with held_lock(place):
            assert "nothing to do" in place.hop("upgrade").succeeds().out


class TestWaiting:
    def test_the_flag_goes_before_the_setting(self, shelf: Shelf, play: Playground) -> None:
        """It waits, says for whom, and goes on; or does not, though the setting says so."""
        place = shelf.copy(prepared, play)
        with held_lock(place):
            patient = place.with_variables(HOP_LOCK_WAIT="86400")
            patient.hop("apply", "--lock-wait", "0").fails(
                8, "another hop is at work", "ann (pid ", "nothing was changed"
            )
            with started(place.with_variables(HOP_LOCK_WAIT="0"), "apply", "--lock-wait=600.5") as process:
                said = until_said(process, "waiting")
                assert f"waiting up to 601 s for another hop on {database_of(place)}: ann (pid " in said
                assert process.poll() is None
                release_lock(place)
                out, err = process.communicate(timeout=120)
                assert process.returncode == 0, err
                assert "waiting" not in out, "once for each holder"
        assert place.releases() == ["0.0.0", "0.0.1"]

    def test_the_plan_is_made_again_under_the_lock(self, shelf: Shelf, play: Playground) -> None:
        """The second of two has nothing left to do."""
        place = shelf.copy(production, play)
        folder = play.folder / "checkpoint"
        folder.mkdir()
        first_place = place.with_variables(HOP_TESTING_CHECKPOINT=f"lock.held={folder}")
        with started(first_place, "upgrade") as first:
            until(first, (folder / "reached").exists)
            with started(place, "upgrade", "--lock-wait", "600") as second:
                assert f"hop upgrade {database_of(place)} by " in until_said(second, "waiting")
                (folder / "go").touch()
                assert first.wait(120) == 0
                out, err = second.communicate(timeout=120)
                assert (second.returncode, err) == (0, "")
        assert "applying" not in out
        assert place.releases() == ALL
        assert place.sql("SELECT price FROM product WHERE id = 7") == [(140,)], "doubled once"


class TestLost:
    """The session that holds the lock ends while hop works: somebody else may be at work from then on."""

    def test_nothing_is_swapped(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(production, play)
        place.hop("upgrade").succeeds()
        folder = play.folder / "checkpoint"
        folder.mkdir()
        with started(
            place.with_variables(HOP_TESTING_CHECKPOINT=f"restore.before_swap={folder}"), "restore", "0.0.1"
        ) as process:
            until(process, (folder / "reached").exists)
            ending = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'hop restore %s %%'"
            )
            maintain(place, ending % database_of(place))
            (folder / "go").touch()
            _, err = process.communicate(timeout=120)
        assert process.returncode == 8, err
        assert "the session that holds the lock" in err
        assert place.releases() == ALL, "it serves as before"
        place.hop("restore", "0.0.1").succeeds()
        assert place.releases() == ALL[:2]


class TestKilled:
    def test_the_lock_dies_with_its_holder(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(prepared, play)
        folder = play.folder / "checkpoint"
        folder.mkdir()
        with started(place.with_variables(HOP_TESTING_CHECKPOINT=f"lock.held={folder}"), "apply") as process:
            until(process, (folder / "reached").exists)
            place.hop("apply").fails(8, "another hop is at work", f"hop apply {database_of(place)} by ")
            process.kill()
            process.wait()
        place.hop("apply").succeeds()

    def test_what_the_server_still_runs_is_ended_first(self, shelf: Shelf, play: Playground) -> None:
        """A killed hop has left a statement, which nobody waits for, in the copy that it worked in."""
        place = shelf.copy(prepared, play)
        sleeper = place.write("Patches/0/0/1/02_long.sql", "SELECT pg_sleep(600);\n")
        own = AT_WORK.format(database_of(place))
        with started(place, "apply") as process:
            asleep = f"{own} AND query LIKE 'SELECT pg_sleep(600)%' AND state = 'active'"
            until(process, lambda: place.sql(asleep, url_beside(place, "postgres")))
            process.kill()
            process.wait()
        sleeper.unlink()
        place.hop("apply").succeeds()
        assert place.sql(own, url_beside(place, "postgres")) == []
        assert place.releases() == ["0.0.0", "0.0.1"]

    def test_a_colleague_who_looks_is_not_taken_for_it(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(prepared, play)
        colleague = replace(
            place, url=make_url(place.url).update_query_dict({"application_name": "hop"}).render_as_string(False)
        )
        with closing(psycopg2.connect(url_beside(colleague, "postgres"))) as session:
            session.cursor().execute("SELECT 1")
            place.hop("apply").succeeds()
            session.cursor().execute("SELECT 1")


def release_lock(place: Playground) -> None:
    """End the session that holds the lock."""
    maintain(place, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ann'")


class TestBlocked:
    """Another program holds a lock on a table that a release changes."""

    @contextmanager
    def till(self, place: Playground) -> Iterator[psycopg2.extensions.connection]:
        with closing(psycopg2.connect(place.url, application_name="the till")) as session:
            session.cursor().execute("UPDATE product SET name = name")
            yield session

    def test_it_is_named_and_the_release_rolled_back(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(production, play).with_variables(HOP_LOCK_TIMEOUT="0.3", HOP_LOCK_RETRIES="1")
        with self.till(place) as session:
            found = place.hop("upgrade").fails(19, "Patches/0/0/2/01_double.sql:1:1: canceling statement", "2 times")
            assert f"the till of postgres (pid {session.info.backend_pid}, idle in transaction" in found.err
            assert "hop upgrade --terminate-blockers" in found.err
            assert place.releases() == ALL[:2]
            session.commit()
        place.hop("upgrade").succeeds()
        assert place.releases() == ALL

    def test_it_is_ended_where_that_is_wanted(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(production, play).with_variables(HOP_LOCK_TIMEOUT="0.3", HOP_LOCK_RETRIES="1")
        with self.till(place) as session:
            found = place.hop("upgrade", "--terminate-blockers").succeeds()
            assert f"ended pid {session.info.backend_pid}, which was idle in its transaction" in found.err
        assert place.sql("SELECT price FROM product WHERE id = 7") == [(140,)]
