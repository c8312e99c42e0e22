"""What must hold when things are not as they should be: each of these once went wrong, or nearly."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import make_url

from tests.playground import Playground
from tests.workflows.shelf import clone, database_of, maintain, url_beside, with_origin

FIRST = {"01.sql": "CREATE TABLE a (id integer PRIMARY KEY);\n"}


def prepare(place: Playground, level: str, text: str, name: str = "01.sql") -> str:
    """A release in preparation with one file, applied and committed; its version."""
    place.hop("prepare", "-l", level).succeeds()
    version = place.git("branch", "--show-current").removeprefix("hop_")
    place.write(f"Patches/{version.replace('.', '/')}/{name}", text)
    place.hop("apply").succeeds()
    place.commit(version)
    return version


class TestBases:
    def test_what_was_made_by_hand_does_not_get_into_a_release(self, project: Playground) -> None:
        project.release("patch", FIRST)
        project.sql("CREATE TABLE byhand (id integer)")
        project.hop("prepare", "-l", "patch").succeeds()
        project.write("Patches/0/0/2/01.sql", "CREATE TABLE b (id integer);\n")
        applied = project.hop("apply").succeeds()
        assert "changed by hand since 0.0.1" in applied.err
        assert "is kept as" in applied.out
        project.commit()
        project.hop("release").succeeds()
        assert "byhand" not in project.read("Releases/shop-0.0.2.sql") + project.read("shop/tables/public.py")

    def test_a_database_of_another_project_is_refused(
        self, project: Playground, other_database: Callable[[], str]
    ) -> None:
        other = Playground(project.folder.parent, other_database())
        other.hop("new", "other", "--devel").succeeds()
        other = other.inside("other")
        other.release("patch", FIRST)
        project.hop("prepare", "-l", "patch").succeeds()
        project.write("Patches/0/0/1/01.sql", "SELECT 1;\n")
        for command in ("apply", "undo", "restore 0.0.0"):
            Playground(project.folder, other.url).hop(*command.split()).fails(7, "belongs to another project")
        assert other.releases() == ["0.0.0", "0.0.1"]

    def test_the_snapshot_of_an_earlier_database_is_not_taken(self, project: Playground) -> None:
        prepare(project, "patch", FIRST["01.sql"])
        maintain(project, f"DROP DATABASE {database_of(project)} WITH (FORCE)")
        maintain(project, f"CREATE DATABASE {database_of(project)}")
        project.sql("CREATE TABLE fresh (id integer)")
        again = Playground(project.folder.parent, project.url)
        again.hop("new", "again", "--devel").succeeds()
        again = again.inside("again")
        prepare(again, "patch", "INSERT INTO fresh VALUES (2);\n")
        assert again.sql("SELECT id FROM fresh") == [(2,)]

    def test_rows_of_sessions_that_do_not_count_are_kept(self, project: Playground) -> None:
        prepare(project, "patch", FIRST["01.sql"])
        project.sql("SET track_counts = off; INSERT INTO a VALUES (42)")
        project.sql(f"ALTER DATABASE {database_of(project)} SET track_counts = off")
        assert "is kept as" in project.hop("apply").succeeds().out
        kept = url_beside(project, f"{database_of(project)}_before_apply")
        assert project.sql("SELECT id FROM a", kept) == [(42,)]


class TestRelease:
    def test_files_that_git_ignores_are_not_sealed(self, project: Playground) -> None:
        project.write(".gitignore", project.read(".gitignore") + "*.local.sql\n")
        project.commit("ignore")
        prepare(project, "patch", "CREATE TABLE l (id integer);\n", "01.local.sql")
        before = project.refs()
        project.hop("release").fails(7, "Patches/0/0/1/01.local.sql", ".gitignore")
        assert project.refs() == before

    def test_files_of_a_released_version_stay_as_they_are(self, project: Playground) -> None:
        project.release("patch", FIRST)
        project.hop("prepare", "-l", "patch").succeeds()
        project.write("Patches/0/0/1/01.sql", FIRST["01.sql"] + "-- changed\n")
        project.hop("apply").succeeds()
        project.commit()
        project.hop("release").fails(7, "files of 0.0.1", "git restore --source=0.0.1")

    def test_main_checked_out_elsewhere(self, project: Playground) -> None:
        prepare(project, "patch", FIRST["01.sql"])
        project.git("worktree", "add", "--quiet", "../elsewhere", "hop_main")
        before = project.refs()
        project.hop("release").fails(4, "hop_main is checked out in", "elsewhere")
        assert project.refs() == before

    @pytest.mark.parametrize("command", ["prepare -l patch", "release"])
    def test_a_hook_that_fails_after_the_switch(self, project: Playground, command: str) -> None:
        if command == "release":
            prepare(project, "patch", FIRST["01.sql"])
        hook = project.write(".git/hooks/post-checkout", "#!/bin/sh\nexit 1\n")
        hook.chmod(0o755)
        project.hop(*command.split()).succeeds()
        assert project.git("status", "--porcelain") == ""
        assert project.git("branch", "--show-current") == ("hop_main" if command == "release" else "hop_0.0.1")

    def test_a_reserved_number_survives_a_colleagues_release(
        self, project: Playground, other_database: Callable[[], str]
    ) -> None:
        ann = with_origin(project)
        bob = clone(ann, "bob", other_database())
        ann.hop("prepare", "-l", "minor", "--push").succeeds()
        ann.write("Patches/0/1/0/01.sql", "CREATE TABLE orders (id integer);\n")
        ann.hop("apply").succeeds()
        ann.commit("orders")
        bob.release("patch", FIRST, "--push")
        ann.hop("release", "--push").fails(7, "0.0.1 was released meanwhile", "hop apply, git commit, hop release")
        ann.hop("apply").succeeds()
        if ann.git("status", "--porcelain"):
            ann.commit("package")
        ann.hop("release", "--push").succeeds()
        assert "hop_0.1.0" not in ann.git("ls-remote", "--heads", "origin")

    def test_tags_that_are_not_pushed_survive_a_fetch_that_prunes(self, project: Playground) -> None:
        with_origin(project).git("config", "fetch.pruneTags", "true")
        project.release("patch", FIRST)
        project.release("patch", {"01.sql": "CREATE TABLE b (id integer);\n"})
        assert project.git("tag", "--list").split() == ["0.0.0", "0.0.1", "0.0.2"]


class TestPatches:
    def test_a_deferred_constraint_fails_in_its_file(self, project: Playground) -> None:
        project.hop("prepare", "-l", "patch").succeeds()
        project.write(
            "Patches/0/0/1/01.sql",
            "CREATE TABLE p (id integer PRIMARY KEY);\n"
            "CREATE TABLE c (i integer REFERENCES p DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO c VALUES (1);\n",
        )
        project.hop("apply").fails(1, "Patches/0/0/1/01.sql", "violates foreign key", "rolled back")

    def test_a_temporary_table_hides_nothing_from_the_next_file(self, project: Playground) -> None:
        project.hop("prepare", "-l", "patch").succeeds()
        project.write("Patches/0/0/1/01.sql", "CREATE TABLE t (id integer);\n")
        project.write("Patches/0/0/1/02.sql", "CREATE TEMP TABLE t (id integer);\n")
        project.write("Patches/0/0/1/03.sql", "SET search_path = ''; INSERT INTO public.t VALUES (1);\n")
        project.write("Patches/0/0/1/04.SQL", "INSERT INTO t VALUES (2);\n")
        project.hop("apply").succeeds()
        assert project.sql("SELECT id FROM t ORDER BY id") == [(1,), (2,)]

    def test_a_python_patch_may_spoil_its_surroundings(self, project: Playground) -> None:
        project.hop("prepare", "-l", "patch").succeeds()
        project.write(
            "Patches/0/0/1/01.py",
            "import os, sys\n\ndef apply(c):\n    sys.path = []\n    os.chdir('/')\n    try:\n"
            "        c.exec_driver_sql('SELECT nope')\n    except Exception:\n        pass\n",
        )
        project.hop("apply").fails(1, "Patches/0/0/1/01.py", "aborted", "rolled back")


class TestProduction:
    def test_a_tag_that_nobody_released(self, project: Playground, other_database: Callable[[], str]) -> None:
        prepare(project, "patch", FIRST["01.sql"])
        project.git("tag", "0.0.1")
        url = other_database()
        maintain(project, f"CREATE DATABASE {make_url(url).database}")
        place = Playground(project.folder, url).production()
        place.hop("upgrade").fails(12, "0.0.1", "no release")
        assert place.sql("SELECT to_regclass('a')") == [(None,)]

    def test_a_restore_can_be_taken_back(self, project: Playground, other_database: Callable[[], str]) -> None:
        project.release("patch", FIRST)
        url = other_database()
        maintain(project, f"CREATE DATABASE {make_url(url).database}")
        place = Playground(project.folder, url).production()
        place.hop("upgrade", "--to", "0.0.0").succeeds()
        place.hop("upgrade").succeeds()
        place.sql("INSERT INTO a VALUES (7)")
        place.hop("restore", "0.0.0").succeeds()
        assert "kept database" in place.hop("restore", "0.0.1").succeeds().out
        assert place.sql("SELECT id FROM a") == [(7,)]

    def test_dumps_that_were_cut_off_are_removed(self, project: Playground, other_database: Callable[[], str]) -> None:
        project.release("patch", FIRST)
        url = other_database()
        maintain(project, f"CREATE DATABASE {make_url(url).database}")
        place = Playground(project.folder, url).production()
        place.hop("upgrade", "--to", "0.0.0").succeeds()
        part = place.write(f"Backups/{make_url(url).database}-0.0.0-20200101T000000000000.dump.part", "half a dump")
        place.hop("upgrade").succeeds()
        assert not part.exists()


def test_a_password_in_the_query_is_masked_and_not_stored(play: Playground) -> None:
    made = play.hop("new", "shop", "--devel", "--url", f"{play.url}&password=s3cret").succeeds()
    assert "s3cret" not in made.out + made.err + play.inside("shop").read("pyproject.toml")
