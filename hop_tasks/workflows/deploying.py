"""Bringing releases into a database: read from their tags or the work tree, each one in one transaction."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from hop_tasks.database.engines import Database
from hop_tasks.database.interrupts import cancelled_by_signals
from hop_tasks.database.locks import whoami
from hop_tasks.registry import ReleaseRow, create_registry, insert_release
from hop_tasks.report import Reporter
from hop_tasks.scripts import (
    FileRun,
    PatchFile,
    ReleaseScripts,
    check_scripts,
    run_scripts,
)
from hop_tasks.versions import ORIGIN_VERSION, Version
from hop_tasks.workflows.reading import Deployable
from hop_tasks.workflows.workspace import hop_version


@dataclass(frozen=True)
class Deployed:
    """A release that was brought into a database: its files with their times, and the seconds of the whole."""

    version: Version
    message: str
    files: tuple[FileRun, ...]
    seconds: float


def deploy(database: Database, release: Deployable, *, lock_timeout: float, reporter: Reporter) -> Deployed:
    """Bring one release into a database: its files and its row in the registry, in one transaction.

    Raises PatchError, with the database as it was before.
    """
    with database.connect() as connection, cancelled_by_signals(connection):
        # So that SQLAlchemy knows of the transaction too, which the driver begins by itself.
        connection.begin()
        started = time.perf_counter()
        files = run_scripts(
            connection, release.scripts, root=release.root, lock_timeout=lock_timeout, reporter=reporter
        )
        seconds = time.perf_counter() - started
        insert_release(
            connection,
            registry_row(
                release.version,
                release.message,
                commit=release.commit,
                author=release.author,
                checksum=release.checksum,
                seconds=seconds,
            ),
        )
        connection.commit()
    return Deployed(release.version, release.message, files, seconds)


def found_registry(
    database: Database,
    schema: PatchFile | None,
    *,
    version: Version = ORIGIN_VERSION,
    message: str,
    commit: str | None = None,
    author: str | None = None,
    production: bool = False,
    lock_timeout: float = 0.0,
    reporter: Reporter,
) -> None:
    """Begin the registry of a database at a release, after loading a schema if one is given, in one transaction."""
    with database.connect() as connection, cancelled_by_signals(connection):
        connection.begin()
        started = time.perf_counter()
        if schema is not None:
            checked = check_scripts(ReleaseScripts(version, (schema,)))
            run_scripts(connection, checked, root=Path.cwd, lock_timeout=lock_timeout, reporter=reporter)
        create_registry(connection, production=production)
        seconds = time.perf_counter() - started
        insert_release(connection, registry_row(version, message, commit=commit, author=author, seconds=seconds))
        connection.commit()


def registry_row(
    version: Version,
    message: str,
    *,
    commit: str | None,
    author: str | None,
    checksum: str | None = None,
    seconds: float | None = None,
) -> ReleaseRow:
    """The registry's row for a release that is brought into a database now, by this person, with this hop."""
    return ReleaseRow(
        version=version,
        message=message,
        commit=commit,
        author=author,
        checksum=checksum,
        duration=None if seconds is None else timedelta(seconds=seconds),
        applied_from=whoami(),
        hop_version=hop_version(),
    )
