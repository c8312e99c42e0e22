"""Database URLs of the plain kind, which can be read without SQLAlchemy: it takes longer to import than all that a
short command does.

A URL of any other kind, with percent signs in names or with several hosts, is left to SQLAlchemy, whose versions do not
all read it in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
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
    """Where a database is, and as whom to go there: the parts of a plain URL."""

    database: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    host: str | None = None
    port: int | None = None
    query: Mapping[str, str] = field(default_factory=dict)

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

    @property
    def url(self) -> URL:
        """The same for SQLAlchemy."""
        from sqlalchemy import URL

        return URL.create(DRIVER, self.username, self.password, self.host, self.port, self.database, dict(self.query))

    @property
    def shown(self) -> str:
        """The URL as a person writes it, with its password masked."""
        user = "" if self.username is None else f"{self.username}{':***' if self.password else ''}@"
        port = "" if self.port is None else f":{self.port}"
        pairs = [f"{quote_plus(key)}={quote_plus(value, safe='/')}" for key, value in sorted(self.query.items())]
        query = f"?{'&'.join(pairs)}" if pairs else ""
        return f"postgresql://{user}{self.host or ''}{port}/{quote(self.database, safe=' +/')}{query}"

    @property
    def arguments(self) -> dict[str, str | int]:
        """What the driver is told to go there."""
        parts = {
            "host": self.host,
            "dbname": self.database,
            "user": self.username,
            "password": self.password,
            "port": self.port,
        }
        given: dict[str, str | int] = {key: value for key, value in parts.items() if value}
        return {**given, **self.query}
