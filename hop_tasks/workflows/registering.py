"""The row that the registry gets for a release."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache

from hop_tasks.database.applications import whoami
from hop_tasks.installed import hop_version
from hop_tasks.registry import ReleaseRow
from hop_tasks.versions import Version
from hop_tasks.workflows.reading import Deployable


def registry_row(
    version: Version,
    message: str,
    *,
    commit: str | None,
    author: str | None,
    tag: str | None = None,
    tree: str | None = None,
    checksum: str | None = None,
    started_at: datetime | None = None,
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
        applied_from=_whoami(),
        hop_version=_hop_version(),
        tag=tag,
        tree=tree,
        started_at=started_at,
    )


def row_of(release: Deployable, started_at: datetime, seconds: float) -> ReleaseRow:
    """The same for a release that was read, whose patch files took so many seconds."""
    return registry_row(
        release.version,
        release.message,
        commit=release.commit,
        author=release.author,
        tag=release.tag,
        tree=release.tree,
        checksum=release.checksum,
        started_at=started_at,
        seconds=seconds,
    )


# Neither changes while a command runs, and thousands of releases are brought in by one.
_whoami = cache(whoami)
_hop_version = cache(hop_version)
