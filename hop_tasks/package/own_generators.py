"""Generators that hop does not have: functions of the user's project, and those that other distributions bring.

Such a function takes the connection and the release, and returns what `Generator.generate` returns.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hop_tasks.errors import HopError, ProjectError, UsageError
from hop_tasks.names import GENERATOR_ENTRY_POINTS, OWN_GENERATOR
from hop_tasks.versions import Version

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hop_tasks.database.connections import Connection as HopConnection
    from hop_tasks.package.generators import Generator

NOTHING_WRITTEN = "nothing was written"


@dataclass(frozen=True)
class OwnGenerator:
    """A function that somebody else has written, under the name by which it was found.

    Attributes:
        name: the name in the settings.
        function: what makes the texts.
        root: the project's folder, where the function finds what it imports.
    """

    name: str
    function: Callable[[Connection, Version | None], Any]
    root: Path | None

    def generate(self, connection: Connection, release: Version | None) -> Mapping[str, str]:
        """What the function returns. Raises ProjectError if it fails, or returns something else than texts by path."""
        with importing_from(self.root), _explained(self.name, "failed"):
            texts = self.function(connection, release)
        if not isinstance(texts, Mapping) or not all(isinstance(word, str) for pair in texts.items() for word in pair):
            raise ProjectError(
                f"the generator {self.name!r} returned no texts by their paths; {NOTHING_WRITTEN}",
                hint="have it return a dict such as {'queries.py': '...'}",
            )
        return texts

    def digest(self, connection: HopConnection) -> str | None:  # noqa: ARG002
        """None: what the function reads is not known."""
        return None


def find_own_generator(name: str, root: Path | None, known: Sequence[str]) -> Generator:
    """The generator that an entry point or `module:function` names.

    Args:
        name: the name in the settings.
        root: the project's folder, in which modules of the user's are found.
        known: the names of hop's own generators, to be told.

    Raises UsageError for a name that nobody has, ProjectError for one that cannot be imported.
    """
    if OWN_GENERATOR.fullmatch(name):
        module, _, function = name.partition(":")
        with importing_from(root), _explained(name, "cannot be imported"):
            found: Any = getattr(import_module(module), function)
    else:
        points = {point.name: point for point in entry_points(group=GENERATOR_ENTRY_POINTS)}
        if name not in points:
            raise UsageError(
                f"there is no generator {name!r}; the known ones are {', '.join([*known, *sorted(points)])}",
                hint=f"generator = {known[0]!r} in [tool.hop] of pyproject.toml, or 'module:function' for your own",
            )
        with _explained(name, "cannot be imported"):
            found = points[name].load()
    if not callable(found):
        raise ProjectError(
            f"the generator {name!r} is no function; {NOTHING_WRITTEN}",
            hint="def generate(connection, release) returns the text of each file by its path",
        )
    return OwnGenerator(name, found, root)


@contextmanager
def importing_from(root: Path | None) -> Iterator[None]:
    """While this is open, modules in the project's folder can be imported; hop itself may run from anywhere."""
    if root is None or str(root) in sys.path:
        yield
        return
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        if str(root) in sys.path:
            sys.path.remove(str(root))


@contextmanager
def _explained(name: str, what: str) -> Iterator[None]:
    """Turns what is raised in code of somebody else into an error with a place."""
    try:
        yield
    except HopError:
        raise
    except Exception as error:
        raise ProjectError(
            f"the generator {name!r} {what}: {type(error).__name__}: {error}{_place(error)}; {NOTHING_WRITTEN}",
            hint="correct it, then hop sync-package",
        ) from error


def _place(error: Exception) -> str:
    """File and line where it was raised; nothing where that is in here, or in Python's own import."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    file = "" if last is None else last.tb_frame.f_code.co_filename
    return "" if last is None or file == __file__ or file.startswith("<") else f" ({file}:{last.tb_lineno})"
