"""Restoring archives of pg_dump's, also by a pg_restore that is newer than the server."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hop_tasks.database.addresses import Address
from hop_tasks.database.clients import client_version, failure, run_to_end

if TYPE_CHECKING:
    from sqlalchemy import URL

IGNORED = "errors ignored on restore"
"""What pg_restore says at its end, where errors are no reason to stop."""

TRANSACTION_TIMEOUT_SINCE = 170000
"""transaction_timeout exists since PostgreSQL 17; pg_restore sets it from then on, whatever the server."""

UNKNOWN_TIMEOUT = re.compile(r"could not execute query: .*\nCommand was: SET transaction_timeout = 0;\n")
FIRST_WORDS = re.compile(r"^(?:pg_restore:|error:|[ ])+$", re.MULTILINE)


def restore_archive(
    program: Path, arguments: Sequence[str], archive: Path, place: Address | URL, *, server_version: int
) -> None:
    """Restore an archive of pg_dump's into a database; whatever could not be restored is an error.

    Args:
        program: pg_restore, from `find_client`.
        arguments: further options.
        archive: the file or folder.
        place: the database.
        server_version: libpq's number of its server's version.

    Raises DatabaseError if it fails: at the first error, or after the last where the program sets what the server does
    not know, which is the only error that counts as none.
    """
    knows_more = server_version < TRANSACTION_TIMEOUT_SINCE <= (client_version(program) or 0)
    # It connects only when given a database; the empty one leaves all to the environment.
    options = ["--dbname=", *([] if knows_more else ["--exit-on-error"]), *arguments]
    ended = run_to_end(program, [*options, str(archive)], place)
    # Several processes of it may write at once, and their first words get mixed up.
    messages, times = UNKNOWN_TIMEOUT.subn("\n", ended.messages)
    if ended.code != 0 and (IGNORED not in messages or messages.count("error:") > times):
        raise failure(program, replace(ended, messages=FIRST_WORDS.sub("", messages)))
