"""Importing a module of somebody else's when something of it is used, and not with the module that might use it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any


@contextmanager
def imported_on_use(*names: str) -> Iterator[None]:
    """Within the context, importing a module `names` names gives a stand-in, which loads it when something is asked
    of it. Afterwards, and for whoever has it already, it is imported as ever."""
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(_replaced(name, lambda module, attribute: getattr(module(), attribute)))
        yield


@contextmanager
def imported_on_call(name: str) -> Iterator[None]:
    """Within the context, `from name import function` gives a function that loads the module when it is called."""

    def give(module: Callable[[], ModuleType], attribute: str) -> object:
        def call(*arguments: Any, **options: Any) -> Any:
            return getattr(module(), attribute)(*arguments, **options)

        return call

    with _replaced(name, give):
        yield


@contextmanager
def _replaced(name: str, give: Callable[[Callable[[], ModuleType], str], object]) -> Iterator[None]:
    """A stand-in for a module that is not loaded yet; `give` makes what is asked of it."""
    if name in sys.modules:
        yield
        return
    stand_in = ModuleType(name)

    def leave() -> None:
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]

    def load() -> ModuleType:
        leave()
        return import_module(name)

    def ask(attribute: str) -> object:
        if attribute.startswith("__"):
            # What the import system asks; a module that is not loaded has no answer.
            raise AttributeError(attribute)
        return give(load, attribute)

    vars(stand_in)["__getattr__"] = ask
    sys.modules[name] = stand_in
    try:
        yield
    finally:
        leave()
