"""The text of a schema dump, made the same for the same schema and loadable by a driver."""

from __future__ import annotations

import re

_TITLE = "-- PostgreSQL database dump"
# The head of a dump ends where its first object is announced, so nothing in it was written by a user.
_HEAD_LINE = re.compile(
    r"|--|-- PostgreSQL database dump|-- Dumped (?:from database|by pg_dump) version .*|"
    r"\\restrict \w+|SET \w+ = [^;]*;|SELECT pg_catalog\.set_config\(.*\);"
)
_LEFT_OUT = re.compile(r"-- Dumped .*|\\restrict (?P<key>\w+)|SET transaction_timeout = .*")


def normalise_dump(text: str) -> str:
    """What ``pg_dump --schema-only --no-owner --no-privileges`` wrote, without what changes from one dump to the next.

    Left out are the two comments about versions, ``\\restrict`` and ``\\unrestrict`` with their key, which a driver
    cannot run either, and ``SET transaction_timeout``, which servers before PostgreSQL 17 do not know. A line that only
    looks like one of these, in a function's body or a literal, stays, and so does all of a text that is not a dump.
    Doing it twice is doing it once.
    """
    # Not splitlines(): a literal may hold a form feed or a Unicode line separator.
    lines = text.split("\n")
    size = next((number for number, line in enumerate(lines) if not _HEAD_LINE.fullmatch(line)), len(lines))
    head, body = lines[:size], lines[size:]
    if _TITLE not in head:
        return text
    keys = [match["key"] for line in head if (match := _LEFT_OUT.fullmatch(line)) and match["key"]]
    _drop_blank_end(body)
    if keys and body and body[-1] == f"\\unrestrict {keys[0]}":
        body.pop()
        _drop_blank_end(body)
    kept = [line for line in head if not _LEFT_OUT.fullmatch(line)]
    kept = [line for number, line in enumerate(kept) if line or number == 0 or kept[number - 1]]
    return "\n".join([*kept, *body, ""])


def _drop_blank_end(lines: list[str]) -> None:
    while lines and not lines[-1]:
        lines.pop()
