"""`hop init`: version tracking in a repository that has code, a main branch and habits of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.playground import Playground
from tests.workflows.shelf import CUSTOMER, SCHEMA, Shelf, database_of, maintain

PYPROJECT = b"""# ours \xe2\x80\x94 do not reorder
[project]
name='bikes'   # odd spacing stays
version = "3.1.4"

[tool.ruff]
line-length=99
"""
OWN_FILES = {
    "tasks.py": b"from invoke import task\n\n\n@task\ndef ours(c):\n    print('ours')\n",
    ".gitignore": b"*.log\r\n/build/\r\n",
    "README.md": b"# Bikes\n\nno newline at the end",
    "src/main.py": b"import sys\n",
    "bikes/__init__.py": b'"""Our own package."""\nANSWER = 42\n',
    "bikes/gears.py": b"GEARS = 21\r\n",
    "data/icon.bin": bytes(range(256)),
}
REFUSE_REGISTRY = """
CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no new schemas here'; END $$;
CREATE EVENT TRIGGER no_schemas ON ddl_command_start WHEN TAG IN ('CREATE SCHEMA') EXECUTE FUNCTION refuse();
"""


@pytest.fixture
def bikes(play: Playground) -> Playground:
    """A repository with code on `main`, and a database with rows."""
    place = repository(play)
    maintain(place, f"CREATE DATABASE {database_of(place)}")
    place.sql(SCHEMA)
    return place


def repository(play: Playground, **changed: bytes) -> Playground:
    (play.folder / "bikes").mkdir()
    place = play.inside("bikes")
    place.git("init", "--quiet", "--initial-branch=main")
    for path, content in {"pyproject.toml": PYPROJECT, **OWN_FILES, **changed}.items():
        place.write(path, content)
    (place.folder / "src/main.py").chmod(0o755)
    place.commit("our code")
    place.git("tag", "v3.1.4")
    return place


def contents(place: Playground) -> dict[str, tuple[bytes, int]]:
    """Path -> bytes and mode of every file but git's."""
    return {
        path.relative_to(place.folder).as_posix(): (path.read_bytes(), path.stat().st_mode)
        for path in place.folder.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(place.folder).parts
    }


def folders(place: Playground) -> set[Path]:
    return {path for path in place.folder.rglob("*") if path.is_dir() and ".git" not in path.parts}


def founded(shelf: Shelf, play: Playground) -> Playground:
    """The repository after `hop init --devel`."""
    place = repository(play)
    maintain(place, f"CREATE DATABASE {database_of(place)}")
    place.sql(SCHEMA)
    place.hop("init", "--devel").succeeds()
    return place


class TestEmbedding:
    @pytest.fixture
    def place(self, shelf: Shelf) -> Playground:
        return shelf.shared(founded)

    def test_own_files_are_byte_for_byte_as_before(self, place: Playground) -> None:
        now = contents(place)
        assert {path: now[path][0] for path in OWN_FILES} == OWN_FILES
        assert now["src/main.py"][1] & 0o777 == 0o755
        assert place.git("diff", "--name-status", "v3.1.4", "HEAD", "--diff-filter=MD") == "M\tpyproject.toml"

    def test_pyproject_only_gains_the_table(self, place: Playground) -> None:
        text = contents(place)["pyproject.toml"][0]
        assert text.startswith(PYPROJECT)
        added = text[len(PYPROJECT) :].decode().strip().splitlines()
        assert added[0] == "[tool.hop]"
        assert {'name = "bikes"', "devel = true", 'main_branch = "main"'} <= set(added)
        assert "url" not in text.decode(), "a URL from the environment is not stored"

    def test_all_of_it_is_one_commit_on_the_branch_that_was_checked_out(self, place: Playground) -> None:
        assert place.git("branch", "--format=%(refname:short)") == "main"
        assert place.git("rev-list", "--count", "v3.1.4..main") == "1"
        assert place.git("rev-parse", "0.0.0^{commit}") == place.git("rev-parse", "main")
        assert place.git("status", "--porcelain") == ""
        assert place.releases() == ["0.0.0"]
        assert place.sql("SELECT count(*) FROM product") == [(3,)]

    def test_the_package_that_was_there_gains_the_tables(self, place: Playground) -> None:
        code = "import bikes, bikes.tables as t; print(bikes.ANSWER, t.t_product.name)"
        assert place.run(sys.executable, "-c", code).succeeds().out.split() == ["42", "product"]

    def test_releases_go_to_main(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(founded, play)
        place.release("minor", {"01.sql": CUSTOMER})
        assert place.git("branch", "--format=%(refname:short)") == "main"
        assert place.git("rev-parse", "0.1.0^{commit}") == place.git("rev-parse", "main")
        assert place.git("rev-list", "--merges", "--count", "main") == "0"
        assert contents(place)["bikes/gears.py"][0] == OWN_FILES["bikes/gears.py"]


def test_line_ends_of_windows_in_pyproject_stay(play: Playground) -> None:
    before = PYPROJECT.replace(b"\n", b"\r\n")
    place = repository(play, **{"pyproject.toml": before})
    place.hop("init", "--devel").succeeds()
    assert contents(place)["pyproject.toml"][0].startswith(before)


def test_a_repository_without_pyproject_gets_one(play: Playground) -> None:
    place = repository(play)
    place.git("rm", "--quiet", "pyproject.toml", "tasks.py")
    place.commit("neither")
    place.hop("init", "--devel", "--name", "two wheels", "--package", "wheels").succeeds()
    assert place.read("pyproject.toml").startswith('[tool.hop]\nname = "two wheels"\npackage = "wheels"\n')
    assert "from hop_tasks.tasks import *" in place.read("tasks.py")
    assert place.git("status", "--porcelain") == ""


def test_tracking_is_switched_on_later(bikes: Playground) -> None:
    """Without --devel nothing is committed and nothing written to the database; --devel then adds the rest."""
    head = bikes.git("rev-parse", "HEAD")
    done = bikes.hop("init").succeeds()
    assert "without version tracking" in done.out
    assert bikes.git("rev-parse", "HEAD") == head
    assert bikes.git("tag").split() == ["v3.1.4"]
    assert bikes.sql("SELECT to_regnamespace('half_orm_meta')") == [(None,)]
    assert not (bikes.folder / "Patches").exists()
    bikes.hop("prepare", "-l", "patch").fails(6, "hop init --devel")
    bikes.commit("hop, for the package")
    before = bikes.read("pyproject.toml")

    bikes.hop("init", "--devel").succeeds()
    assert bikes.git("status", "--porcelain") == ""
    assert bikes.releases() == ["0.0.0"]
    assert bikes.git("tag").split() == ["0.0.0", "v3.1.4"]
    changed = set(bikes.read("pyproject.toml").splitlines()) - set(before.splitlines())
    assert "devel = true" in changed
    assert bikes.read("pyproject.toml").startswith(PYPROJECT.decode())
    bikes.hop("prepare", "-l", "patch").succeeds()
    assert bikes.git("branch", "--show-current") == "hop_0.0.1"


class TestRefused:
    """Nothing is changed then: files, folders, refs, databases."""

    def refused(self, place: Playground, code: int, *words: str, flags: tuple[str, ...] = ("--devel",)) -> None:
        before = contents(place), folders(place), place.databases()
        refs = place.refs() if (place.folder / ".git").exists() else ""
        place.hop("init", *flags).fails(code, *words)
        assert (contents(place), folders(place), place.databases()) == before
        assert refs == (place.refs() if refs else "")

    def test_not_a_repository(self, play: Playground) -> None:
        play.write("bikes/pyproject.toml", PYPROJECT)
        self.refused(play.inside("bikes"), 4, "not a Git repository", "git init")

    def test_states_of_the_repository(self, play: Playground) -> None:
        place = repository(play)
        self.refused(place.inside("src"), 4, "not the top", flags=("--devel", "--name", "bikes"))
        place.write("notes.txt", "later")
        self.refused(place, 4, "not clean", "notes.txt")
        (place.folder / "notes.txt").unlink()
        place.git("switch", "--quiet", "--detach")
        self.refused(place, 4, "detached")
        place.git("switch", "--quiet", "main")
        place.git("tag", "2.0.0")
        self.refused(place, 7, "2.0.0", "rename them")

    def test_a_repository_without_a_commit(self, play: Playground) -> None:
        (play.folder / "bikes").mkdir()
        place = play.inside("bikes")
        place.git("init", "--quiet")
        self.refused(place, 4, "no commit yet")

    @pytest.mark.parametrize("flags", [(), ("--devel",)], ids=["plain", "devel"])
    def test_a_project_already(self, shelf: Shelf, flags: tuple[str, ...]) -> None:
        place = shelf.shared(founded)
        self.refused(place, 3, "project already", flags=flags)
        assert place.releases() == ["0.0.0"]

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"tool = {other = {x = 1}}\n", "[tool.hop] cannot be added"),
            (b"[project\nname = 'bikes'\n", "pyproject.toml"),
            (b"name = 'caf\xe9'\n", "pyproject.toml"),
        ],
        ids=["inline table", "not TOML", "not UTF-8"],
    )
    def test_a_pyproject_that_cannot_be_added_to(self, play: Playground, content: bytes, words: str) -> None:
        self.refused(repository(play, **{"pyproject.toml": content}), 3, words)

    def test_a_module_of_the_name_of_the_generated_one(self, bikes: Playground) -> None:
        bikes.write("bikes/tables.py", "# ours\n")
        bikes.commit()
        self.refused(bikes, 3, "bikes/tables.py", "not written by hop")


class TestFailure:
    """A step that fails leaves files, refs, and databases as they were."""

    def assert_undone(self, place: Playground, code: int, *words: str) -> None:
        before = contents(place), folders(place), place.refs(), place.databases()
        place.hop("init", "--devel").fails(code, *words)
        assert (contents(place), folders(place), place.refs(), place.databases()) == before
        assert place.git("status", "--porcelain", "--ignored") == ""

    def test_no_pg_dump(self, play: Playground) -> None:
        place = repository(play).with_variables(HOP_CLIENT_PROGRAMS="/nowhere")
        self.assert_undone(place, 5, "pg_dump")

    def test_the_commit_is_refused(self, play: Playground) -> None:
        place = repository(play)
        self.hook(place, "prepare-commit-msg", "echo 'error: closed on Mondays' >&2; exit 1")
        self.assert_undone(place, 4, "closed on Mondays")

    def test_the_tag_is_refused(self, play: Playground) -> None:
        place = repository(play)
        self.hook(place, "reference-transaction", "! grep -q refs/tags/0")
        self.assert_undone(place, 4, "update-ref")

    def test_the_registry_cannot_be_made(self, bikes: Playground) -> None:
        bikes.sql(REFUSE_REGISTRY)
        self.assert_undone(bikes, 5, "no new schemas here")
        assert bikes.sql("SELECT to_regnamespace('half_orm_meta'), (SELECT count(*) FROM product)") == [(None, 3)]

    def test_files_that_git_ignores_are_removed_as_well(self, play: Playground) -> None:
        place = repository(play, **{".gitignore": b"*.sql\n/Patches/\ntables/\n"})
        before = contents(place), folders(place)
        place.with_variables(HOP_CLIENT_PROGRAMS="/nowhere").hop("init", "--devel").fails(5, "pg_dump")
        assert (contents(place), folders(place)) == before
        self.hook(place, "prepare-commit-msg", "exit 1")
        place.hop("init", "--devel").fails(4)
        assert (contents(place), folders(place)) == before

    def hook(self, place: Playground, name: str, text: str) -> None:
        place.write(f".git/hooks/{name}", f"#!/bin/sh\n{text}\n").chmod(0o755)


def test_files_that_git_ignores_are_committed_nevertheless(play: Playground) -> None:
    """A .gitignore of the project's own must not keep the releases out of the history."""
    place = repository(play, **{".gitignore": b"*.sql\n/Patches/\n"})
    place.hop("init", "--devel").succeeds()
    assert "Releases/bikes-0.0.0.sql" in place.git("ls-tree", "-r", "--name-only", "0.0.0").split()
    assert "Patches/0/0/0/MANIFEST.json" in place.git("ls-tree", "-r", "--name-only", "0.0.0").split()
