"""The module `tables.py`: every table and view of a database as a table of SQLAlchemy Core."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from hop_tasks.errors import DatabaseError
from hop_tasks.package.generators import COMMAND, GENERATED_MARK
from hop_tasks.versions import Version

if TYPE_CHECKING:
    from sqlalchemy import Connection

HEADER = f'''"""{GENERATED_MARK}

Each table and view is a table of SQLAlchemy Core, `t_name` in the schema public and `t_schema_name` in every other.
Change the database with a patch file and make this module again with: {COMMAND}
"""

# fmt: off
# ruff: noqa

__release__ = %s
'''


def generate_tables(connection: Connection, release: Version | None) -> str:
    """The text of the module. Raises DatabaseError when the database cannot be read."""
    from sqlalchemy.exc import SAWarning, SQLAlchemyError

    from hop_tasks.package.reflection import reflect_tables

    # sqlacodegen imports inflect for plurals, which no table needs, and that alone takes more than a second.
    with imported_on_use("inflect"):
        from hop_tasks.package.rendering import render_tables

    with warnings.catch_warnings():
        # A type that SQLAlchemy does not know is dealt with here and is nothing that a person could act on.
        warnings.simplefilter("ignore", SAWarning)
        try:
            body = render_tables(reflect_tables(connection), connection)
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise DatabaseError(
                f"the tables of the database could not be read: {reason}", hint=f"remove the cause, then {COMMAND}"
            ) from error
    return HEADER % (None if release is None else f'"{release}"') + "\n" + body


@contextmanager
def imported_on_use(name: str) -> Iterator[None]:
    """Within the context, importing `name` gives a stand-in that loads the module when something is asked of it."""
    if name in sys.modules:
        yield
        return
    stand_in = ModuleType(name)

    def leave() -> None:
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]

    def load(attribute: str) -> object:
        leave()
        return getattr(import_module(name), attribute)

    vars(stand_in)["__getattr__"] = load
    sys.modules[name] = stand_in
    try:
        yield
    finally:
        leave()
