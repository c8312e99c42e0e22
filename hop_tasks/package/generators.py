"""What can write the modules of a package: the protocol, and the generators by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from hop_tasks.versions import Version

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hop_tasks.database.connections import Connection as HopConnection

COMMAND = "hop sync-package"
"""The command that makes the modules again."""

NO_GENERATOR = "none"
"""The name that leaves the package, and what is in it, to the user."""


HALF_ORM = "half_orm"
"""The name of what writes classes of half_orm, which does not connect by a URL."""


class Generator(Protocol):
    """Makes modules from a database. The same database must give the same texts, whatever it is called."""

    @property
    def name(self) -> str:
        """The name in the settings."""

    def generate(self, connection: Connection, release: Version | None) -> Mapping[str, str]:
        """The text of each file by its path below the package, with slashes.

        Each has one of the marks in `hop_tasks.package` on its first lines, which says what becomes of it later:
        `GENERATED_MARK`, `KEPT_MARK` or `ONCE_MARK`. What is no longer given is removed.

        Args:
            connection: to the database; its transaction and its settings are afterwards as before.
            release: the release of the database; None when it has no registry.
        """

    def digest(self, connection: HopConnection) -> str | None:
        """A digest over all that `generate` reads of the database: another one where its texts may be others.

        None if that cannot be told.
        """


class TablesGenerator:
    """Writes `tables/`: the tables and views of the database as tables of SQLAlchemy Core."""

    name = "tables"

    def generate(self, connection: Connection, release: Version | None) -> Mapping[str, str]:
        from hop_tasks.package.tables import generate_tables

        return generate_tables(connection, release)

    def digest(self, connection: HopConnection) -> str | None:
        return _digest(connection)


@dataclass(frozen=True)
class ModelsGenerator:
    """Writes `models/`: the tables of the database as classes, in a style of `hop_tasks.package.models`."""

    name: str

    def generate(self, connection: Connection, release: Version | None) -> Mapping[str, str]:
        from hop_tasks.package.tables import generate_models

        return generate_models(connection, release, self.name)

    def digest(self, connection: HopConnection) -> str | None:
        return _digest(connection)


class HalfOrmGenerator:
    """Writes a class of half_orm for each relation, in the folders of its schema."""

    name = HALF_ORM

    def generate(self, connection: Connection, release: Version | None) -> Mapping[str, str]:  # noqa: ARG002
        from hop_tasks.package.half_orm import generate_half_orm

        return generate_half_orm(connection)

    def digest(self, connection: HopConnection) -> str | None:  # noqa: ARG002
        return None


class NoneGenerator:
    """Writes nothing: the package is the user's alone."""

    name = NO_GENERATOR

    def generate(self, connection: Connection, release: Version | None) -> Mapping[str, str]:  # noqa: ARG002
        return {}

    def digest(self, connection: HopConnection) -> str | None:  # noqa: ARG002
        return None


def _digest(connection: HopConnection) -> str | None:
    from psycopg2 import Error

    from hop_tasks.package.inputs import digest_inputs

    try:
        return digest_inputs(connection)
    except Error:
        # What is wrong is said by whoever needs it.
        return None


_BUILT_IN: tuple[Generator, ...] = (
    TablesGenerator(),
    ModelsGenerator("declarative"),
    ModelsGenerator("dataclasses"),
    ModelsGenerator("sqlmodel"),
    HalfOrmGenerator(),
    NoneGenerator(),
)

GENERATORS: Mapping[str, Generator] = MappingProxyType({generator.name: generator for generator in _BUILT_IN})
"""The generators by name; the first is the default. There are those of the user and of other distributions besides."""


def find_generator(name: str, root: Path | None = None) -> Generator:
    """The generator called `name`: one of hop's, an entry point, or a function of the user's.

    Args:
        name: a name of `GENERATORS` or of an entry point, or `module:function`.
        root: the project's folder, in which modules of the user's are found.

    Raises UsageError that names the known ones, or ProjectError that says why it cannot be had.
    """
    if name in GENERATORS:
        return GENERATORS[name]
    from hop_tasks.package.own_generators import find_own_generator

    return find_own_generator(name, root, tuple(GENERATORS))
