"""Folders of dbmate: files with a block `-- migrate:up` and one `-- migrate:down`, in the order of their names."""

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

NAME = re.compile(r"(?P<version>\d+)[^/]*\.sql")
BLOCK = re.compile(r"^--\s*migrate:(?P<way>up|down)(?P<options>[^\r\n]*)\r?$\n?", re.MULTILINE)
NO_TRANSACTION = re.compile(r"\btransaction:false\b")
COMMENTS = re.compile(r"(?:\s|--[^\n]*)*")


def is_dbmates(text: str) -> bool:
    """Whether a text has a block of dbmate, if only one that goes back."""
    return BLOCK.search(text) is not None


def read_dbmate(folder: Path) -> MigrationSet:
    """The up blocks; the down blocks are set aside. Raises UsageError for a file that dbmate would refuse."""
    migrations, aside = [], []
    named = [(found["version"], path) for path in files_below(folder) if (found := NAME.fullmatch(path))]
    require_unique(named, "version")
    for _, path in named:
        text = read_text(folder / path, path)
        blocks = list(BLOCK.finditer(text))
        if [found["way"] for found in blocks] not in (["up"], ["up", "down"], ["down", "up"]):
            raise UsageError(
                f"{path} has not one block -- migrate:up and at most one -- migrate:down; {NOTHING}",
                hint="correct it in a copy of the folder",
            )
        if not COMMENTS.fullmatch(text[: blocks[0].start()]):
            raise UsageError(f"{path} has statements before its first block; {NOTHING}", hint="dbmate refuses it, too")
        ends = [*(found.start() for found in blocks[1:]), len(text)]
        for found, end in zip(blocks, ends, strict=True):
            part = text[found.end() : end]
            if found["way"] == "up":
                in_transaction = NO_TRANSACTION.search(found["options"]) is None
                name = re.sub(r"^\d+_?", "", path.removesuffix(".sql"))
                migrations.append(Migration(path, name, part.strip("\r\n") + "\n", in_transaction))
            elif part.strip():
                aside.append(SetAside(path, part, "goes back"))
    return MigrationSet(Tool.DBMATE, tuple(migrations), tuple(aside))
