"""Reading and writing the registry: which releases a database has had, and whether it is production."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hop_tasks.errors import ModeError, StateError
from hop_tasks.versions import Version

if TYPE_CHECKING:
    from sqlalchemy import Connection


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


def read_state(connection: Connection) -> RegistryState:
    """The registry of the connection's database, one left by half_orm's own tool included."""
    has_releases, has_stamp = connection.exec_driver_sql(_PRESENT).one()
    if not has_releases and not has_stamp:
        return RegistryState(exists=False)
    production = _read_stamp(connection) if has_stamp else None
    last, first = (
        (read_releases(connection, limit=1), read_releases(connection, limit=1, oldest_first=True))
        if has_releases
        else ((), ())
    )
    return RegistryState(True, production, last[0] if last else None, first[0] if first else None)


def _read_stamp(connection: Connection) -> bool | None:
    """Whether the connection's database is production; None if a row, the column or all rows are missing."""
    from sqlalchemy import Boolean, case, false, func, select, true
    from sqlalchemy.dialects.postgresql import JSONB

    from hop_tasks.registry.tables import DATABASE

    # Read by way of JSON, the row of a registry that lacks our columns yet has nulls for them.
    stamp = func.to_jsonb(DATABASE.table_valued(), type_=JSONB)["production"].astext.cast(Boolean)
    said = case((func.bool_or(stamp), true()), (func.bool_and(stamp.is_not(None)), false()))
    found: bool | None = connection.execute(select(said)).scalar_one()
    return found


def read_releases(
    connection: Connection, *, limit: int | None = None, oldest_first: bool = False
) -> tuple[ReleaseRow, ...]:
    """The releases of the connection's database, newest first. Pre-releases of half_orm's tool are left out."""
    from sqlalchemy import DateTime, Interval, func, select
    from sqlalchemy.dialects.postgresql import JSONB

    from hop_tasks.registry.tables import RELEASE

    # The table has a column of its own name, which would hide the row.
    release = RELEASE.alias("release")
    columns = release.c
    version = (columns.major, columns.minor, columns.patch)
    own = func.to_jsonb(release.table_valued(), type_=JSONB)
    query = (
        select(
            columns.major, columns.minor, columns.patch, columns.changelog, columns.commit,
            own["author"].astext,
            own["checksum"].astext,
            own["duration"].astext.cast(Interval),
            own["applied_from"].astext,
            columns.hop_release,
            own["tag"].astext,
            own["tree"].astext,
            own["started_at"].astext.cast(DateTime(timezone=True)),
            own["applied_by"].astext,
            own["applied_at"].astext.cast(DateTime(timezone=True)),
        )
        .where(columns.pre_release == "")
        .order_by(*(column if oldest_first else column.desc() for column in version))
    )  # fmt: skip
    rows = connection.execute(query if limit is None else query.limit(limit))
    return tuple(
        ReleaseRow(Version(major, minor, patch), changelog or "", *more)
        for major, minor, patch, changelog, *more in rows
    )


def has_release(connection: Connection, version: Version) -> bool:
    """Whether the registry of the connection's database has a release."""
    from sqlalchemy import exists, select

    from hop_tasks.registry.tables import RELEASE

    columns = RELEASE.c
    found = exists().where(
        columns.major == version.major,
        columns.minor == version.minor,
        columns.patch == version.patch,
        columns.pre_release == "",
    )
    return bool(connection.execute(select(found)).scalar_one())


def create_registry(connection: Connection, *, production: bool) -> None:
    """Create the registry in the caller's transaction, or complete one that is there; stamp it if asked."""
    from sqlalchemy import func, insert, select, update

    from hop_tasks.registry.tables import DATABASE, create_tables

    create_tables(connection)
    if connection.execute(select(DATABASE.c.id).limit(1)).first() is None:
        connection.execute(insert(DATABASE).values(id=str(uuid.uuid4()), name=func.current_database()))
    if production:
        connection.execute(update(DATABASE).values(production=True, production_since=func.now()))


def stamp_as_development(connection: Connection) -> None:
    """Complete in the caller's transaction the registry of half_orm's own tool: it says then that it is development."""
    from sqlalchemy import update

    from hop_tasks.registry.tables import DATABASE

    create_registry(connection, production=False)
    connection.execute(update(DATABASE).where(DATABASE.c.production.is_(None)).values(production=False))


_COMPLETE = """
    SELECT count(*) = 2 AND to_regclass('half_orm_meta.hop_step') IS NOT NULL
    FROM pg_attribute
    WHERE attrelid = to_regclass('half_orm_meta.hop_release') AND attname IN ('tree', 'started_at')
"""


def complete_registry(connection: Connection) -> None:
    """Add in the caller's transaction the tables and columns that a registry of an earlier version of hop lacks."""
    from hop_tasks.registry.tables import create_tables

    if not connection.exec_driver_sql(_COMPLETE).scalar_one():
        create_tables(connection)


def insert_release(connection: Connection, row: ReleaseRow) -> None:
    """Note a release in the caller's transaction, so that it is there exactly when its patches are."""
    from sqlalchemy import insert, select

    from hop_tasks.registry.tables import DATABASE, RELEASE

    connection.execute(
        insert(RELEASE).values(
            major=row.version.major,
            minor=row.version.minor,
            patch=row.version.patch,
            changelog=row.message,
            commit=row.commit,
            author=row.author,
            checksum=row.checksum,
            duration=row.duration,
            applied_from=row.applied_from,
            hop_release=row.hop_version,
            tag=row.tag,
            tree=row.tree,
            started_at=row.started_at,
            dbid=select(DATABASE.c.id).limit(1).scalar_subquery(),
        )
    )


def update_commit(connection: Connection, version: Version, commit: str, author: str) -> None:
    """Note the commit that a release of the database was tagged at."""
    from sqlalchemy import update

    from hop_tasks.registry.tables import RELEASE

    columns = RELEASE.c
    connection.execute(
        update(RELEASE)
        .where(columns.major == version.major, columns.minor == version.minor, columns.patch == version.patch)
        .values(commit=commit, author=author)
    )
