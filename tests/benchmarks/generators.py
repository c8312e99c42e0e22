"""How long the generators take for many tables, beside sqlacodegen alone and half_orm's own tool.

    python -m tests.benchmarks.generators [--tables N] [--half-orm FOLDER]

The folder is that of a virtual environment with half_orm 0.13. Seconds of the wall and of the processor are printed for
each process, with its start; nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from tests.servers import available_servers

GENERATORS = ("tables", "declarative", "dataclasses", "sqlmodel", "half_orm")
COLUMNS = 10

WRITE = """
import sys
from pathlib import Path
from sqlalchemy import create_engine
from hop_tasks.package import find_generator, synchronise
with create_engine(sys.argv[1]).connect() as connection:
    done = synchronise(Path(sys.argv[2]), connection, find_generator(sys.argv[3]), None)
print(len(done.written), "written,", len(done.unchanged), "unchanged")
"""


def script(tables: int) -> Iterator[str]:
    """Tables with keys, foreign keys, checks, indexes, defaults and comments, in four schemas."""
    for schema in range(4):
        yield f"CREATE SCHEMA s{schema};"
    for number in range(tables):
        name = f"s{number % 4}.table_{number:04}"
        columns = "".join(
            f", c{n} {('text', 'integer', 'numeric(10, 2)', 'timestamptz')[n % 4]}" for n in range(COLUMNS)
        )
        parent = f", parent_id integer REFERENCES s{(number - 1) % 4}.table_{number - 1:04}" if number else ""
        yield (
            f"CREATE TABLE {name} (id serial PRIMARY KEY, name text NOT NULL DEFAULT 'x' UNIQUE{columns}{parent}, "
            f"CHECK (c1 > 0)); CREATE INDEX ON {name} (c0, c1); COMMENT ON TABLE {name} IS 'table {number}';"
        )


@contextmanager
def database(tables: int) -> Iterator[str]:
    """The URL of a database with that many tables, on a server of its own."""
    with available_servers()[0].running() as url:
        admin = create_engine(url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text("CREATE DATABASE shop"))
        admin.dispose()
        engine = create_engine(make_url(url).set(database="shop"))
        statements = list(script(tables))
        for at in range(0, len(statements), 200):
            with engine.begin() as connection:
                connection.exec_driver_sql("".join(statements[at : at + 200]))
        engine.dispose()
        yield make_url(url).set(database="shop").render_as_string(hide_password=False)


def measure(title: str, command: list[str], **options: object) -> None:
    """Run a command, and print what it took."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    said = (done.stdout if len(done.stdout) < 80 else "").strip() if not done.returncode else done.stderr.strip()[-200:]
    print(f"{title:<34} {wall:7.2f} s  {processor:7.2f} s of the processor  {said}", flush=True)


def compare(url: str, folder: Path, half_orm: Path | None) -> None:
    """Print what each generator takes, at first and when nothing has changed, and the others."""
    root = {"cwd": Path(__file__).parents[2], "env": {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}}
    for name in GENERATORS:
        write = [sys.executable, "-c", WRITE, url, str(folder / name), name]
        measure(f"hop: {name}", write, **root)
        measure(f"hop: {name}, nothing changed", write, **root)
    for name in ("tables", "declarative", "dataclasses", "sqlmodels"):
        alone = [sys.executable, "-m", "sqlacodegen", "--generator", name, "--schemas", "s0,s1,s2,s3"]
        measure(f"sqlacodegen: {name}", [*alone, "--outfile", str(folder / f"{name}.py"), url], **root)
    if half_orm:
        parsed = make_url(url)
        (folder / "conf").mkdir()
        host, port = parsed.query.get("host", parsed.host), parsed.query.get("port", parsed.port)
        (folder / "conf/shop").write_text(
            f"[database]\nname = shop\nuser = {parsed.username}\npassword = {parsed.password or ''}\n"
            f"host = {host}\nport = {port}\n"
        )
        names = {
            f"GIT_{who}_{what}": "ann@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        environment = {**os.environ, **names, "HALFORM_CONF_DIR": str(folder / "conf")}
        measure("half_orm 0.13: hop new", [str(half_orm / "bin/hop"), "new", "shop"], cwd=folder, env=environment)
        print(f"  {len(list((folder / 'shop').rglob('*.py')))} modules")


def main() -> None:
    """Read the command line, make the database, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--half-orm", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, database(given.tables) as url:
        print(f"{given.tables} tables of {COLUMNS + 3} columns")
        compare(url, Path(folder), given.half_orm)


if __name__ == "__main__":
    main()
