"""Where a database is: its URL, read without SQLAlchemy as long as it is of the plain kind.

SQLAlchemy takes longer to import than all that a short command does. A URL of any other kind, with percent signs in
names or with several hosts, is left to it, since its versions do not all read it in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, quote_plus

if TYPE_CHECKING:
    from sqlalchemy import URL

DRIVER = "postgresql+psycopg2"

PLAIN_URL = re.compile(
    r"""
    (?:postgresql|postgres)(?:\+psycopg2)?://
    (?:(?P<username>[\w.-]+)(?::(?P<password>[\w.~!$*+=-]+))?@)?
    (?P<host>[A-Za-z0-9._-]+)?
    (?::(?P<port>[0-9]{1,5}))?
    (?:/(?P<database>[\w.-]+)?)?
    (?:\?(?P<query>[\w.=&%/+-]*))?
    """,
    re.VERBOSE | re.ASCII,
)
ELSEWHERE = frozenset({"user", "password", "dbname"})
"""Parts of a URL that its query may have too."""


@dataclass(frozen=True)
class Address:
    """Where a database is, and as whom to go there: the parts of a URL.

    `source` is the URL that SQLAlchemy has read, where it is not a plain one.
    """

    database: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    host: str | None = None
    port: int | None = None
    query: Mapping[str, Any] = field(default_factory=dict)
    source: URL | None = None

    @classmethod
    def find(cls, text: str, *, default_database: str) -> Address | None:
        """The address that a URL says; None if it is not a plain one."""
        match = PLAIN_URL.fullmatch(text)
        if match is None:
            return None
        found = match.groupdict()
        pairs = parse_qsl(found["query"] or "")
        query = dict(pairs)
        if len(query) < len(pairs) or query.keys() & ELSEWHERE or re.search("[:,]", query.get("host", "")):
            return None
        if not re.fullmatch("[0-9]{0,5}", query.get("port", "")):
            return None
        port = int(found["port"]) if found["port"] else None
        database = found["database"] or default_database
        return cls(database, found["username"], found["password"], found["host"], port, query)

    @classmethod
    def of(cls, place: Address | URL) -> Address:
        """The address of a URL that SQLAlchemy has read."""
        if isinstance(place, Address):
            return place
        url = place
        return cls(str(url.database), url.username, url.password, url.host, url.port, url.query, url)

    @property
    def url(self) -> URL:
        """The same for SQLAlchemy."""
        if self.source is not None:
            return self.source
        from sqlalchemy import URL

        return URL.create(DRIVER, self.username, self.password, self.host, self.port, self.database, dict(self.query))

    def beside(self, database: str) -> Address:
        """Another database of the same server."""
        source = None if self.source is None else self.source.set(database=database)
        return replace(self, database=database, source=source)

    @property
    def shown(self) -> str:
        """The URL as a person writes it: without the driver, with the password masked, and with plain slashes."""
        if self.source is not None:
            url = self.source.set(drivername="postgresql")
            return url.render_as_string(hide_password=True).replace("%2F", "/")
        return self._written("***", safe="/")

    @property
    def text(self) -> str:
        """The whole URL, with its password, for another process to read."""
        if self.source is not None:
            return self.source.set(drivername="postgresql").render_as_string(hide_password=False)
        return self._written(self.password)

    def _written(self, password: str | None, *, safe: str = "") -> str:
        user = "" if self.username is None else f"{self.username}{f':{password}' if self.password else ''}@"
        port = "" if self.port is None else f":{self.port}"
        pairs = [f"{quote_plus(key)}={quote_plus(value, safe=safe)}" for key, value in sorted(self.query.items())]
        query = f"?{'&'.join(pairs)}" if pairs else ""
        return f"postgresql://{user}{self.host or ''}{port}/{quote(self.database, safe=' +/')}{query}"

    @property
    def arguments(self) -> dict[str, Any]:
        """What the driver is told to go there."""
        if self.source is not None:
            dialect = self.source.set(drivername=DRIVER).get_dialect()()
            return dict(dialect.create_connect_args(self.source)[1])
        parts = {
            "host": self.host,
            "dbname": self.database,
            "user": self.username,
            "password": self.password,
            "port": self.port,
        }
        return {**{key: value for key, value in parts.items() if value}, **self.query}
