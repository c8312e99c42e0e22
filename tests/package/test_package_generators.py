"""Finding a generator."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hop_tasks.errors import UsageError
from hop_tasks.package import GENERATORS, find_generator


def test_tables_is_the_default_and_none_the_other() -> None:
    assert list(GENERATORS) == ["tables", "none"]
    assert [find_generator(name).name for name in GENERATORS] == ["tables", "none"]


def test_an_unknown_generator_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"no generator 'declarative'; the known ones are tables, none"):
        find_generator("declarative")


def test_the_libraries_that_generate_are_loaded_only_to_generate() -> None:
    code = "import sys, hop_tasks.package as p; p.find_generator('tables'); sys.exit('sqlacodegen' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
