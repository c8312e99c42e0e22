"""Bad input ends in one line that begins with `hop: `, a documented exit code, and nothing changed."""

from __future__ import annotations

import signal
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import make_url

from tests.playground import HOP, Playground
from tests.workflows.shelf import Shelf


def with_a_release(shelf: Shelf, play: Playground) -> Playground:
    """A project with release 0.0.1 prepared and applied, and committed."""
    play.hop("new", "shop", "--devel").succeeds()
    place = play.inside("shop")
    place.hop("prepare", "-l", "patch", "-m", "first").succeeds()
    place.write("Patches/0/0/1/01.sql", "CREATE TABLE a (id integer);\n")
    place.hop("apply").succeeds()
    place.commit()
    return place


@pytest.fixture
def patched(play: Playground, shelf: Shelf) -> Playground:
    return shelf.copy(with_a_release, play)


@pytest.fixture
def unchanged(patched: Playground) -> Iterator[Playground]:
    """The same; the test must leave refs and databases as they are."""
    refs, databases, registry = patched.refs(), patched.databases(), patched.releases()
    yield patched
    assert patched.refs() == refs
    assert patched.databases() == databases
    assert patched.releases() == registry
    assert patched.sql("SELECT count(*) FROM a") == [(0,)]


class TestPlace:
    @pytest.mark.cold
    def test_outside_a_project(self, tmp_path: object, play: Playground) -> None:
        for command in ("", "status", "apply", "upgrade", "sync-package"):
            play.hop(*command.split()).fails(3, "not in a project", "hop new")

    def test_not_a_repository(self, project: Playground) -> None:
        (project.folder / ".git").rename(project.folder / "git")
        project.hop("prepare", "-l", "patch").fails(4, "not a Git repository")

    def test_dirty_tree(self, unchanged: Playground) -> None:
        unchanged.write("new file.txt", "x")
        for command in (("prepare", "-l", "minor"), ("release",)):
            unchanged.hop(*command).fails(4, "not clean", "new file.txt", "git commit")

    def test_detached_head(self, unchanged: Playground) -> None:
        branch = unchanged.git("branch", "--show-current")
        unchanged.git("switch", "--quiet", "--detach")
        for command in (("prepare", "-l", "minor"), ("apply",), ("release",)):
            unchanged.hop(*command).fails(4, "detached", "git switch")
        unchanged.git("switch", "--quiet", branch)

    def test_not_on_the_branch_of_a_release(self, unchanged: Playground) -> None:
        branch = unchanged.git("branch", "--show-current")
        unchanged.git("switch", "--quiet", "hop_main")
        for command in ("apply", "release"):
            unchanged.hop(command).fails(7, "hop_main is not the branch of a release", "git switch hop_0.0.1")
        unchanged.git("switch", "--quiet", branch)

    @pytest.mark.cold
    def test_wrong_settings_are_listed_together(self, project: Playground) -> None:
        text = project.read("pyproject.toml")
        project.write("pyproject.toml", text + 'generatr = "x"\ntests = 7\nlock_timeout = "soon"\n')
        found = (
            project.with_variables(HOP_PRODUCTION="perhaps").hop().fails(3, "4 wrong settings", "'generator' is meant?")
        )
        for word in ("tests = 7", "lock_timeout = 'soon'", "environment: production = 'perhaps'"):
            assert word in found.err

    def test_settings_that_are_not_toml(self, project: Playground) -> None:
        project.write("pyproject.toml", "[tool.hop\n")
        project.hop().fails(3, "not valid TOML")


class TestWords:
    def test_unknown_level(self, unchanged: Playground) -> None:
        unchanged.hop("prepare", "--level", "huge").fails(2, "'huge'", "patch, minor, major")

    def test_no_level_without_a_terminal(self, unchanged: Playground) -> None:
        unchanged.hop("prepare").fails(2, "a level is needed", "--level=patch")

    def test_bad_version(self, unchanged: Playground) -> None:
        for version in ("1.2", "v1.2.3", "1.2.3-rc1", "one", "01.2.3"):
            unchanged.hop("restore", version).fails(2, f"'{version}'")
        unchanged.production().hop("upgrade", "--to", version).fails(2, f"'{version}'")

    @pytest.mark.cold
    def test_unknown_flag_and_command(self, unchanged: Playground) -> None:
        unchanged.hop("apply", "--frobnicate").fails(2, "--frobnicate", "--help")
        unchanged.hop("frobnicate").fails(2, "frobnicate", "--list")

    @pytest.mark.parametrize("name", ["-x", "a/b", "..", ".hidden", " a", "", "a\nb", "x" * 64])
    def test_names_that_cannot_be(self, play: Playground, name: str) -> None:
        found = play.hop("new", name, "--devel")
        assert found.code == 2
        assert found.err.splitlines()[-1].startswith("hop: ")
        assert list(play.folder.iterdir()) == []

    @pytest.mark.cold
    def test_help_is_help_and_not_a_name(self, play: Playground) -> None:
        found = play.hop("new", "--help").succeeds()
        assert "Make a new project" in found.out
        assert list(play.folder.iterdir()) == []


ODD = ("Bike Shop", "o'brien", 'say "hi"', "vélo", "semi;colon", "100%", "{x}", "$PATH")


@pytest.mark.parametrize(
    "name", [" ".join(ODD[:4]), "".join(ODD[4:]), *(pytest.param(name, marks=pytest.mark.campaign) for name in ODD)]
)
def test_names_that_work(play: Playground, name: str, other_database: Callable[[], str]) -> None:
    play.hop("new", name, "--devel", "--package", "pack").succeeds()
    place = play.inside(name)
    place.release("patch", {"01.sql": "CREATE TABLE a (id integer);"})
    assert place.releases() == ["0.0.0", "0.0.1"]
    assert (place.folder / f"Releases/{name}-0.0.1.sql").exists()


class TestGit:
    def test_second_of_a_level(self, unchanged: Playground) -> None:
        unchanged.hop("prepare", "-l", "patch").fails(7, "already in preparation", "0.0.1", "git switch hop_0.0.1")

    def test_branch_that_exists(self, project: Playground) -> None:
        project.git("tag", "0.1.0")
        project.git("branch", "hop_0.2.0")
        project.hop("prepare", "-l", "minor").fails(7, "0.2.0")
        assert project.git("branch", "--show-current") == "hop_main"

    def test_tag_that_exists(self, patched: Playground) -> None:
        patched.git("tag", "0.0.1")
        before = patched.refs()
        patched.hop("release").fails(7, "0.0.1", "already released")
        assert patched.refs() == before

    def test_no_origin(self, unchanged: Playground) -> None:
        unchanged.hop("release", "--push").fails(4, "no origin", "git remote add origin")
        unchanged.hop("prepare", "-l", "minor", "--push").fails(4, "no origin")

    def test_rejected_push(self, unchanged: Playground) -> None:
        origin = unchanged.folder.parent / "origin.git"
        unchanged.git("init", "--quiet", "--bare", "--initial-branch=hop_main", str(origin))
        unchanged.git("remote", "add", "origin", str(origin))
        unchanged.git("push", "--quiet", "origin", "hop_main")
        hook = origin / "hooks/pre-receive"
        hook.write_text("#!/bin/sh\necho 'not on a Friday' >&2\nexit 1\n")
        hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
        for command in (("release", "-p"), ("prepare", "-l", "minor", "-p")):
            unchanged.hop(*command).fails(4, "origin refused the push", "not on a Friday")
            assert unchanged.git("status", "--porcelain") == ""
        unchanged.git("update-ref", "-d", "refs/remotes/origin/hop_main")
        unchanged.git("remote", "remove", "origin")

    def test_origin_that_does_not_answer(self, unchanged: Playground) -> None:
        unchanged.git("remote", "add", "origin", "https://user:secret@localhost:1/x.git")
        found = unchanged.hop("release").fails(4, "origin does not answer")
        assert "secret" not in found.err
        unchanged.git("remote", "remove", "origin")

    def test_rebase_conflict(self, patched: Playground) -> None:
        patched.git("switch", "--quiet", "hop_main")
        patched.write("tests/test_x.py", "main\n")
        patched.commit("main goes on")
        patched.git("switch", "--quiet", "hop_0.0.1")
        patched.write("tests/test_x.py", "release\n")
        patched.commit("so does the release")
        before = patched.refs()
        for command in ("apply", "release"):
            patched.hop(command).fails(4, "cannot be rebased", "tests/test_x.py", "undone", "git rebase hop_main")
            assert patched.refs() == before
            assert patched.git("status", "--porcelain") == ""

    def test_nobody(self, patched: Playground) -> None:
        place = patched.with_variables(
            GIT_AUTHOR_NAME="", GIT_COMMITTER_NAME="", GIT_AUTHOR_EMAIL="", GIT_COMMITTER_EMAIL="", EMAIL=""
        )
        patched.git("config", "user.useConfigOnly", "true")
        before = patched.refs()
        place.hop("release").fails(4, "who you are", "git config --global user.name")
        assert patched.refs() == before


class TestServer:
    def test_server_down(self, unchanged: Playground) -> None:
        place = replace(unchanged, url="postgresql://me:secret@localhost:1/shop")
        for command in ("apply", "undo", "status", "release", "sync-package"):
            found = place.hop(command).fails(5, "no connection", "localhost:1", "me:***")
            assert "secret" not in found.out + found.err

    def test_wrong_url(self, unchanged: Playground) -> None:
        uneven, wordy = "postgresql:///x?host=a,b&port=1,2,3", "postgresql://u:secret@h/x?port=y"
        for url in ("mysql://root@localhost/x", "not a url, my secret", uneven, wordy):
            found = replace(unchanged, url=url).hop("apply").fails(3, "HOP_DATABASE_URL")
            assert "secret" not in found.err

    def test_missing_privilege(self, patched: Playground, database_name: str) -> None:
        role = f"{database_name}_role"
        patched.sql(f"CREATE ROLE {role} LOGIN")
        try:
            url = make_url(patched.url).set(username=role).render_as_string(hide_password=False)
            before = patched.databases()
            replace(patched, url=url).hop("apply").fails(5, "privilege is missing")
            assert patched.databases() == before
        finally:
            patched.sql(f"DROP ROLE {role}")

    def test_database_that_does_not_exist(self, play: Playground) -> None:
        play.hop("new", "shop").fails(5, "there is no database", "--devel")
        assert list(play.folder.iterdir()) == []
        assert play.databases() == set()

    def test_folder_that_exists(self, play: Playground) -> None:
        play.write("shop/mine.txt", "mine")
        play.hop("new", "shop", "--devel").fails(3, "exists already", "not touched")
        assert play.read("shop/mine.txt") == "mine"
        assert play.databases() == set()


FILES = {
    "not UTF-8": (b"SELECT 1;\nSELECT 'caf\xe9';\n", ":2:12:", "not UTF-8"),
    "empty": (b"", "has no statement"),
    "only a comment": (b"-- later\n", "has no statement"),
    "syntax error in line 2 of statement 3": (
        b"SELECT 1;\nSELECT 2;\nSELECT\n  3 FORM b;\n",
        ":4:10:",
        "syntax error",
        '"b"',
    ),
    "failure while running": (b"SELECT 1;\n\nSELECT 1 / 0;\n", ":3:1:", "division by zero"),
    "COMMIT": (b"CREATE TABLE b ();\nCOMMIT;\n", ":2:1:", "COMMIT is not for a patch file"),
    "COMMIT in a DO block": (b"DO $$ BEGIN COMMIT; END $$;\n", ":1:1:", "invalid transaction termination"),
    "begin": (b"begin;\nCREATE TABLE b ();\nend;\n", ":1:1:", "BEGIN is not for a patch file"),
    "CREATE INDEX CONCURRENTLY": (b"CREATE INDEX CONCURRENTLY ON a (id);\n", ":1:1:", "needs a name"),
    "unterminated quote": (b"SELECT 'x;\n", ":1:8:", "untermin"),
    "psql command": (b"\\i other.sql\n", ":1:1:", "psql"),
    "broken row of COPY": (b"COPY a FROM stdin;\n1\nx\n\\.\n", ":3:1:", "invalid input syntax"),
    "unknown name with position": ("SELECT 'é', nope;\n".encode(), ":1:13:", "nope"),
}


class TestPatchFiles:
    @pytest.mark.parametrize("case", FILES)
    def test_sql_that_fails(self, unchanged: Playground, case: str) -> None:
        content, *words = FILES[case]
        unchanged.write("Patches/0/0/1/02_bad.sql", content)
        found = unchanged.hop("apply").fails(1, "Patches/0/0/1/02_bad.sql", *words)
        if ":" in words[0]:
            assert " | " in found.err, "the line is shown"

    def test_sql_that_works(self, patched: Playground) -> None:
        patched.write(
            "Patches/0/0/1/02_good.sql",
            "INSERT INTO a SELECT 10 % 3 WHERE 'a%b' LIKE '%b' AND '%(x)s' <> ':name';\n"
            "CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN ':name; %s'; END $$;\n"
            "COPY a FROM stdin;\n41\n42\n\\.\n"
            "SELECT id::text FROM a",
        )
        patched.hop("apply").succeeds()
        assert patched.sql("SELECT id FROM a ORDER BY id") == [(1,), (41,), (42,)]
        assert patched.sql("SELECT f()") == [(":name; %s",)]

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("def apply(connection):\n    raise ValueError('no such bike')\n", (":2:", "ValueError", "no such bike")),
            ("def apply(connection):\n    return 1 +\n", (":2:", "invalid syntax")),
            ("def run(connection):\n    pass\n", ("no function apply(connection)",)),
            ("", ("is empty",)),
            ("import nowhere_to_be_found\n\ndef apply(c):\n    pass\n", (":1:", "nowhere_to_be_found")),
            ("def apply(c):\n    c.commit()\n", ("ends the transaction",)),
            ("def apply(c):\n    c.exec_driver_sql('COMMIT')\n", ("ends the transaction",)),
            (
                "async def apply(c):\n    c.exec_driver_sql('SELECT 1')\n",
                ("is a coroutine or a generator", "def"),
            ),
            ("def apply(c):\n    yield c.exec_driver_sql('SELECT 1')\n", ("is a coroutine or a generator",)),
            ("def apply(c):\n    raise SystemExit(0)\n", ("exit(0)",)),
            ("def apply(c):\n    c.exec_driver_sql('SELECT nope')\n", (":2:", "nope")),
        ],
    )
    def test_python_that_fails(self, unchanged: Playground, text: str, words: tuple[str, ...]) -> None:
        unchanged.write("Patches/0/0/1/02_bad.py", text)
        unchanged.hop("apply").fails(1, "Patches/0/0/1/02_bad.py", *words)

    def test_failing_tests(self, unchanged: Playground) -> None:
        unchanged.write("tests/test_it.py", "def test_it():\n    assert 1 == 2\n")
        unchanged.commit("a test")
        before = unchanged.refs()
        found = unchanged.hop("release").fails(9, "tests failed", "1 failed")
        assert "assert 1 == 2" in found.out
        assert unchanged.refs() == before
        unchanged.git("reset", "--quiet", "--hard", "HEAD^")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_in_the_middle(unchanged: Playground, number: signal.Signals, code: int) -> None:
    """The statement that runs is cancelled at once, and nothing is left of it."""
    unchanged.write("Patches/0/0/1/02_long.sql", "CREATE TABLE long ();\nSELECT pg_sleep(100);\n")
    process = unchanged.start(HOP, "apply")
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(100)%' AND state = 'active'"
    deadline = time.monotonic() + 60
    maintenance = make_url(unchanged.url).set(database="postgres").render_as_string(hide_password=False)
    while not unchanged.sql(asleep, maintenance)[0][0]:
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert err.splitlines()[-1].startswith(f"hop: interrupted by {number.name}; what was begun was rolled back")
    assert unchanged.sql(asleep, maintenance) == [(0,)]
    (unchanged.folder / "Patches/0/0/1/02_long.sql").unlink()
