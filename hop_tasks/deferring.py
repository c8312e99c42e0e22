"""Importing a module of somebody else's when something of it is used, and not with the module that might use it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any


@contextmanager
def imported_on_use(name: str, **given: object) -> Iterator[None]:
    """Within the context, importing the module `name` gives a stand-in that loads it when something is asked of it.

    What is `given` is had of the stand-in without that. Nothing happens if the module is there already; afterwards it
    is imported as ever.
    """
    if name in sys.modules:
        yield
        return
    stand_in = ModuleType(name)

    def leave() -> None:
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]

    def load(attribute: str) -> object:
        if attribute == "__path__":
            # The import system asks for it; what is not loaded is no package.
            raise AttributeError(attribute)
        leave()
        return getattr(import_module(name), attribute)

    vars(stand_in).update(given, __getattr__=load)
    sys.modules[name] = stand_in
    try:
        yield
    finally:
        leave()


def imported_on_call(module: str, function: str) -> Callable[..., Any]:
    """A function that imports the one of that name, and calls it, whenever it is called."""

    def call(*arguments: Any, **options: Any) -> Any:
        return getattr(import_module(module), function)(*arguments, **options)

    return call
