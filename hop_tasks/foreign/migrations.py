"""The migrations of another tool as values: what is to be run, in its order, and what is not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from hop_tasks.errors import UsageError

NOTHING = "nothing was imported"


class Tool(Enum):
    """A tool whose migrations are SQL files."""

    FLYWAY = "flyway"
    DBMATE = "dbmate"
    SQITCH = "sqitch"
    YOYO = "yoyo"
    GRAPHILE = "graphile"
    PLAIN = "plain"

    @classmethod
    def parse(cls, text: str) -> Tool:
        """The tool called `text`. Raises UsageError that names them all."""
        try:
            return cls(text.strip().lower())
        except ValueError:
            raise UsageError(
                f"there is no tool {text!r}; there are {', '.join(tool.value for tool in cls)}; {NOTHING}",
                hint="hop import FOLDER --tool plain",
            ) from None

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Migration:
    """One migration, the part of it that goes forward.

    Attributes:
        source: its path in the folder.
        name: what it is about, for the name of the patch file.
        text: the SQL.
        in_transaction: whether its tool runs it in a transaction.
        by_psql: whether it needs psql, for commands of psql's own.
    """

    source: str
    name: str
    text: str
    in_transaction: bool = True
    by_psql: bool = False


@dataclass(frozen=True)
class SetAside:
    """What is kept and never run: its path in the folder, its text, and why."""

    source: str
    text: str
    why: str


@dataclass(frozen=True)
class MigrationSet:
    """The migrations of a folder, in the order in which their tool runs them; what is set aside; notes for a person."""

    tool: Tool
    migrations: tuple[Migration, ...]
    set_aside: tuple[SetAside, ...] = ()
    notes: tuple[str, ...] = ()


def read_text(path: Path, shown: str) -> str:
    """The text of a file, less a byte order mark. Raises UsageError, which names it as `shown`, if it is not UTF-8."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{shown} is not UTF-8 (byte {error.start}); {NOTHING}",
            hint=f"convert it, for example: iconv -f latin1 -t utf-8 {shown}",
        ) from error
    except OSError as error:
        raise UsageError(
            f"{shown} cannot be read: {error.strerror}; {NOTHING}", hint=f"see whether {shown} may be read"
        ) from error


def files_below(folder: Path) -> tuple[str, ...]:
    """The paths of all files below a folder, from there, but for hidden ones; sorted as bytes are."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return tuple(
        sorted(path.as_posix() for path in paths if not any(part.startswith((".", "__")) for part in path.parts))
    )


def require_unique(pairs: Iterable[tuple[object, str]], what: str) -> None:
    """Raises UsageError if two files have the same key, such as a version."""
    seen: dict[object, str] = {}
    for key, source in pairs:
        if key in seen:
            raise UsageError(
                f"{seen[key]} and {source} have the same {what}; {NOTHING}",
                hint="rename one of them in a copy of the folder",
            )
        seen[key] = source
