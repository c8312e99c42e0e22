"""libpq's service files: what a service stands for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from hop_tasks.errors import DatabaseError

USER_FILE = ".pg_service.conf"
SYSTEM_FILE = "pg_service.conf"
SYSTEM_FOLDER = "/etc/postgresql-common"


def service_keywords(service: str, file: str | None) -> dict[str, str]:
    """libpq's keywords and values for a service, from `file` or the user's own, or else the system's.

    Raises DatabaseError for a service that is in none of them.
    """
    folder = Path(os.environ.get("PGSYSCONFDIR") or SYSTEM_FOLDER)
    paths = (Path(file) if file else Path.home() / USER_FILE, folder / SYSTEM_FILE)
    for path in paths:
        try:
            lines = path.read_text("utf-8", "surrogateescape").splitlines()
        except OSError:
            continue
        found = dict(_section(lines, service))
        if any(keyword.startswith("ldap") for keyword in found):
            raise DatabaseError(
                f"the service {service} in {path} is looked up by LDAP, which hop does not do",
                hint="name a URL without a service",
            )
        if found:
            return found
    raise DatabaseError(
        f"the service {service} is in none of libpq's service files ({', '.join(map(str, paths))})",
        hint=f"write [{service}] with its host and dbname into {paths[0]}, or name a URL without a service",
    )


def _section(lines: list[str], service: str) -> Iterator[tuple[str, str]]:
    # The first section of that name counts, and in it the first value of a keyword.
    inside = False
    seen = set()
    for line in map(str.strip, lines):
        if line.startswith("["):
            if inside:
                return
            inside = line.startswith(f"[{service}]")
        elif inside and line and not line.startswith("#"):
            keyword, _, value = line.partition("=")
            if keyword not in seen:
                seen.add(keyword)
                yield keyword, value
