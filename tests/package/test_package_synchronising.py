"""What happens to the files of a package."""

from __future__ import annotations

import fcntl
import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from hop_tasks.errors import ProjectError
from hop_tasks.package import (
    BEGIN_KEPT,
    END_KEPT,
    GENERATED_MARK,
    KEPT_MARK,
    ONCE_MARK,
    differences,
    find_generator,
    generated_files,
    synchronise,
)
from tests.package.support import KEPT_MODULE, FixedGenerator

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection
    from hop_tasks.package import Synchronised

NO_CONNECTION = cast("Connection", SimpleNamespace(core=None))
OURS = f'"""{GENERATED_MARK}"""\n'
BEGIN, END = BEGIN_KEPT.decode(), END_KEPT.decode()
KEPT = KEPT_MODULE
ONCE = f'"""{ONCE_MARK}"""\nZ = 1\n'
BOTH = {"a.py": OURS, "b.py": OURS}


def write(folder: Path, modules: Mapping[str, str] | None = None) -> Synchronised:
    return synchronise(
        folder, NO_CONNECTION, FixedGenerator({"tables.py": OURS + "X = 1\n"} if modules is None else modules), None
    )


def text_of(path: Path) -> str:
    """What a file says, without its seal."""
    return re.sub(r" \[sha256 [0-9a-f]{32}\]", "", path.read_bytes().decode(), count=1)


def names(folder: Path) -> list[str]:
    """The files of a package, by their paths."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "src" / "shop"


class TestWriting:
    def test_a_package_is_made_when_there_is_none(self, folder: Path) -> None:
        result = write(folder)
        assert result.written == (folder / "__init__.py", folder / "tables.py")
        assert result.unchanged == ()
        assert (folder / "__init__.py").read_text() == '"""The Python package of this project."""\n'
        assert text_of(folder / "tables.py") == OURS + "X = 1\n"
        assert sorted(path.name for path in folder.iterdir()) == ["__init__.py", "tables.py"]

    def test_an_existing_package_keeps_its_own_modules(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("VERSION = 1\n")
        assert write(folder).written == (folder / "tables.py",)
        assert (folder / "__init__.py").read_text() == "VERSION = 1\n"

    def test_a_module_in_step_is_not_touched(self, folder: Path) -> None:
        write(folder)
        os.utime(folder / "tables.py", (1, 1))
        result = write(folder)
        assert result.written == ()
        assert result.unchanged == (folder / "tables.py",)
        assert (folder / "tables.py").stat().st_mtime == 1

    def test_differences_are_what_would_be_done_and_nothing_is(self, folder: Path) -> None:
        def found(modules: Mapping[str, str]) -> tuple[Path, ...]:
            return differences(folder, NO_CONNECTION, FixedGenerator(modules), None)

        assert found(BOTH) == (folder / "__init__.py", folder / "a.py", folder / "b.py")
        assert not folder.exists()
        write(folder, BOTH)
        assert found(BOTH) == ()
        assert found({"a.py": OURS + "X = 2\n"}) == (folder / "a.py", folder / "b.py")
        assert names(folder) == ["__init__.py", "a.py", "b.py"]
        assert text_of(folder / "a.py") == OURS

    def test_a_rewritten_module_keeps_its_mode_and_a_new_one_has_the_usual(self, folder: Path) -> None:
        before = os.umask(0o027)
        try:
            write(folder)
        finally:
            os.umask(before)
        assert stat.S_IMODE((folder / "tables.py").stat().st_mode) == 0o640
        (folder / "tables.py").chmod(0o604)
        write(folder, {"tables.py": OURS + "X = 2\n"})
        assert stat.S_IMODE((folder / "tables.py").stat().st_mode) == 0o604

    def test_a_link_stays_a_link(self, folder: Path, tmp_path: Path) -> None:
        write(folder)
        elsewhere = tmp_path / "elsewhere.py"
        (folder / "tables.py").rename(elsewhere)
        (folder / "tables.py").symlink_to(elsewhere)
        write(folder, {"tables.py": OURS + "X = 2\n"})
        assert (folder / "tables.py").is_symlink()
        assert text_of(elsewhere) == OURS + "X = 2\n"

    def test_modules_in_subpackages_can_be_imported(self, folder: Path) -> None:
        result = write(folder, {"models/person.py": OURS})
        written = [path.relative_to(folder).as_posix() for path in result.written]
        assert written == ["__init__.py", "models/__init__.py", "models/person.py"]

    def test_a_generator_may_write_the_packages_own_module(self, folder: Path) -> None:
        write(folder, {"__init__.py": OURS, "tables.py": OURS})
        assert text_of(folder / "__init__.py") == OURS

    def test_the_module_that_hop_made_for_a_package_is_hops(self, folder: Path) -> None:
        write(folder)
        write(folder, {"__init__.py": OURS})
        assert text_of(folder / "__init__.py") == OURS

    def test_other_files_than_modules_can_be_generated(self, folder: Path) -> None:
        write(folder, {"views.sql": f"-- {GENERATED_MARK}\nSELECT 1;\n"})
        assert write(folder, {}).removed == (folder / "views.sql",)

    @pytest.mark.parametrize(
        ("modules", "message"),
        [
            ({"tables.py": OURS + "def = 1\n"}, "which is not Python"),
            ({"tables.py": OURS + "\0"}, "which is not Python"),
            ({"tables.py": "X = 1\n"}, "without the line"),
            ({"../tables.py": OURS}, "outside the package"),
            ({"/tables.py": OURS}, "outside the package"),
        ],
    )
    def test_what_no_package_can_hold_is_refused_before_anything_is_written(
        self, folder: Path, modules: dict[str, str], message: str
    ) -> None:
        write(folder)
        with pytest.raises(ProjectError, match=message):
            write(folder, {"a.py": OURS, **modules})
        assert names(folder) == ["__init__.py", "tables.py"]
        assert text_of(folder / "tables.py") == OURS + "X = 1\n"

    def test_the_generator_none_leaves_the_package_to_the_user(self, folder: Path) -> None:
        write(folder)
        result = synchronise(folder, NO_CONNECTION, find_generator("none"), None)
        assert result.written == result.unchanged == result.removed == ()
        assert differences(folder, NO_CONNECTION, find_generator("none"), None) == ()
        assert names(folder) == ["__init__.py", "tables.py"]


class TestRemoving:
    def test_what_is_no_longer_given_goes_and_its_folder_too(self, folder: Path) -> None:
        write(folder, {"a/b/c.py": OURS, "a/d.py": OURS})
        cache = folder / "a/b/__pycache__"
        cache.mkdir()
        (cache / "c.cpython-311.pyc").write_bytes(b"")
        result = write(folder, {"a/d.py": OURS})
        assert result.removed == (folder / "a/b/c.py",)
        assert names(folder) == ["__init__.py", "a/__init__.py", "a/d.py"]
        assert not (folder / "a/b").exists()
        assert write(folder, {}).removed == (folder / "a/d.py",)
        assert names(folder) == ["__init__.py"]

    def test_what_is_the_users_stays_and_so_does_its_folder(self, folder: Path) -> None:
        write(folder, {"a/b.py": OURS})
        (folder / "a/mine.py").write_text("MINE = 1\n")
        (folder / "a/__init__.py").write_text("import a.mine\n")
        assert write(folder, {}).removed == (folder / "a/b.py",)
        assert names(folder) == ["__init__.py", "a/__init__.py", "a/mine.py"]

    def test_a_file_that_was_changed_is_left_and_named(self, folder: Path) -> None:
        write(folder, BOTH)
        changed = (folder / "b.py").read_bytes() + b"# mine\n"
        (folder / "b.py").write_bytes(changed)
        result = write(folder, {"a.py": OURS})
        assert (result.removed, result.left) == ((), (folder / "b.py",))
        assert (folder / "b.py").read_bytes() == changed

    def test_a_copy_of_a_generated_file_is_the_users(self, folder: Path) -> None:
        write(folder)
        (folder / "old.py").write_bytes((folder / "tables.py").read_bytes())
        assert write(folder).removed == ()
        assert names(folder) == ["__init__.py", "old.py", "tables.py"]

    def test_the_packages_own_module_becomes_a_plain_one(self, folder: Path) -> None:
        write(folder, {"__init__.py": OURS + "X = 1\n"})
        result = write(folder, {"a.py": OURS})
        assert (result.written, result.removed) == ((folder / "__init__.py", folder / "a.py"), ())
        assert (folder / "__init__.py").read_text() == '"""The Python package of this project."""\n'

    def test_what_lies_in_folders_of_tools_is_not_looked_at(self, folder: Path) -> None:
        write(folder)
        for name in (".cache", "__pycache__"):
            (folder / name).mkdir()
            (folder / name / "a.py").write_text(OURS)
        assert write(folder).left == ()


class TestRefusing:
    """Nothing that a person wrote is lost: all is refused, and nothing written."""

    @pytest.mark.parametrize("content", ["", "import os\n", "\n" * 20 + OURS], ids=["empty", "code", "mark far below"])
    def test_a_file_that_hop_did_not_write(self, folder: Path, content: str) -> None:
        folder.mkdir(parents=True)
        (folder / "tables.py").write_text(content)
        modules = {"a.py": OURS, "tables.py": OURS}
        with pytest.raises(ProjectError, match=r"shop/tables\.py was not written by hop") as caught:
            write(folder, modules)
        assert "remove tables.py" in str(caught.value)
        with pytest.raises(ProjectError, match="not written by hop"):
            differences(folder, NO_CONNECTION, FixedGenerator(modules), None)
        assert [path.name for path in folder.iterdir()] == ["tables.py"]
        assert (folder / "tables.py").read_text() == content

    @pytest.mark.parametrize("change", ["below", "within", "above"])
    def test_a_generated_file_that_was_changed(self, folder: Path, change: str) -> None:
        write(folder, BOTH)
        content = (folder / "b.py").read_text()
        changed = {
            "below": content + "def mine():\n    pass\n",
            "within": content.replace("do not edit", "do not edit it"),
            "above": "# Licence: MIT\n" + content,
        }[change]
        (folder / "b.py").write_text(changed)
        with pytest.raises(ProjectError, match=r"b\.py was (changed since|not written).*; nothing was written"):
            write(folder, {"a.py": OURS + "X = 2\n", "b.py": OURS + "X = 2\n"})
        assert (folder / "b.py").read_text() == changed
        assert text_of(folder / "a.py") == OURS

    def test_other_line_ends_are_no_change(self, folder: Path) -> None:
        write(folder)
        (folder / "tables.py").write_bytes((folder / "tables.py").read_bytes().replace(b"\n", b"\r\n"))
        assert write(folder).unchanged == (folder / "tables.py",)
        assert write(folder, {"tables.py": OURS}).written == (folder / "tables.py",)

    def test_a_module_that_a_folder_would_hide(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "tables.py").write_text("MINE = 1\n")
        with pytest.raises(ProjectError, match=r"tables\.py was not written by hop and would be hidden by.* tables/"):
            write(folder, {"tables/public.py": OURS})
        assert names(folder) == ["tables.py"]

    def test_a_generated_module_that_a_folder_takes_the_place_of_goes(self, folder: Path) -> None:
        write(folder)
        assert write(folder, {"tables/public.py": OURS}).removed == (folder / "tables.py",)
        assert write(folder).removed == (folder / "tables/public.py",)
        assert names(folder) == ["__init__.py", "tables.py"]

    def test_a_failure_while_writing_names_the_file_and_leaves_the_old_text_alone(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(folder)

        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "replace", fail)
        with pytest.raises(ProjectError, match=r"tables\.py cannot be read or written: No space left on device"):
            write(folder, {"tables.py": OURS + "X = 2\n"})
        assert text_of(folder / "tables.py") == OURS + "X = 1\n"
        assert sorted(path.name for path in folder.iterdir()) == ["__init__.py", "tables.py"]

    def test_a_file_where_the_package_should_be_is_named(self, folder: Path) -> None:
        folder.parent.mkdir()
        folder.write_text("")
        with pytest.raises(ProjectError, match="cannot be read or written: Not a directory"):
            write(folder)


class TestKeeping:
    """Files with a part for the user, and those that are the user's from the first."""

    MINE = (b"import os\r\n", b"    odd = '\xc3\xa9'  # \ttab\n\n\n", b"    def m(self):\n        pass\n   \n#no end")

    def with_code(self, folder: Path) -> bytes:
        """The package with code of the user's between all markers, and what the file is then."""
        write(folder, {"a.py": KEPT})
        first, second, rest = (folder / "a.py").read_bytes().split(END_KEPT)
        rest, _, _ = rest.rpartition(BEGIN_KEPT)
        begin = BEGIN_KEPT + b"\n"
        head, _, _ = first.partition(begin)
        middle, _, _ = second.partition(begin)
        content = (
            head + begin + self.MINE[0] + END_KEPT + middle + begin + self.MINE[1] + b"    " + END_KEPT
            + rest + begin + self.MINE[2]
        )  # fmt: skip
        (folder / "a.py").write_bytes(content)
        return content

    def test_the_users_code_stays_to_the_byte(self, folder: Path) -> None:
        content = self.with_code(folder)
        assert write(folder, {"a.py": KEPT}).unchanged == (folder / "a.py",)
        assert (folder / "a.py").read_bytes() == content
        new = KEPT.replace("X = 1", "X = 2\nW = 3").replace("y = 2", "y = 4")
        assert write(folder, {"a.py": new}).written == (folder / "a.py",)
        now = (folder / "a.py").read_bytes()
        assert [part in now for part in self.MINE] == [True] * 3
        assert now.endswith(self.MINE[2])
        assert b"X = 2\nW = 3\n" in now and b"y = 4\n" in now
        assert write(folder, {"a.py": KEPT}).written == (folder / "a.py",)
        assert (folder / "a.py").read_bytes() == content, "there and back"

    def test_code_of_the_users_that_is_no_python_is_kept_too(self, folder: Path) -> None:
        write(folder, {"a.py": KEPT})
        path = folder / "a.py"
        path.write_bytes(path.read_bytes() + b"<<<<<<< half done\n")
        write(folder, {"a.py": KEPT.replace("X = 1", "X = 2")})
        assert path.read_bytes().endswith(b"<<<<<<< half done\n")

    @pytest.mark.parametrize(
        ("old", "new"), [(BEGIN, "# begin"), (END, ""), ("X = 1", "X = 5")], ids=["begin", "end", "outside"]
    )
    def test_what_was_changed_outside_is_not_lost(self, folder: Path, old: str, new: str) -> None:
        self.with_code(folder)
        content = (folder / "a.py").read_bytes().replace(old.encode(), new.encode(), 1)
        (folder / "a.py").write_bytes(content)
        with pytest.raises(ProjectError, match=r"a\.py was changed since hop wrote it"):
            write(folder, {"a.py": KEPT.replace("X = 1", "X = 2")})
        assert (folder / "a.py").read_bytes() == content

    def test_a_file_with_code_is_neither_removed_nor_replaced(self, folder: Path) -> None:
        content = self.with_code(folder)
        assert write(folder, {}).left == (folder / "a.py",)
        with pytest.raises(ProjectError, match="with your code between its markers"):
            write(folder, {"a.py": OURS})
        with pytest.raises(ProjectError, match="more or fewer markers"):
            write(folder, {"a.py": f'"""{KEPT_MARK}"""\n{BEGIN}\n'})
        assert (folder / "a.py").read_bytes() == content

    def test_one_without_code_goes(self, folder: Path) -> None:
        write(folder, {"a.py": KEPT})
        assert write(folder, {}).removed == (folder / "a.py",)

    def test_what_is_written_once_is_the_users_then(self, folder: Path) -> None:
        write(folder, {"a.py": ONCE})
        assert write(folder, {"a.py": ONCE + "# new\n"}).unchanged == (folder / "a.py",)
        assert text_of(folder / "a.py") == ONCE
        (folder / "a.py").write_text("mine\n")
        assert write(folder, {"a.py": ONCE}).unchanged == (folder / "a.py",)
        assert (folder / "a.py").read_text() == "mine\n"

    def test_what_is_written_once_goes_only_as_it_was(self, folder: Path) -> None:
        write(folder, {"a.py": ONCE, "b.py": ONCE})
        (folder / "b.py").write_text((folder / "b.py").read_text() + "mine = 1\n")
        result = write(folder, {})
        assert (result.removed, result.left) == ((folder / "a.py",), (folder / "b.py",))

    def test_only_what_is_made_anew_counts_as_generated(self, folder: Path) -> None:
        write(folder, {"a.py": OURS, "b.py": KEPT, "c.py": ONCE})
        assert generated_files(folder) == (folder / "a.py",)


class TestInterruption:
    """Killed at any point, the next run ends where the first would have ended."""

    SCRIPT = """
import sys
from pathlib import Path
from tests.package.test_package_synchronising import OURS, write
write(Path(sys.argv[1]), {name: OURS + "X = 2\\n" for name in ("a.py", "b.py", "c.py")})
"""

    @pytest.mark.parametrize("place", ["package.staged", "package.between_files"])
    def test_what_a_killed_run_leaves(self, folder: Path, tmp_path: Path, place: str) -> None:
        write(folder, {"a.py": OURS, "b.py": OURS, "old.py": OURS})
        stop = tmp_path / "stop"
        stop.mkdir()
        environment = {**os.environ, "HOP_TESTING_CHECKPOINT": f"{place}={stop}"}
        root = Path(__file__).parents[2]
        with subprocess.Popen([sys.executable, "-c", self.SCRIPT, folder], cwd=root, env=environment) as process:
            try:
                deadline = time.monotonic() + 30
                while not (stop / "reached").exists() and time.monotonic() < deadline:
                    time.sleep(0.005)
            finally:
                process.kill()
        assert (stop / "reached").exists()
        assert (folder / ".hop-staging").exists()
        for name in ("a.py", "b.py"):
            assert text_of(folder / name) in (OURS, OURS + "X = 2\n"), "whole, old or new"
        write(folder, dict.fromkeys(("a.py", "b.py", "c.py"), OURS + "X = 2\n"))
        assert names(folder) == ["__init__.py", "a.py", "b.py", "c.py"]
        assert {text_of(folder / name) for name in ("a.py", "b.py", "c.py")} == {OURS + "X = 2\n"}

    def test_leftovers_go_when_there_is_nothing_to_write_too(self, folder: Path) -> None:
        write(folder)
        (folder / ".hop-staging").mkdir()
        (folder / ".hop-staging/0").write_text("half")
        assert write(folder).written == ()
        assert names(folder) == ["__init__.py", "tables.py"]

    def test_two_at_once_write_one_after_the_other(self, folder: Path, tmp_path: Path) -> None:
        write(folder, {"a.py": OURS})
        staging = folder / ".hop-staging"
        staging.mkdir()
        (staging / "0").write_text("of the other one")
        descriptor = os.open(staging, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        root = Path(__file__).parents[2]
        with subprocess.Popen([sys.executable, "-c", self.SCRIPT, folder], cwd=root) as process:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1)
            assert (staging / "0").read_text() == "of the other one"
            os.close(descriptor)
            assert process.wait(30) == 0
        assert names(folder) == ["__init__.py", "a.py", "b.py", "c.py"]
