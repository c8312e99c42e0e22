"""Folders of graphile-migrate: `committed/000001-name.sql`, with a header of `--!` lines."""

from __future__ import annotations

import re
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

NAME = re.compile(r"(?P<number>\d{6})(?:-(?P<name>.+))?\.sql")
HEADER = re.compile(r"(?:--! ?(?:Previous|Hash|Message|AllowInvalidHash)\b[^\n]*\n)+\n?")
MESSAGE = re.compile(r"--! ?Message: *(.+)")
NO_TRANSACTION = re.compile(r"\s*--! ?no-transaction\b")
PLACEHOLDER = re.compile(r"(?<![:\w]):[A-Z][A-Z0-9_]+\b")
CURRENT = ("current.sql",)


def is_graphiles(text: str) -> bool:
    """Whether a text has the header of a committed migration."""
    return text.startswith("--! Previous:")


def read_graphile(folder: Path) -> MigrationSet:
    """The committed migrations by number. Raises UsageError for placeholders and for numbers given twice."""
    committed = folder / "committed" if (folder / "committed").is_dir() else folder
    migrations, numbers = [], []
    for path in files_below(committed):
        found = NAME.fullmatch(path)
        if found is None:
            continue
        text = read_text(committed / path, path).replace("\r\n", "\n")
        header = HEADER.match(text)
        body = text[header.end() if header else 0 :]
        placeholder = PLACEHOLDER.search(body)
        if placeholder:
            line = text.count("\n", 0, (header.end() if header else 0) + placeholder.start()) + 1
            raise UsageError(
                f"{path}:{line}: {placeholder[0]} is a placeholder of graphile-migrate's; {NOTHING}",
                hint="write the value there in a copy of the folder",
            )
        message = MESSAGE.search(header[0]) if header else None
        name = found["name"] or (message[1] if message else "migration")
        migrations.append(Migration(path, name, body, NO_TRANSACTION.match(body) is None))
        numbers.append((found["number"], path))
    require_unique(numbers, "number")
    aside = []
    for path in (path for path in files_below(folder) if path in CURRENT or path.startswith("current/")):
        text = read_text(folder / path, path)
        if text.strip():
            aside.append(SetAside(path, text, "is not committed"))
    return MigrationSet(Tool.GRAPHILE, tuple(migrations), tuple(aside))
