"""Which files of a package hop made."""

from __future__ import annotations

from pathlib import Path

from hop_tasks.package.synchronising import has_mark


def generated_files(folder: Path) -> tuple[Path, ...]:
    """The Python files below a folder that carry the mark of hop, in the order of their paths."""
    return tuple(path for path in sorted(folder.rglob("*.py")) if path.is_file() and has_mark(path.read_bytes()))
