"""Releases of a PostgreSQL/Python project by Git: functions to compose one's own steps from.

The same verbs are Invoke tasks in `hop_tasks.tasks`. Every function takes a `Project`, returns a frozen dataclass, and
raises an error of `hop_tasks.errors`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hop_tasks.library import *  # noqa: F403


def __getattr__(name: str) -> object:
    """A public name. They are imported when the first is asked for: the script `hop` needs none, and starts sooner."""
    if name.startswith("_") and name != "__all__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("hop_tasks.library"), name)


def __dir__() -> list[str]:
    """The public names."""
    from importlib import import_module

    return list(import_module("hop_tasks.library").__all__)
