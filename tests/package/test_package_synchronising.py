"""What happens to the files of a package."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from hop_tasks.errors import ProjectError
from hop_tasks.package import GENERATED_MARK, differences, find_generator, synchronise

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hop_tasks.package import Synchronised
    from hop_tasks.versions import Version

NO_CONNECTION = cast("Connection", None)
OURS = f'"""{GENERATED_MARK}"""\n'


@dataclass
class FixedGenerator:
    """Gives the same modules for every database."""

    modules: Mapping[str, str] = field(default_factory=lambda: {"tables.py": OURS + "X = 1\n"})
    name: str = "fixed"

    def generate(self, connection: Connection, release: Version | None) -> Mapping[str, str]:
        return self.modules


def write(folder: Path, modules: Mapping[str, str] | None = None) -> Synchronised:
    return synchronise(folder, NO_CONNECTION, FixedGenerator(modules) if modules else FixedGenerator(), None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "src" / "shop"


def test_a_package_is_made_when_there_is_none(folder: Path) -> None:
    result = write(folder)
    assert result.written == (folder / "__init__.py", folder / "tables.py")
    assert result.unchanged == ()
    assert (folder / "__init__.py").read_text() == '"""The Python package of this project."""\n'
    assert (folder / "tables.py").read_text() == OURS + "X = 1\n"
    assert sorted(path.name for path in folder.iterdir()) == ["__init__.py", "tables.py"]


def test_an_existing_package_keeps_its_own_modules(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("VERSION = 1\n")
    assert write(folder).written == (folder / "tables.py",)
    assert (folder / "__init__.py").read_text() == "VERSION = 1\n"


def test_a_module_in_step_is_not_touched(folder: Path) -> None:
    write(folder)
    os.utime(folder / "tables.py", (1, 1))
    result = write(folder)
    assert result.written == ()
    assert result.unchanged == (folder / "tables.py",)
    assert (folder / "tables.py").stat().st_mtime == 1


def test_differences_are_what_would_be_written_and_nothing_is(folder: Path) -> None:
    assert differences(folder, NO_CONNECTION, FixedGenerator(), None) == (folder / "__init__.py", folder / "tables.py")
    assert not folder.exists()
    write(folder)
    assert differences(folder, NO_CONNECTION, FixedGenerator(), None) == ()
    changed = FixedGenerator({"tables.py": OURS + "X = 2\n"})
    assert differences(folder, NO_CONNECTION, changed, None) == (folder / "tables.py",)
    assert (folder / "tables.py").read_text() == OURS + "X = 1\n"


@pytest.mark.parametrize("content", ["", "import os\n", "\n" * 20 + OURS], ids=["empty", "code", "mark far below"])
def test_a_file_that_hop_did_not_write_stops_everything(folder: Path, content: str) -> None:
    folder.mkdir(parents=True)
    (folder / "tables.py").write_text(content)
    modules = {"a.py": OURS, "tables.py": OURS}
    with pytest.raises(ProjectError, match=r"shop/tables\.py was not written by hop") as caught:
        write(folder, modules)
    assert "rename tables.py" in str(caught.value)
    with pytest.raises(ProjectError, match="not written by hop"):
        differences(folder, NO_CONNECTION, FixedGenerator(modules), None)
    assert [path.name for path in folder.iterdir()] == ["tables.py"]
    assert (folder / "tables.py").read_text() == content


def test_a_generated_module_below_a_licence_is_still_hops(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "tables.py").write_text("# Licence: MIT\n" + OURS)
    write(folder)
    assert (folder / "tables.py").read_text() == OURS + "X = 1\n"


def test_a_rewritten_module_keeps_its_mode_and_a_new_one_has_the_usual(folder: Path) -> None:
    before = os.umask(0o027)
    try:
        write(folder)
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "tables.py").stat().st_mode) == 0o640
    (folder / "tables.py").chmod(0o604)
    write(folder, {"tables.py": OURS + "X = 2\n"})
    assert stat.S_IMODE((folder / "tables.py").stat().st_mode) == 0o604


def test_a_link_stays_a_link(folder: Path, tmp_path: Path) -> None:
    write(folder)
    elsewhere = tmp_path / "elsewhere.py"
    (folder / "tables.py").rename(elsewhere)
    (folder / "tables.py").symlink_to(elsewhere)
    write(folder, {"tables.py": OURS + "X = 2\n"})
    assert (folder / "tables.py").is_symlink()
    assert elsewhere.read_text() == OURS + "X = 2\n"


def test_modules_in_subpackages_can_be_imported(folder: Path) -> None:
    result = write(folder, {"models/person.py": OURS})
    written = [path.relative_to(folder).as_posix() for path in result.written]
    assert written == ["__init__.py", "models/__init__.py", "models/person.py"]


def test_a_generator_may_write_the_packages_own_module(folder: Path) -> None:
    write(folder, {"__init__.py": OURS, "tables.py": OURS})
    assert (folder / "__init__.py").read_text() == OURS


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
    folder: Path, modules: dict[str, str], message: str
) -> None:
    write(folder)
    with pytest.raises(ProjectError, match=message):
        write(folder, {"a.py": OURS, **modules})
    assert sorted(path.name for path in folder.iterdir()) == ["__init__.py", "tables.py"]
    assert (folder / "tables.py").read_text() == OURS + "X = 1\n"


def test_a_failure_while_writing_names_the_file_and_leaves_the_old_text_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(ProjectError, match=r"tables\.py cannot be read or written: No space left on device"):
        write(folder, {"tables.py": OURS + "X = 2\n"})
    assert (folder / "tables.py").read_text() == OURS + "X = 1\n"
    assert sorted(path.name for path in folder.iterdir()) == ["__init__.py", "tables.py"]


def test_a_file_where_the_package_should_be_is_named(folder: Path) -> None:
    folder.parent.mkdir()
    folder.write_text("")
    with pytest.raises(ProjectError, match="cannot be read or written: Not a directory"):
        write(folder)


def test_the_generator_none_leaves_the_package_to_the_user(folder: Path) -> None:
    result = synchronise(folder, NO_CONNECTION, find_generator("none"), None)
    assert result.written == result.unchanged == ()
    assert differences(folder, NO_CONNECTION, find_generator("none"), None) == ()
    assert not folder.exists()
