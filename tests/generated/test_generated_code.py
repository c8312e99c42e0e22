"""What does not depend on the server's version: types, and the same bytes each time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from sqlalchemy import Engine

from hop_tasks.database.connections import Connection
from hop_tasks.package import synchronise
from tests.package.support import FixedGenerator

ROOT = Path(__file__).parents[2]
GENERATORS = ("tables", "declarative", "dataclasses", "sqlmodel", "half_orm")

USING = """
from of_tables.tables import t_person
from of_declarative.models import Person, check
from of_dataclasses.models import BlogTag, ShopEveryType
from of_half_orm.blog.post import Post
from of_sqlmodel.models import ShopLine
from sqlalchemy import Connection

reveal_type(Person().name)
reveal_type(Person().boss)
reveal_type(BlogTag(name="x").post)
reveal_type(ShopEveryType().during)
reveal_type(ShopLine(b=1).line_detail)
reveal_type(t_person.name)
reveal_type(Post(title="x"))
def ready(connection: Connection) -> bool:
    return bool(check(connection))
BlogTag()
"""

DIGEST = """
import hashlib, sys
from sqlalchemy import create_engine
from hop_tasks.package import find_generator
with create_engine(sys.argv[1]).connect() as connection:
    for name in sys.argv[2:]:
        texts = sorted(find_generator(name).generate(connection, None).items())
        print(name, hashlib.sha256(repr(texts).encode()).hexdigest())
"""


@pytest.fixture
def packages(nasty_texts: Callable[[str], dict[str, str]], tmp_path: Path) -> Path:
    """The packages of all generators, side by side."""
    for name in GENERATORS:
        synchronise(
            tmp_path / f"of_{name}",
            cast("Connection", SimpleNamespace(core=None)),
            FixedGenerator(nasty_texts(name)),
            None,
        )
    (tmp_path / "using.py").write_text(USING)
    return tmp_path


def test_mypy_has_no_complaint_and_knows_the_types(packages: Path) -> None:
    # With the cache of a run of mypy for this project, if there was one.
    options = ("--strict", "--python-version=3.10", f"--cache-dir={ROOT / '.mypy_cache'}")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *(f"of_{name}" for name in GENERATORS), "using.py"],
        cwd=packages,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    lines = [line.partition(": ")[2] for line in done.stdout.splitlines()]
    assert lines[:-1] == [
        'note: Revealed type is "str"',
        'note: Revealed type is "of_declarative.models.public.Person | None"',
        'note: Revealed type is "list[of_dataclasses.models.blog.BlogPost_4fd48897]"',
        'note: Revealed type is "sqlalchemy.dialects.postgresql.ranges.Range[datetime.datetime] | None"',
        'note: Revealed type is "list[of_sqlmodel.models.shop_8d9001d3.ShopLineDetail]"',
        'note: Revealed type is "str"',
        'note: Revealed type is "of_half_orm.blog.post.Post"',
        'error: Missing named argument "name" for "BlogTag"  [call-arg]',
    ], done.stdout + done.stderr


def test_the_same_database_gives_the_same_bytes_in_every_process(server: Engine, nasty_database: str) -> None:
    """The order of sets is another one in each."""
    url = server.url.set(database=nasty_database).render_as_string(hide_password=False)
    found = {
        subprocess.run(
            [sys.executable, "-c", DIGEST, url, *GENERATORS],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1
    assert len(found.pop().splitlines()) == len(GENERATORS)
