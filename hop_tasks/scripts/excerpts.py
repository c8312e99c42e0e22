"""A line of a file shown under an error, with a caret at the column."""

from __future__ import annotations

SHOWN_WIDTH = 100


def excerpt(text: str, line: int, column: int | None = None) -> list[str]:
    """The line (from 1) with its number and a caret at the column (from 1); long lines are cut around the column."""
    lines = text.split("\n")
    if not 0 < line <= len(lines):
        return []
    shown = lines[line - 1].rstrip("\r").replace("\t", " ")
    at = (column or 1) - 1
    start = max(0, at - SHOWN_WIDTH // 2) if len(shown) > SHOWN_WIDTH else 0
    shown = shown[start : start + SHOWN_WIDTH]
    prefix = f"  {line} | "
    rows = [prefix + shown]
    if column is not None:
        rows.append(" " * (len(prefix) - 2) + "| " + " " * (at - start) + "^")
    return rows
