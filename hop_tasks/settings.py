"""Settings in two states: raw mappings from several places, and the one validated `Settings` that travels."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from hop_tasks.errors import ProjectError, UsageError
from hop_tasks.names import (
    GENERATOR_ENTRY_POINTS,
    GENERATOR_NAMES,
    MAIN_BRANCH,
    OWN_GENERATOR,
    check_package_name,
    check_project_name,
)

Layer = tuple[str, Mapping[str, Any]]
"""Where some raw settings come from, in a person's words, and the settings."""

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off", ""})

BACKUP_FORMATS = ("custom", "directory", "none")

ENVIRONMENT_PREFIX = "HOP_"
PLACE_ONLY_IN_FILES = frozenset({"name", "url"})
"""Settings without a variable of their own: the name is the project's, the URL's variable is HOP_DATABASE_URL."""


@dataclass(frozen=True)
class Settings:
    """The validated settings of a project: `[tool.hop]`, then Invoke's configuration, then `HOP_*`, then flags.

    Attributes:
        name: the project; also its database, where no URL names one.
        package: the Python package that hop keeps in step with the database.
        devel: whether releases are managed; False for a project made without --devel.
        production: whether this place runs production.
        url: the database's URL; better given by HOP_DATABASE_URL, without a password in a file.
        main_branch: the branch that holds the released history.
        generator: what writes the package: one of hop's, `module:function`, or an entry point; `none` for nothing.
        tests: the command that must pass before a release, in words; empty for none.
        backups: the folder for backups, absolute or below the project.
        maintenance_database: the database to connect to for creating, renaming and dropping others.
        client_programs: the folder of pg_dump, pg_restore and psql; searched for when None.
        lock_timeout: how long, in seconds, a deployment waits for a lock on a table before it gives up.
        lock_retries: how often a deployment that could not have such a lock is tried again, after ever longer pauses.
        lock_wait: how long, in seconds, a command waits for another hop on the same database.
        backup_format: `custom` (one file), `directory` (a folder, dumped in parallel), or `none`.
        backup_jobs: how many tables a backup in the format `directory` dumps at the same time.
        backup_command: the user's own command that makes a backup, in words; pg_dump when empty.
        backup_keep: how many backups of a database are kept; all of them when 0.
        watch_command: the command that runs after each round of `hop watch`, in words; empty for none.
        reference_data: the tables, such as `shop.country`, whose rows are part of a release's schema file.
        spare: whether a copy of the base is made in the background, for the next apply.
        snapshots_keep: how many snapshots are kept that no release in preparation needs; all of them when 0.
    """

    name: str
    package: str
    devel: bool = True
    production: bool = False
    url: str | None = None
    main_branch: str = MAIN_BRANCH
    generator: str = "tables"
    tests: tuple[str, ...] = ("pytest", "-q", "--no-header")
    backups: str = "Backups"
    maintenance_database: str = "postgres"
    client_programs: str | None = None
    lock_timeout: float = 3.0
    lock_retries: int = 5
    lock_wait: float = 0.0
    backup_format: str = "custom"
    backup_jobs: int = 2
    backup_command: tuple[str, ...] = ()
    backup_keep: int = 0
    watch_command: tuple[str, ...] = ()
    reference_data: tuple[str, ...] = ()
    spare: bool = True
    snapshots_keep: int = 3

    @classmethod
    def from_layers(cls, layers: Sequence[Layer]) -> Settings:
        """Merge raw settings, later layers on top, and validate the result.

        Raises ProjectError that lists every wrong value with the place it comes from.
        """
        problems: list[str] = []
        values: dict[str, Any] = {}
        sources: dict[str, str] = {}
        for source, raw in layers:
            for key, value in raw.items():
                parse = PARSERS.get(key)
                if parse is None:
                    import difflib

                    close = difflib.get_close_matches(key, PARSERS, n=1)
                    problems.append(
                        f"{source}: unknown setting {key!r}" + (f", {close[0]!r} is meant?" if close else "")
                    )
                    continue
                sources[key] = source
                try:
                    values[key] = parse(value)
                except UsageError as error:
                    problems.append(f"{source}: {key}: {error.message}")
                except (TypeError, ValueError) as error:
                    problems.append(f"{source}: {key} = {value!r}: {error}")
        # In production nothing is generated, and what generates need not be installed.
        if "generator" in values and not values.get("production") and not _is_generator(values["generator"]):
            known = f"{', '.join(GENERATOR_NAMES[:-1])} and {GENERATOR_NAMES[-1]}, or 'module:function'"
            problems.append(
                f"{sources['generator']}: generator = {values['generator']!r}: there is no such generator, there are "
                f"{known}"
            )
        given = {key for _, raw in layers for key in raw}
        problems += [f"{layers[0][0]}: {key!r} is missing" for key in ("name", "package") if key not in given]
        if problems:
            count = len(problems)
            raise ProjectError(
                f"{count} wrong setting{'s' if count > 1 else ''}: " + "; ".join(problems),
                hint="correct [tool.hop] in pyproject.toml, invoke.yaml or the variable named",
            )
        return cls(**values)


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """The settings in variables `HOP_<SETTING>`. Other variables that begin so are not settings and are left alone.

    An empty HOP_PRODUCTION is one that is missing: it does not make development of what a file says is production.
    """
    raw = {
        field.name: environ[variable]
        for field in fields(Settings)
        if field.name not in PLACE_ONLY_IN_FILES and (variable := ENVIRONMENT_PREFIX + field.name.upper()) in environ
    }
    if not raw.get("production", "1").strip():
        del raw["production"]
    return "environment", raw


def defaults_of_place(environ: Mapping[str, str]) -> dict[str, Any]:
    """The defaults that this place has of its own: in CI, where the variable CI is set, no spare, since nobody there
    applies again."""
    return {} if environ.get("CI", "").strip().lower() in FALSE_WORDS else {"spare": False}


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text that is not empty is needed")
    return value


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in TRUE_WORDS | FALSE_WORDS:
        return value.strip().lower() in TRUE_WORDS
    raise ValueError("true or false is needed")


def parse_seconds(value: object) -> float:
    """A number of seconds up to a day. Raises ValueError that says what is needed."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError("a number of seconds is needed")
    try:
        seconds = float(value)
    except ValueError:
        raise ValueError("a number of seconds is needed") from None
    if not 0 <= seconds <= 86_400:
        raise ValueError("between 0 and 86400 seconds are possible")
    return seconds


def _number(low: int, high: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        text = str(value).strip()
        if isinstance(value, (bool, float)) or not text.isdecimal() or not low <= int(text) <= high:
            raise ValueError(f"a whole number between {low} and {high} is needed")
        return int(text)

    return parse


def _backup_format(value: object) -> str:
    name = _text(value)
    if name not in BACKUP_FORMATS:
        raise ValueError(f"there is no such format, there are {', '.join(BACKUP_FORMATS)}")
    return name


def _tables(value: object) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) and name.strip() for name in names):
        raise ValueError("a list of tables is needed")
    return tuple(name.strip() for name in names)


def _command(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        words = shlex.split(value)
        return () if words == ["none"] else tuple(words)
    if isinstance(value, (list, tuple)) and all(isinstance(word, str) for word in value):
        return tuple(value)
    raise ValueError("a command is needed, as a text or a list of words")


def _is_generator(name: str) -> bool:
    """Whether there is a generator of that name; that one of the project's own is there is seen when it is used."""
    if name in GENERATOR_NAMES or OWN_GENERATOR.fullmatch(name):
        return True
    from importlib.metadata import entry_points

    return name in entry_points(group=GENERATOR_ENTRY_POINTS).names


PARSERS: Mapping[str, Callable[[Any], Any]] = {
    "name": lambda value: check_project_name(_text(value)),
    "package": lambda value: check_package_name(_text(value)),
    "devel": _boolean,
    "production": _boolean,
    "url": _text,
    "main_branch": _text,
    "generator": _text,
    "tests": _command,
    "backups": _text,
    "maintenance_database": _text,
    "client_programs": _text,
    "lock_timeout": parse_seconds,
    "lock_retries": _number(0, 1000),
    "lock_wait": parse_seconds,
    "backup_format": _backup_format,
    "backup_jobs": _number(1, 64),
    "backup_command": _command,
    "backup_keep": _number(0, 10_000),
    "watch_command": _command,
    "reference_data": _tables,
    "spare": _boolean,
    "snapshots_keep": _number(0, 10_000),
}
