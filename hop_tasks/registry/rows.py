"""Reading and writing the registry: which releases a database has had, and whether it is production."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from hop_tasks.errors import ModeError, StateError
from hop_tasks.registry.creating import create_tables
from hop_tasks.versions import Version

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


@dataclass(frozen=True)
class ReleaseRow:
    """One release as the registry of a database has it.

    Attributes:
        version, message: the release.
        commit, author: where it comes from.
        checksum: over its patch files.
        duration: the time that they took.
        applied_from: the operating system's user and host.
        hop_version: the hop that brought it in.
        tag: the tag that it was read from; None for one read from a work tree.
        tree: Git's id of the folder of its patch files there.
        started_at: when its patch files began to run.
        applied_by, applied_at: the database role and the time; filled in by the server when they are None.
    """

    version: Version
    message: str
    commit: str | None
    author: str | None
    checksum: str | None
    duration: timedelta | None
    applied_from: str | None
    hop_version: str | None
    tag: str | None = None
    tree: str | None = None
    started_at: datetime | None = None
    applied_by: str | None = None
    applied_at: datetime | None = None


@dataclass(frozen=True)
class RegistryState:
    """What the registry of a database says.

    Attributes:
        exists: whether there is a registry at all.
        production: whether the database is stamped as production; None for a registry that does not say so, such as
            one of half_orm's own tool.
        last: the newest release, None for a registry without rows.
        first: the oldest one, with which the database began; its commit tells which project it belongs to.
    """

    exists: bool
    production: bool | None = False
    last: ReleaseRow | None = None
    first: ReleaseRow | None = None

    @property
    def version(self) -> Version:
        """The release that the database is at. Raises StateError if the registry is missing or empty."""
        if self.last is None:
            raise StateError("the database has no registry of releases", hint="hop shows the state")
        return self.last.version

    def require_development(self, database: str, verb: str) -> None:
        """Raises ModeError if the database is stamped as production, or may be: `verb` could lose data."""
        if self.production:
            raise ModeError(
                f"database {database} is stamped as production; {verb} could lose its data and was refused",
                hint="check HOP_DATABASE_URL; for a copy of production in development: "
                "UPDATE half_orm_meta.database SET production = false",
            )
        if self.production is None:
            raise ModeError(
                f"database {database} does not say whether it is production; {verb} could lose its data and was "
                "refused",
                hint="check HOP_DATABASE_URL; hop init, in a project of half_orm's tool; for another database of "
                "development: ALTER TABLE half_orm_meta.database ADD COLUMN IF NOT EXISTS production boolean; "
                "UPDATE half_orm_meta.database SET production = false",
            )


_PRESENT = (
    "SELECT to_regclass('half_orm_meta.hop_release') IS NOT NULL, to_regclass('half_orm_meta.database') IS NOT NULL"
)

# Read by way of JSON, the row of a registry that lacks our columns yet has nulls for them.
_STAMP = """
    SELECT CASE WHEN bool_or(said) THEN true WHEN bool_and(said IS NOT NULL) THEN false END AS production
    FROM (SELECT (to_jsonb(known) ->> 'production')::boolean AS said FROM half_orm_meta.database AS known) AS stamps
"""

_RELEASES = """
    SELECT major, minor, patch, coalesce(changelog, '') AS message, "commit", own ->> 'author' AS author,
           own ->> 'checksum' AS checksum,
           -- In seconds: the driver cannot read an interval in every IntervalStyle.
           extract(epoch FROM (own ->> 'duration')::interval)::float8 AS duration,
           own ->> 'applied_from' AS applied_from, hop_release, own ->> 'tag' AS tag, own ->> 'tree' AS tree,
           (own ->> 'started_at')::timestamptz AS started_at, own ->> 'applied_by' AS applied_by,
           (own ->> 'applied_at')::timestamptz AS applied_at
    FROM (SELECT *, to_jsonb(release) AS own FROM half_orm_meta.hop_release AS release) AS releases
    WHERE pre_release = ''
    ORDER BY
"""
_NEWEST_FIRST = " major DESC, minor DESC, patch DESC "
_OLDEST_FIRST = " major, minor, patch "
_ENDS = """
    SELECT stamp.production, ends.*
    FROM ({stamp}) AS stamp LEFT JOIN (({newest} LIMIT 1) UNION ALL ({oldest} LIMIT 1)) AS ends ON true
"""


def read_state(connection: Connection) -> RegistryState:
    """The registry of the connection's database, one left by half_orm's own tool included."""
    has_releases, has_stamp = connection.exec_driver_sql(_PRESENT).one()
    if not has_releases and not has_stamp:
        return RegistryState(exists=False)
    stamp = _STAMP if has_stamp else "SELECT NULL::boolean AS production"
    if not has_releases:
        return RegistryState(True, connection.exec_driver_sql(stamp).scalar_one())
    query = _ENDS.format(stamp=stamp, newest=_RELEASES + _NEWEST_FIRST, oldest=_RELEASES + _OLDEST_FIRST)
    rows = connection.exec_driver_sql(query).all()
    ends = sorted((_release(release) for _, *release in rows if release[0] is not None), key=lambda end: end.version)
    return RegistryState(True, rows[0][0], ends[-1], ends[0]) if ends else RegistryState(True, rows[0][0])


def read_releases(connection: Connection, *, limit: int | None = None) -> tuple[ReleaseRow, ...]:
    """The releases of the connection's database, newest first. Pre-releases of half_orm's tool are left out."""
    rows = connection.exec_driver_sql(_RELEASES + _NEWEST_FIRST + "LIMIT %s", (limit,))
    return tuple(map(_release, rows))


_DIGEST = """
    SELECT encode(sha256(convert_to(
        string_agg(concat(major, '.', minor, '.', patch, ' ', "commit"), E'\\n' ORDER BY major, minor, patch), 'UTF8'
    )), 'hex')
    FROM half_orm_meta.hop_release WHERE pre_release = ''
"""


def digest_commits(connection: Connection) -> str | None:
    """The SHA-256, in hexadecimal, over a line `X.Y.Z COMMIT` for each release of the connection's database, the lowest
    first, with a line break between two; None if there is none."""
    digest: str | None = connection.exec_driver_sql(_DIGEST).scalar_one()
    return digest


def _release(row: Sequence[Any]) -> ReleaseRow:
    major, minor, patch, message, commit, author, checksum, seconds, *more = row
    duration = None if seconds is None else timedelta(seconds=seconds)
    return ReleaseRow(Version(major, minor, patch), message, commit, author, checksum, duration, *more)


def read_commits(connection: Connection) -> dict[Version, str | None]:
    """The releases of the connection's database -> the commits that hop applied them from, where it was hop.

    Thousands of them in a moment, unlike the whole rows.
    """
    # Only hop notes an author. By way of JSON, since the registry of half_orm's own tool lacks the column.
    rows = connection.exec_driver_sql(
        """
        SELECT major, minor, patch, CASE WHEN to_jsonb(release) ->> 'author' <> '' THEN "commit" END
        FROM half_orm_meta.hop_release AS release WHERE pre_release = ''
        """
    )
    return {Version(major, minor, patch): commit or None for major, minor, patch, commit in rows}


def has_release(connection: Connection, version: Version) -> bool:
    """Whether the registry of the connection's database has a release."""
    return bool(
        connection.exec_driver_sql(
            """
            SELECT EXISTS (
                SELECT FROM half_orm_meta.hop_release WHERE (major, minor, patch) = (%s, %s, %s) AND pre_release = ''
            )
            """,
            _numbers(version),
        ).scalar_one()
    )


def create_registry(connection: Connection, *, production: bool) -> None:
    """Create the registry in the caller's transaction, or complete one that is there; stamp it if asked."""
    create_tables(connection)
    connection.exec_driver_sql(
        """
        INSERT INTO half_orm_meta.database (id, name)
        SELECT %s, current_database() WHERE NOT EXISTS (SELECT FROM half_orm_meta.database)
        """,
        (str(uuid.uuid4()),),
    )
    if production:
        connection.exec_driver_sql("UPDATE half_orm_meta.database SET production = true, production_since = now()")


def stamp_as_development(connection: Connection) -> None:
    """Complete in the caller's transaction the registry of half_orm's own tool: it says then that it is development."""
    create_registry(connection, production=False)
    connection.exec_driver_sql("UPDATE half_orm_meta.database SET production = false WHERE production IS NULL")


_COMPLETE = """
    SELECT count(*) = 2 AND to_regclass('half_orm_meta.hop_step') IS NOT NULL
    FROM pg_attribute
    WHERE attrelid = to_regclass('half_orm_meta.hop_release') AND attname IN ('tree', 'started_at')
"""


def complete_registry(connection: Connection) -> None:
    """Add in the caller's transaction the tables and columns that a registry of an earlier version of hop lacks."""
    if not connection.exec_driver_sql(_COMPLETE).scalar_one():
        create_tables(connection)


def update_commit(connection: Connection, version: Version, commit: str, author: str) -> None:
    """Note the commit that a release of the database was tagged at."""
    connection.exec_driver_sql(
        """
        UPDATE half_orm_meta.hop_release SET "commit" = %s, author = %s WHERE (major, minor, patch) = (%s, %s, %s)
        """,
        (commit, author, *_numbers(version)),
    )


def _numbers(version: Version) -> tuple[int, int, int]:
    return version.major, version.minor, version.patch
