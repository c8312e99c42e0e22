"""Folders of yoyo-migrations: `name.sql` with `-- depends:` lines, and `name.rollback.sql`."""

from __future__ import annotations

import re
from pathlib import Path

from hop_tasks.errors import UsageError
from hop_tasks.foreign.migrations import NOTHING, Migration, MigrationSet, SetAside, Tool, files_below, read_text

DIRECTIVE = re.compile(r"\s*--\s*(?P<name>depends|transactional)\s*:\s*(?P<value>.*)")
COMMENT = re.compile(r"\s*(?:--.*)?")
ROLLBACK = ".rollback.sql"
HOOK = "post-apply"


def is_yoyos(path: str, text: str) -> bool:
    """Whether a file is one that only yoyo has."""
    return path.endswith(ROLLBACK) or "depends" in _directives(text)


def read_yoyo(folder: Path) -> MigrationSet:
    """The migrations in the order of their names, each after those that it depends on; rollbacks are set aside.

    Raises UsageError for migrations in Python, and for dependencies that are not there or go in a circle.
    """
    found: dict[str, Migration] = {}
    needs: dict[str, set[str]] = {}
    aside: list[SetAside] = []
    for path in (path for path in files_below(folder) if "/" not in path):
        if path.endswith(".py"):
            raise UsageError(
                f"{path} is Python, and only yoyo can run it; {NOTHING}",
                hint="take the database as it is: hop init --baseline",
            )
        if not path.endswith(".sql"):
            continue
        text, name = read_text(folder / path, path), path.removesuffix(".sql")
        if path.endswith(ROLLBACK) or name.startswith(HOOK):
            why = "goes back" if path.endswith(ROLLBACK) else "runs after each time: Patches/post is for that"
            aside.append(SetAside(path, text, why))
            continue
        directives = _directives(text)
        needs[name] = set(directives.get("depends", "").split())
        in_transaction = directives.get("transactional", "true").strip().lower() != "false"
        found[name] = Migration(path, re.sub(r"^[\d_.]+(?=\w)", "", name), text, in_transaction)
    for name, others in needs.items():
        if not others <= found.keys():
            missing = ", ".join(sorted(others - found.keys()))
            raise UsageError(
                f"{name}.sql depends on {missing}, which is not in {folder}; {NOTHING}",
                hint="import the folder that has it, or correct the line `-- depends:`",
            )
    return MigrationSet(Tool.YOYO, tuple(found[name] for name in _ordered(needs)), tuple(aside))


def _ordered(needs: dict[str, set[str]]) -> list[str]:
    """The names, each time the first one whose needs have come."""
    done: list[str] = []
    waiting = sorted(needs)
    while waiting:
        free = next((name for name in waiting if needs[name] <= set(done)), None)
        if free is None:
            raise UsageError(
                f"{', '.join(waiting)} depend on each other in a circle; {NOTHING}",
                hint="correct their lines `-- depends:`",
            )
        done.append(free)
        waiting.remove(free)
    return done


def _directives(text: str) -> dict[str, str]:
    """What the lines before the first statement say."""
    said: dict[str, str] = {}
    for line in text.splitlines():
        directive = DIRECTIVE.fullmatch(line)
        if directive:
            said[directive["name"]] = f"{said.get(directive['name'], '')} {directive['value']}".strip()
        elif not COMMENT.fullmatch(line):
            break
    return said
