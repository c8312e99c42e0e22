"""Folders of numbered SQL files: `001_name.sql`; or, as golang-migrate has them, `001_name.up.sql` and `.down.sql`."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from hop_tasks.errors import UsageError
from hop_tasks.foreign.migrations import (
    NOTHING,
    Migration,
    MigrationSet,
    SetAside,
    Tool,
    files_below,
    read_text,
    require_unique,
)

NAME = re.compile(r"(?P<number>\d+)[-_.]?(?P<name>[^/]*?)(?P<way>\.up|\.down|\.undo|\.rollback)?\.sql")
MARKS = {
    "goose": re.compile(r"^--\s*\+goose\s", re.MULTILINE),
    "sql-migrate": re.compile(r"^--\s*\+migrate\s", re.MULTILINE),
    "micrate": re.compile(r"^--\s*\+micrate\s", re.MULTILINE),
    "Liquibase": re.compile(r"\A--\s*liquibase formatted sql", re.IGNORECASE),
    "Play's evolutions": re.compile(r"^(?:#|--)\s*---\s*!(?:Ups|Downs)", re.MULTILINE),
}
"""What tells the files of tools that hop does not know, which go forward and back in one."""


def is_numbered(path: str) -> bool:
    """Whether a file has a number that its place can be told by."""
    return NAME.fullmatch(path) is not None


def read_plain(folder: Path) -> MigrationSet:
    """The files by number; those that go back are set aside.

    Raises UsageError for SQL files without a number, numbers given twice, or marks of a tool that hop does not know.
    """
    forward: list[tuple[int, str, Migration]] = []
    aside: list[SetAside] = []
    both = False
    for path in (path for path in files_below(folder) if path.endswith(".sql")):
        found = NAME.fullmatch(path)
        if found is None:
            raise UsageError(
                f"{path} has no number, so that nobody can tell its place; {NOTHING}",
                hint="name the files 001_first.sql, 002_second.sql in a copy of the folder",
            )
        text = read_text(folder / path, path)
        for tool, mark in MARKS.items():
            if mark.search(text):
                raise UsageError(
                    f"{path} is of {tool}, which hop does not read; {NOTHING}",
                    hint="write what goes forward into files of its own; or hop init --baseline",
                )
        both = both or found["way"] is not None
        if found["way"] in (None, ".up"):
            number = int(found["number"])
            forward.append((number, path, Migration(path, found["name"] or "migration", text)))
        else:
            aside.append(SetAside(path, text, "goes back"))
    if both:
        require_unique(((number, path) for number, path, _ in forward), "number")
    ordered = sorted(forward, key=lambda entry: entry[:2])
    times = Counter(number for number, _, _ in ordered)
    twice = [path for number, path, _ in ordered if times[number] > 1]
    notes = (f"{', '.join(twice)} have a number more than once, and come in the order of their names",) if twice else ()
    return MigrationSet(Tool.PLAIN, tuple(migration for _, _, migration in ordered), tuple(aside), notes)
