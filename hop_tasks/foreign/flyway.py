"""Folders of Flyway: `V1.2__name.sql`, repeatable `R__name.sql`, undo `U1.2__name.sql`, baseline `B1.2__name.sql`."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

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

NAME = re.compile(
    r"(?:(?P<kind>[VUB])(?P<version>\d+(?:[._]\d+)*)(?:__(?P<name>.+))?|R__(?P<again>.+))\.(?P<suffix>\w+)"
)
CALLBACK = re.compile(r"(?:before|after|create)[A-Z]\w*\.sql")
PLACEHOLDER = re.compile(r"\$\{[^}\n]*\}")
NO_PLACEHOLDERS = re.compile(r"placeholderReplacement\s*=\s*\"?false", re.IGNORECASE)
NO_TRANSACTION = re.compile(r"executeInTransaction\s*=\s*false", re.IGNORECASE)
CONFIGURATIONS = ("flyway.conf", "flyway.toml", "../flyway.conf", "../flyway.toml", "../conf/flyway.conf")

Key = tuple[int, ...]


def is_flyways(path: str) -> bool:
    """Whether a file is named as a versioned migration of Flyway that is SQL."""
    found = NAME.fullmatch(PurePosixPath(path).name)
    return found is not None and found["kind"] == "V" and found["suffix"] == "sql" and found["name"] is not None


def read_flyway(folder: Path) -> MigrationSet:
    """The versioned migrations by version, and then the repeatable ones by name, once.

    The newest baseline migration, if there is one, comes in the place of those up to its version.
    Raises UsageError for migrations that are not SQL, have the same version, or have placeholders.
    """
    versioned: dict[Key, tuple[str, str]] = {}
    baselines: dict[Key, tuple[str, str]] = {}
    repeatable: list[tuple[str, str]] = []
    aside: list[SetAside] = []
    keys: list[tuple[object, str]] = []
    for path in files_below(folder):
        found = NAME.fullmatch(PurePosixPath(path).name)
        if found is None or found["suffix"] == "conf":
            if path.endswith(".sql"):
                why = "a callback" if CALLBACK.fullmatch(PurePosixPath(path).name) else "no migration by its name"
                aside.append(SetAside(path, read_text(folder / path, path), why))
            continue
        if found["suffix"] != "sql":
            raise UsageError(f"{path} is not SQL; {NOTHING}", hint="take the database as it is: hop init --baseline")
        if found["again"]:
            repeatable.append((found["again"], path))
            continue
        key = _key(found["version"])
        keys.append(((found["kind"], key), path))
        if found["kind"] == "U":
            aside.append(SetAside(path, read_text(folder / path, path), "undoes a migration"))
        else:
            (versioned if found["kind"] == "V" else baselines)[key] = (found["name"] or "migration", path)
    require_unique(keys, "version")
    if baselines:
        newest = max(baselines)
        for key in [key for key in versioned if key <= newest]:
            path = versioned.pop(key)[1]
            aside.append(SetAside(path, read_text(folder / path, path), f"is in {baselines[newest][1]}"))
        versioned[newest] = baselines.pop(newest)
        aside += [SetAside(path, read_text(folder / path, path), "an older baseline") for _, path in baselines.values()]
    ordered = [versioned[key] for key in sorted(versioned)] + sorted(repeatable)
    replaced = not any(_says(folder / name, NO_PLACEHOLDERS) for name in CONFIGURATIONS)
    migrations = tuple(_migration(folder, path, name, replaced=replaced) for name, path in ordered)
    notes: tuple[str, ...] = ()
    if repeatable:
        notes = ("repeatable migrations run once here: what is to run after each release belongs into Patches/post",)
    return MigrationSet(Tool.FLYWAY, migrations, tuple(aside), notes)


def _key(version: str) -> Key:
    """A version to compare by: 1.2 and 1.2.0 are the same to Flyway."""
    numbers = [int(number) for number in re.split(r"[._]", version)]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _migration(folder: Path, path: str, name: str, *, replaced: bool) -> Migration:
    text, own = read_text(folder / path, path), folder / f"{path}.conf"
    placeholder = PLACEHOLDER.search(text)
    if placeholder and replaced and not _says(own, NO_PLACEHOLDERS):
        line = text.count("\n", 0, placeholder.start()) + 1
        raise UsageError(
            f"{path}:{line}: {placeholder[0]} is a placeholder, in whose place Flyway puts a value; {NOTHING}",
            hint="write the value there in a copy of the folder",
        )
    return Migration(path, name, text, in_transaction=not _says(own, NO_TRANSACTION))


def _says(path: Path, expression: re.Pattern[str]) -> bool:
    return path.is_file() and expression.search(read_text(path, path.name)) is not None
