"""`hop` without a command: every state looks different, says what to type next, and is only looked at."""

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg2
from sqlalchemy import make_url

from hop_tasks.database.locks import lock_key
from tests.playground import Finished, Playground
from tests.workflows.shelf import (
    CUSTOMER,
    SCHEMA,
    Shelf,
    applied,
    clone,
    database_of,
    maintain,
    prepared,
    production,
    published,
    shop,
    url_beside,
    with_origin,
)

Lines = dict[str, str]


def everything(place: Playground) -> tuple[object, ...]:
    """All that a command could write: each file of the project, git's included, and the databases."""
    root = Path(place.git("rev-parse", "--show-toplevel")) if (place.folder / ".git").exists() else place.folder
    files = {path: (path.lstat().st_mtime_ns, path.lstat().st_size) for path in root.rglob("*")}
    return files, place.databases()


def look(place: Playground, *command: str, at: Playground | None = None) -> Finished:
    """Run `hop`, which must not write anything. `at` reaches the server where `place` does not."""
    reached = replace(at, folder=place.folder) if at else place
    before = everything(reached)
    found = place.hop(*command)
    assert everything(reached) == before
    assert "Traceback" not in found.err
    return found


def shown(place: Playground) -> Lines:
    """The headings that `hop` shows, with their texts; `next` is the advice."""
    out = look(place).succeeds().out
    lines: Lines = {}
    heading = ""
    for line in out.splitlines():
        if line.startswith("next: "):
            lines["next"] = line.removeprefix("next: ")
        elif line.startswith(" "):
            lines[heading] += "\n" + line.strip()
        else:
            heading, _, text = line.partition("  ")
            lines[heading] = text.strip()
    return lines


class TestDevelopment:
    def test_a_new_project(self, shelf: Shelf) -> None:
        place = shelf.shared(shop)
        lines = shown(place)
        assert lines["project"] == f"shop in {place.folder.resolve()}"
        assert lines["mode"] == "development"
        assert f"/{database_of(place)}" in lines["database"]
        assert "from HOP_DATABASE_URL" in lines["database"]
        assert "PostgreSQL 1" in lines["database"]
        assert lines["release"].startswith("0.0.0: ")
        assert f"commit {place.git('rev-parse', 'HEAD')[:12]} by Ann Author <ann@example.com>" in lines["release"]
        assert lines["branch"] == "hop_main, clean"
        assert lines["released"] == "0.0.0"
        assert lines["in preparation"] == "none"
        assert lines["next"].startswith("hop prepare")
        assert "stamped" not in lines["release"]

    def test_a_release_in_preparation(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(prepared, play)
        lines = shown(place)
        assert lines["branch"] == "hop_0.0.1, clean"
        assert lines["in preparation"] == "0.0.1"
        assert lines["next"] == "write SQL or Python files in Patches/0/0/1, then hop apply"
        place.write("notes.txt", "x")
        place.write("Patches/0/0/1/01_customer.sql", CUSTOMER + "\n")
        assert shown(place)["branch"] == "hop_0.0.1, 2 changed: Patches/0/0/1/01_customer.sql, notes.txt"
        place.git("stash", "--quiet", "--include-untracked")
        place.git("switch", "--quiet", "hop_main")
        assert "git switch hop_0.0.1" in shown(place)["next"]
        place.git("switch", "--quiet", "--detach")
        lines = shown(place)
        assert lines["branch"] == f"detached at {place.git('rev-parse', 'HEAD')[:12]}, clean"
        assert "git switch hop_main" in lines["next"]

    def test_a_release_that_is_applied(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(applied, play)
        lines = shown(place)
        assert lines["release"].startswith("0.0.1: customers\n")
        assert lines["next"].startswith("hop release")
        place.write("notes.txt", "x")
        assert shown(place)["next"].startswith("hop apply after each change; git commit, then hop release")
        (place.folder / "notes.txt").unlink()
        # A higher one, applied instead, is not the next to be released.
        place.git("branch", "hop_0.1.0")
        place.git("switch", "--quiet", "hop_0.1.0")
        place.sql("UPDATE half_orm_meta.hop_release SET minor = 1, patch = 0 WHERE patch = 1")
        lines = shown(place)
        assert lines["in preparation"] == "0.0.1, 0.1.0"
        assert "0.0.1 is to be released first" in lines["next"]

    def test_releases_that_origin_lacks(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(published, play)
        assert "not pushed" not in shown(place)
        place.git("update-ref", "refs/remotes/origin/hop_main", "0.0.1^{}")
        lines = shown(place)
        assert lines["not pushed"] == "0.0.2, 0.0.3"
        assert lines["released"] == "0.0.3, 0.0.2, 0.0.1, 0.0.0"

    def test_a_release_that_only_origin_has_in_preparation(self, shelf: Shelf, play: Playground) -> None:
        place = with_origin(shelf.copy(prepared, play))
        place.git("push", "--quiet", "origin", "hop_0.0.1")
        bob = replace(clone(place, "bob"), url=url_beside(place, f"{database_of(place)}_bob"))
        lines = shown(bob)
        assert lines["in preparation"] == "0.0.1"
        assert "the database does not exist" in lines["database"]
        assert "release" not in lines

    def test_databases_that_are_kept(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(published, play)
        name = database_of(place)
        maintain(place, f"CREATE DATABASE {name}_before_apply TEMPLATE template0")
        mark = f'hop: {{"kind": "before_apply", "of": "{name}", "release": "0.0.3"}}'
        maintain(place, f"COMMENT ON DATABASE {name}_before_apply IS '{mark}'")
        lines = shown(place)
        assert lines["kept"].split()[0] == f"{name}_before_apply"
        assert lines["snapshots"] == "0.0.2, 0.0.1, 0.0.0"

    def test_a_database_that_hop_does_not_know(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(shop, play, databases=False)
        maintain(place, f"CREATE DATABASE {database_of(place)}")
        assert shown(place)["release"] == "none: the database has no registry"

    def test_without_version_tracking(self, play: Playground) -> None:
        maintain(play, f"CREATE DATABASE {database_of(play)}")
        play.sql(SCHEMA)
        play.hop("new", "shop").succeeds()
        lines = shown(play.inside("shop"))
        assert lines["mode"] == "development, without version tracking"
        assert "hop sync-package" in lines["next"]
        assert not {"release", "branch", "released", "in preparation"} & set(lines)

    def test_a_server_of_its_own_is_not_started(self, shelf: Shelf, play: Playground) -> None:
        place = replace(shelf.copy(shop, play, databases=False), url="")
        found = look(place, at=play).succeeds()
        assert "embedded server" in found.out
        assert "not running" in found.out
        assert not (place.folder / ".hop").exists()


class TestProduction:
    def test_before_the_first_upgrade(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(published, play, databases=False).production()
        lines = shown(place)
        assert lines["mode"] == "production"
        assert database_of(place) in lines["next"]
        assert lines["next"].endswith("then hop upgrade")
        assert lines["released"] == "0.0.3, 0.0.2, 0.0.1, 0.0.0"
        assert "0.0.1" not in lines["lacking"]
        maintain(place, f"CREATE DATABASE {database_of(place)}")
        lines = shown(place)
        assert lines["release"] == "none: the database has no registry"
        assert "hop upgrade" in lines["next"]
        assert "--baseline" in lines["next"]

    def test_releases_that_it_lacks_and_none(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(production, play)
        lines = shown(place)
        assert "stamped as production" in lines["release"]
        assert lines["lacking"] == "0.0.2, 0.0.3"
        assert lines["next"] == "hop upgrade brings 0.0.2, 0.0.3"
        place.git("switch", "--quiet", "--detach", "0.0.1")
        assert shown(place)["lacking"] == "0.0.2, 0.0.3", "on a detached HEAD as well"
        place.hop("upgrade", "--no-fetch").succeeds()
        lines = shown(place)
        assert lines["lacking"] == "none"
        assert lines["next"].startswith("nothing to do")

    def test_a_database_of_the_other_mode_is_not_advised_to_be_changed(self, shelf: Shelf) -> None:
        """What would be refused is not what to type next."""
        laptop, stamped = shelf.shared(applied), shelf.shared(production)
        lines = shown(replace(laptop, url=stamped.url))
        assert "stamped as production" in lines["release"]
        assert "HOP_DATABASE_URL" in lines["next"]
        lines = shown(replace(stamped, url=laptop.url))
        assert "stamped as production" not in lines["release"]
        assert "HOP_DATABASE_URL" in lines["next"]

    def test_without_a_url(self, shelf: Shelf) -> None:
        stamped = shelf.shared(production)
        found = look(replace(stamped, url=""), at=stamped).fails(5, "production needs a database URL")
        assert "hop_main, clean" in found.out


class TestADatabaseThatHopKeeps:
    """Each command that changes something refuses it; `hop` says what it is, and whose."""

    def test_it_is_shown_as_what_it_is_and_not_as_a_projects_own(self, shelf: Shelf) -> None:
        place = shelf.shared(applied)
        snapshot = f"{database_of(place)}_hop_0.0.0"
        there = replace(place, url=url_beside(place, snapshot))
        for mode in (there, there.production()):
            lines = shown(mode)
            kept = f"not a project's own: hop keeps it beside {database_of(place)} (snapshot of 0.0.0)"
            assert lines["database"].splitlines()[-1] == kept
            assert not {"release", "lacking", "snapshots"} & set(lines)
            assert lines["next"].startswith(f"name {database_of(place)} in HOP_DATABASE_URL; or, to make {snapshot}")
        assert shown(place)["release"].startswith("0.0.1")

    def test_so_is_one_that_nobody_may_connect_to(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(shop, play)
        spare = f"{database_of(place)}_spare_00000000"
        closed = replace(place, url=url_beside(place, spare))
        maintain(place, f"CREATE DATABASE {spare} ALLOW_CONNECTIONS false")
        assert "not currently accepting connections" in closed.hop().fails(5).err
        mark = f'hop: {{"kind": "spare", "of": "{database_of(place)}", "release": "0.0.0"}}'
        maintain(place, f"COMMENT ON DATABASE {spare} IS '{mark}'")
        lines = shown(closed)
        assert f"beside {database_of(place)} (spare of 0.0.0, for the next apply)" in lines["database"]
        assert lines["next"].startswith(f"name {database_of(place)} in HOP_DATABASE_URL")


class TestServer:
    def test_a_server_that_is_down_is_part_of_the_state(self, shelf: Shelf) -> None:
        place = shelf.shared(prepared)
        with socket.socket() as unused:
            unused.bind(("localhost", 0))
            url = f"postgresql://ann:s3cr3t-w0rd@localhost:{unused.getsockname()[1]}/shop"
            found = look(replace(place, url=url), at=place).fails(5, "no connection", "ann:***@localhost")
        assert "s3cr3t-w0rd" not in found.out + found.err
        for text in ("mode", "development", "hop_0.0.1, clean", "in preparation  0.0.1"):
            assert text in found.out

    def test_the_password_is_masked(self, shelf: Shelf) -> None:
        place = shelf.shared(shop)
        url = make_url(place.url).set(password="s3cr3t-w0rd").render_as_string(hide_password=False)
        found = look(replace(place, url=url)).succeeds()
        assert "s3cr3t-w0rd" not in found.out + found.err
        assert ":***@" in found.out


class TestPlace:
    def test_all_spellings_and_subfolders_show_the_same(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(applied, play)
        expected = look(place).succeeds().out
        assert look(place, "status").succeeds().out == expected
        assert look(place.inside("Patches/0/0/1"), at=place).succeeds().out == expected
        assert place.invoke("status").succeeds().out == expected

    def test_a_project_whose_repository_is_gone(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(shop, play)
        (place.folder / ".git").rename(play.folder / "away")
        look(place).fails(4, "not a Git repository")

    def test_outside_a_project(self, play: Playground) -> None:
        look(play).fails(3, "not in a project", "hop new", "hop init")

    def test_in_a_clone_of_which_nothing_is_checked_out(self, shelf: Shelf, play: Playground) -> None:
        """As `git init --bare` makes an origin: its HEAD names a branch that nobody pushes."""
        place = shelf.copy(shop, play)
        play.git("init", "--quiet", "--bare", "--initial-branch=nobodys", "origin.git")
        place.git("push", "--quiet", str(play.folder / "origin.git"), "hop_main")
        play.git("clone", "--quiet", "origin.git", "empty")
        look(play.inside("empty")).fails(3, "nothing is checked out", "git switch hop_main")

    def test_a_folder_that_nobody_may_write_to(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(applied, play)
        folders = [path for path in (place.folder, *place.folder.rglob("*")) if path.is_dir()]
        for path in folders:
            path.chmod(0o555)
        try:
            assert shown(place)["branch"] == "hop_0.0.1, clean"
        finally:
            for path in folders:
                path.chmod(0o755)


def test_looking_needs_no_lock(shelf: Shelf) -> None:
    """hop shows the state while another command is at work, which would make others wait or refuse."""
    place = shelf.shared(prepared)
    with closing(psycopg2.connect(url_beside(place, "postgres"))) as session, session.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (lock_key(database_of(place)),))
        assert shown(place)["branch"] == "hop_0.0.1, clean"
        look(place, "apply").fails(8, "another hop is at work")
