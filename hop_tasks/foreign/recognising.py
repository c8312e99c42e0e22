"""Whose migrations a folder holds, as far as that is certain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from hop_tasks.errors import UsageError
from hop_tasks.foreign.dbmate import is_dbmates, read_dbmate
from hop_tasks.foreign.flyway import is_flyways, read_flyway
from hop_tasks.foreign.graphile import is_graphiles, read_graphile
from hop_tasks.foreign.migrations import NOTHING, MigrationSet, Tool, files_below, read_text
from hop_tasks.foreign.plain import is_numbered, read_plain
from hop_tasks.foreign.sqitch import plan_of, read_sqitch
from hop_tasks.foreign.yoyo import is_yoyos, read_yoyo

READERS: Mapping[Tool, Callable[[Path], MigrationSet]] = {
    Tool.FLYWAY: read_flyway,
    Tool.DBMATE: read_dbmate,
    Tool.SQITCH: read_sqitch,
    Tool.YOYO: read_yoyo,
    Tool.GRAPHILE: read_graphile,
    Tool.PLAIN: read_plain,
}
ANOTHER = "hop import FOLDER, with the folder that has the files; hop import --help"
BASELINE = "the database as it is becomes the first release: hop init --baseline"


def read_migrations(folder: Path, tool: Tool | None = None) -> MigrationSet:
    """The migrations in a folder. Without `tool` it is found out.

    Raises UsageError if there are none, if it is not certain whose they are, or if they cannot be read.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}; {NOTHING}", hint="hop import FOLDER")
    found = READERS[tool or recognise(folder)](folder)
    if not found.migrations:
        aside = ", ".join(f"{one.source} ({one.why})" for one in found.set_aside)
        told = f", but {aside}" if aside else ""
        raise UsageError(f"there are no migrations of {found.tool} in {folder}{told}; {NOTHING}", hint=ANOTHER)
    return found


def recognise(folder: Path) -> Tool:
    """The tool whose migrations are in a folder. Raises UsageError if that is not certain."""
    paths = files_below(folder)
    _require_no_python(folder, paths)
    scripts = {path: read_text(folder / path, path) for path in paths if path.endswith(".sql")}
    if not scripts:
        raise UsageError(f"there is no SQL file in {folder}; {NOTHING}", hint=ANOTHER)
    if plan_of(folder) is not None:
        return Tool.SQITCH
    signs = {
        Tool.GRAPHILE: any(is_graphiles(text) for text in scripts.values()),
        Tool.FLYWAY: any(is_flyways(path) for path in scripts),
        Tool.DBMATE: any(is_dbmates(text) for text in scripts.values()),
        Tool.YOYO: "yoyo.ini" in paths or any(is_yoyos(path, text) for path, text in scripts.items()),
    }
    found = [tool for tool, sign in signs.items() if sign]
    if not found and scripts and all(is_numbered(path) for path in scripts):
        return Tool.PLAIN
    if len(found) == 1:
        return found[0]
    told = f"they look like those of {' and of '.join(map(str, found))}" if found else "nothing tells it"
    what = f"whose migrations are in {folder} is not certain: {told}"
    raise UsageError(f"{what}; {NOTHING}", hint=f"hop import {folder} --tool, with one of {', '.join(map(str, Tool))}")


def _require_no_python(folder: Path, paths: tuple[str, ...]) -> None:
    """Raises UsageError for the migrations of Alembic and Django, which are programs."""
    if "env.py" in paths and any(path.startswith("versions/") for path in paths):
        raise UsageError(f"{folder} is of Alembic, whose migrations are Python; {NOTHING}", hint=BASELINE)
    for path in (path for path in paths if path.endswith(".py")):
        if "migrations.Migration" in read_text(folder / path, path):
            raise UsageError(f"{path} is of Django, whose migrations are Python; {NOTHING}", hint=BASELINE)
