"""Finding a generator: hop's own, the project's, and those that other distributions bring."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from hop_tasks.errors import HopError, ProjectError, UsageError
from hop_tasks.names import GENERATOR_NAMES
from hop_tasks.package import GENERATED_MARK, GENERATORS, find_generator, synchronise
from hop_tasks.versions import Version

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

NO_CONNECTION = cast("Connection", SimpleNamespace(core=None))


@pytest.fixture
def brings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Installs a distribution that brings a generator, as pip would."""

    def install(entry_point: str, module: str) -> None:
        about = tmp_path / "queries-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: queries\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[hop_tasks.generators]\n{entry_point}\n")
        (tmp_path / "queries_of_others.py").write_text(module)
        monkeypatch.syspath_prepend(str(tmp_path))

    return install


def test_tables_is_the_default_and_the_settings_know_them_all() -> None:
    assert tuple(GENERATORS) == GENERATOR_NAMES
    assert next(iter(GENERATORS)) == "tables"
    assert [find_generator(name).name for name in GENERATORS] == list(GENERATORS)


def test_an_unknown_generator_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"no generator 'alembic'; the known ones are tables, declarative, .*none"):
        find_generator("alembic")


def test_the_libraries_that_generate_are_loaded_only_to_generate() -> None:
    code = (
        "import sys, hop_tasks.package as p; [p.find_generator(name) for name in p.GENERATORS]; "
        "sys.exit('sqlacodegen' in sys.modules or 'sqlalchemy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_function_of_the_project_is_a_generator(tmp_path: Path) -> None:
    (tmp_path / "helping.py").write_text("WORD = 'queries'\n")
    (tmp_path / "making.py").write_text(
        "from hop_tasks.package import GENERATED_MARK\n\n"
        "def make(connection, release):\n"
        "    import helping\n"
        "    return {f'{helping.WORD}.py': f'# {GENERATED_MARK}\\nRELEASE = {str(release)!r}\\n'}\n"
    )
    before = list(sys.path)
    generator = find_generator("making:make", tmp_path)
    done = synchronise(tmp_path / "shop", NO_CONNECTION, generator, Version(1, 2, 0))
    assert [path.name for path in done.written] == ["__init__.py", "queries.py"]
    assert (tmp_path / "shop/queries.py").read_text().endswith("RELEASE = '1.2.0'\n")
    assert sys.path == before
    del sys.modules["making"], sys.modules["helping"]


def test_another_distribution_brings_a_generator(brings: Callable[[str, str], None]) -> None:
    brings(
        "queries = queries_of_others:make",
        f"def make(connection, release):\n    return {{'queries.py': '# {GENERATED_MARK}\\n'}}\n",
    )
    generator = find_generator("queries")
    assert dict(generator.generate(NO_CONNECTION, None)) == {"queries.py": f"# {GENERATED_MARK}\n"}
    with pytest.raises(UsageError, match=r"none, queries\. "):
        find_generator("others")
    del sys.modules["queries_of_others"]


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("import nowhere\n", r"cannot be imported: ModuleNotFoundError: No module named 'nowhere' \(.*making\.py:1\)"),
        ("", "cannot be imported: AttributeError: module 'making' has no attribute 'make'; nothing"),
        ("def make(connection):\n    return {}\n", "failed: TypeError: .* 2 were given; nothing"),
        ("make = 5\n", "is no function"),
        ("def make(connection, release):\n    return 1 / 0\n", r"failed: ZeroDivisionError: .* \(.*making\.py:2\)"),
        ("def make(connection, release):\n    return {'a.py': b''}\n", "returned no texts"),
        ("def make(connection, release):\n    return None\n", "returned no texts"),
    ],
)
def test_one_that_does_not_work_is_named_with_the_reason(tmp_path: Path, module: str, words: str) -> None:
    (tmp_path / "making.py").write_text(module)
    with pytest.raises(ProjectError, match=words) as caught:
        find_generator("making:make", tmp_path).generate(NO_CONNECTION, None)
    assert "nothing was written" in str(caught.value)
    sys.modules.pop("making", None)


def test_an_error_of_hops_own_stays_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "making.py").write_text(
        "from hop_tasks.errors import DatabaseError\ndef make(connection, release):\n    raise DatabaseError('gone')\n"
    )
    with pytest.raises(HopError, match=r"^gone"):
        find_generator("making:make", tmp_path).generate(NO_CONNECTION, None)
    del sys.modules["making"]
