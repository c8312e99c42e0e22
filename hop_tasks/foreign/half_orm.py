"""Projects of half_orm's own `hop` 0.13: what that tool keeps in `.hop`, and where it finds the database."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hop_tasks.errors import ProjectError
from hop_tasks.names import HALF_ORM_CONFIG
from hop_tasks.versions import Version

if TYPE_CHECKING:
    from configparser import ConfigParser

    from sqlalchemy import URL

CONFIG = HALF_ORM_CONFIG
CHANGELOG = ".hop/CHANGELOG"
CONFIG_SECTION = "halfORM"
CONNECTION_SECTION = "database"

FOLDER_VARIABLE = "HALFORM_CONF_DIR"
DEFAULT_FOLDER = "/etc/half_orm"


@dataclass(frozen=True)
class HalfOrmProject:
    """A project as half_orm's tool has left it.

    Attributes:
        package: the project's and its Python package's name; its connection file is called so, too.
        tool_version: the version of that tool, as it writes it.
        devel: whether it manages releases.
        released: the releases of its CHANGELOG, lowest first; 0.0.0, with which it began, is one of them.
        in_preparation: those that it has begun and not released, lowest first.
    """

    package: str
    tool_version: str
    devel: bool
    released: tuple[Version, ...]
    in_preparation: tuple[Version, ...]


@dataclass(frozen=True)
class ConnectionFile:
    """A connection file of half_orm: where a database is, for this machine. Without a host it is the local socket."""

    path: Path
    database: str
    user: str | None
    host: str | None
    port: int | None
    production: bool
    password: str | None = field(default=None, repr=False)

    def url(self) -> URL:
        """The URL, with its password."""
        from sqlalchemy import URL

        # libpq takes a host that begins with a slash for the folder of a socket; in a URL that is a parameter.
        socket = self.host if self.host and self.host.startswith("/") else None
        query = {"host": socket, **({"port": str(self.port)} if self.port else {})} if socket else {}
        return URL.create(
            "postgresql",
            username=self.user,
            password=self.password,
            host=None if socket else self.host,
            port=None if socket else self.port,
            database=self.database,
            query={key: value for key, value in query.items() if value},
        )


def find_half_orm_project(root: Path) -> HalfOrmProject | None:
    """The project of half_orm's tool in a folder; None if there is none. Raises ProjectError if it cannot be read."""
    path = root / CONFIG
    if not path.is_file():
        return None
    import configparser

    parser = _read(path)
    try:
        package = parser.get(CONFIG_SECTION, "package_name")
        tool = parser.get(CONFIG_SECTION, "hop_version", fallback="")
        devel = parser.getboolean(CONFIG_SECTION, "devel", fallback=False)
    except (configparser.Error, ValueError) as error:
        raise _unreadable(path, error) from error
    released, prepared = _read_changelog(root / CHANGELOG)
    return HalfOrmProject(package, tool, devel, released, prepared)


def connection_path(package: str, environ: Mapping[str, str] | None = None) -> Path:
    """Where half_orm looks for the connection file of a package on this machine."""
    given = os.environ if environ is None else environ
    return Path(given.get(FOLDER_VARIABLE) or DEFAULT_FOLDER) / package


def read_connection_file(path: Path) -> ConnectionFile | None:
    """The connection file at a path; None if there is none. Raises ProjectError if it cannot be read."""
    if not path.is_file():
        return None
    import configparser

    parser = _read(path)

    def text(key: str) -> str | None:
        return (parser.get(CONNECTION_SECTION, key, fallback=None) or "").strip() or None

    try:
        port = text("port")
        return ConnectionFile(
            path=path,
            database=parser.get(CONNECTION_SECTION, "name"),
            user=text("user"),
            host=text("host"),
            port=int(port) if port else None,
            production=parser.getboolean(CONNECTION_SECTION, "production", fallback=False),
            password=parser.get(CONNECTION_SECTION, "password", fallback=None) or None,
        )
    except (configparser.Error, ValueError) as error:
        raise _unreadable(path, error) from error


def _read_changelog(path: Path) -> tuple[tuple[Version, ...], tuple[Version, ...]]:
    """The releases of a CHANGELOG, and those in preparation.

    A line is `tool <TAB> release <TAB> commit <TAB> …`; without a commit the release is in preparation.
    """
    released: list[Version] = []
    prepared: list[Version] = []
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return (), ()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        parts = line.split("\t")
        version = Version.find(parts[1]) if len(parts) > 2 else None
        if version is None:
            raise ProjectError(
                f"{path}:{number}: {line!r} is not a line of half_orm's tool; nothing was changed",
                hint=f"git log -p -- {CHANGELOG}",
            )
        (released if parts[2].strip() else prepared).append(version)
    return tuple(sorted(released)), tuple(sorted(prepared))


def _read(path: Path) -> ConfigParser:
    import configparser

    # With %-signs doubled, as that tool has them.
    parser = configparser.ConfigParser()
    try:
        parser.read_string(path.read_text("utf-8"), str(path))
    except (configparser.Error, OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    return parser


def _unreadable(path: Path, error: Exception) -> ProjectError:
    # A parser's message repeats the line, which may hold a password.
    reason = getattr(error, "strerror", None) or type(error).__name__
    return ProjectError(f"{path} cannot be read ({reason}); nothing was changed", hint=f"correct {path}")
