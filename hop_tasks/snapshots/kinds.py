"""What hop's databases beside a development database are, by their marks, and how they are called while made."""

from __future__ import annotations

import re
import secrets

from hop_tasks.names import database_beside

SNAPSHOT = "snapshot"
"""The state of a release: the base that the next ones start from."""

SPARE = "spare"
"""A copy of a snapshot that waits for the next apply."""

WORK = "work"
"""Where a command is at work; what is left of it is dropped by the next one."""

DISCARDED = "discarded"
"""One that nobody needs, and that a process in the background drops, since PostgreSQL takes its time for it."""

REPLACED = "replaced"
BEFORE_APPLY = "before_apply"
BEGUN = "begun"
"""In the mark of a database that was replaced: the release some steps of which had run in it."""

UNDECIDED = "undecided"
"""In the mark of a database that was replaced: a command has yet to find out whether anybody wrote to it."""

SOURCE = "source"
"""In the mark of a spare: the server's number of the snapshot that it is a copy of."""

COMMIT = "commit"
"""In the mark of a snapshot or a spare: the commit of its release."""

AT = "at"
"""In a mark: when the database was made or replaced, in ISO 8601."""


def way_out(name: str, of: str) -> str:
    """What to do where a database is named that hop keeps beside the database `of`."""
    return (
        f"name {of} in HOP_DATABASE_URL; or, to make {name} an ordinary database of its own: "
        f'COMMENT ON DATABASE "{name}" IS NULL'
    )


def provisional_name(of: str, kind: str) -> str:
    """A new name for a database that is being made, or is about to go."""
    return database_beside(of, f"{kind}_{secrets.token_hex(4)}")


def provisional_names(of: str, kind: str) -> re.Pattern[str]:
    """The names that `provisional_name` gives."""
    example = database_beside(of, f"{kind}_{'0' * 8}")
    return re.compile(re.escape(example[:-8]) + r"[0-9a-f]{8}")
