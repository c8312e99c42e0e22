"""The meta tables and views, as SQLAlchemy Core DDL, compatible with those of half_orm's own tool.

Columns of ours are added, never renamed, and may be null, so that rows of that tool stay valid.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    Interval,
    MetaData,
    PrimaryKeyConstraint,
    Select,
    Table,
    Text,
    select,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateSchema, CreateTable

REGISTRY_SCHEMA = "half_orm_meta"
VIEW_SCHEMA = "half_orm_meta.view"
REGISTRY_SCHEMAS = (REGISTRY_SCHEMA, VIEW_SCHEMA)

METADATA = MetaData(schema=REGISTRY_SCHEMA)

DATABASE_OWN_COLUMNS = (
    Column("production", Boolean, server_default=text("false"), comment="whether data here must never be lost"),
    Column("production_since", DateTime(timezone=True)),
)

DATABASE = Table(
    "database",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text),
    *DATABASE_OWN_COLUMNS,
)

RELEASE_OWN_COLUMNS = (
    Column("applied_at", DateTime(timezone=True), server_default=text("clock_timestamp()")),
    Column("applied_by", Text, server_default=text("session_user"), comment="database role"),
    Column("applied_from", Text, comment="operating system user and host"),
    Column("duration", Interval, comment="time that the patch files took"),
    Column("author", Text, comment="author of the commit"),
    Column("checksum", Text, comment="sha256 over the patch files"),
    Column("tag", Text, comment="the tag that it was read from"),
    Column("tree", Text, comment="Git's id of the folder of its patch files"),
    Column("started_at", DateTime(timezone=True)),
)

RELEASE = Table(
    "hop_release",
    METADATA,
    Column("major", Integer, nullable=False),
    Column("minor", Integer, nullable=False),
    Column("patch", Integer, nullable=False),
    Column("pre_release", Text, nullable=False, server_default=text("''")),
    Column("pre_release_num", Text, nullable=False, server_default=text("''")),
    Column("date", Date, server_default=text("CURRENT_DATE")),
    Column("time", postgresql.TIME(timezone=True, precision=0), server_default=text("CURRENT_TIME")),
    Column("changelog", Text),
    Column("commit", Text),
    Column("dbid", Text, ForeignKey(DATABASE.c.id, onupdate="CASCADE")),
    Column("hop_release", Text, comment="version of hop"),
    *RELEASE_OWN_COLUMNS,
    PrimaryKeyConstraint("major", "minor", "patch", "pre_release", "pre_release_num", name="hop_release_pkey"),
    CheckConstraint("major >= 0", name="hop_release_major_check"),
    CheckConstraint("minor >= 0", name="hop_release_minor_check"),
    CheckConstraint("patch >= 0", name="hop_release_patch_check"),
    CheckConstraint("pre_release IN ('alpha', 'beta', 'rc', '')", name="hop_release_pre_release_check"),
    CheckConstraint(r"pre_release_num = '' OR pre_release_num ~ '^\d+$'", name="hop_release_pre_release_num_check"),
)

RELEASE_ISSUE = Table(
    "hop_release_issue",
    METADATA,
    Column("num", Integer, nullable=False),
    Column("issue_release", Integer, nullable=False, server_default=text("0")),
    Column("release_major", Integer, nullable=False),
    Column("release_minor", Integer, nullable=False),
    Column("release_patch", Integer, nullable=False),
    Column("release_pre_release", Text, nullable=False),
    Column("release_pre_release_num", Text, nullable=False),
    Column("changelog", Text),
    PrimaryKeyConstraint("num", "issue_release", name="hop_release_issue_pkey"),
    CheckConstraint("num >= 0", name="hop_release_issue_num_check"),
    ForeignKeyConstraint(
        ["release_major", "release_minor", "release_patch", "release_pre_release", "release_pre_release_num"],
        [RELEASE.c.major, RELEASE.c.minor, RELEASE.c.patch, RELEASE.c.pre_release, RELEASE.c.pre_release_num],
        name="hop_release_issue_release_fkey",
    ),
)

ATTEMPT = Table(
    "hop_attempt",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("command", Text, nullable=False, comment="upgrade or restore"),
    Column("from_release", Text),
    Column("to_release", Text),
    Column("state", Text, nullable=False, server_default=text("'running'")),
    Column("detail", Text, comment="why it failed"),
    Column("backup", Text, comment="the backup that was made before"),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    Column("ended_at", DateTime(timezone=True)),
    Column("applied_by", Text, nullable=False, server_default=text("session_user"), comment="database role"),
    Column("applied_from", Text, comment="operating system user and host"),
    Column("hop_release", Text, comment="version of hop"),
    CheckConstraint("state IN ('running', 'done', 'failed', 'interrupted')", name="hop_attempt_state_check"),
    comment="one row for each time that a command began to change this database",
)

STEP = Table(
    "hop_step",
    METADATA,
    Column("major", Integer, nullable=False),
    Column("minor", Integer, nullable=False),
    Column("patch", Integer, nullable=False),
    Column("step", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("checksum", Text, nullable=False, comment="sha256 over what it runs"),
    Column("state", Text, nullable=False, server_default=text("'planned'")),
    Column("before", postgresql.JSONB, comment="what its result is told by, as it was before"),
    Column("started_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("major", "minor", "patch", "step", name="hop_step_pkey"),
    CheckConstraint("state IN ('planned', 'running', 'done')", name="hop_step_state_check"),
    comment="the steps of releases that are more than one transaction",
)

_BY_VERSION_DESCENDING = (RELEASE.c.major.desc(), RELEASE.c.minor.desc(), RELEASE.c.patch.desc())


def _last_release() -> Select[tuple[object, ...]]:
    columns = RELEASE.c
    return (
        select(
            columns.major, columns.minor, columns.patch, columns.pre_release, columns.pre_release_num,
            columns.date, columns.time, columns.changelog, columns.commit,
        )
        .order_by(*_BY_VERSION_DESCENDING, columns.pre_release.desc(), columns.pre_release_num.desc())
        .limit(1)
    )  # fmt: skip


def _penultimate_release() -> Select[tuple[object, ...]]:
    last_two = (
        select(RELEASE.c.major, RELEASE.c.minor, RELEASE.c.patch)
        .order_by(*_BY_VERSION_DESCENDING)
        .limit(2)
        .subquery("penultimate")
    )
    return select(last_two).order_by(last_two.c.major, last_two.c.minor, last_two.c.patch).limit(1)


def definition() -> str:
    """SQL that makes the meta tables and views; what is there stays, with our columns added.

    `tables.sql` holds it, so that a registry can be made without SQLAlchemy.
    """
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    statements: list[str] = []
    for schema in REGISTRY_SCHEMAS:
        statements.append(str(CreateSchema(schema, if_not_exists=True).compile(dialect=dialect)))
    for table in METADATA.sorted_tables:
        statements.append(str(CreateTable(table, if_not_exists=True).compile(dialect=dialect)))
    for table, columns in ((DATABASE, DATABASE_OWN_COLUMNS), (RELEASE, RELEASE_OWN_COLUMNS)):
        for column in columns:
            kind = column.type.compile(dialect)
            change = f"ALTER TABLE {REGISTRY_SCHEMA}.{table.name}"
            statements.append(f"{change} ADD COLUMN IF NOT EXISTS {column.name} {kind}")
            if column.server_default is not None:
                # Apart from the column, so that rows that were there before do not get it.
                default = column.server_default.arg  # type: ignore[attr-defined]
                statements.append(f"{change} ALTER COLUMN {column.name} SET DEFAULT {default}")
    preparer = dialect.identifier_preparer
    for name, query in (("hop_last_release", _last_release()), ("hop_penultimate_release", _penultimate_release())):
        body = query.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
        statements.append(f"CREATE OR REPLACE VIEW {preparer.quote_schema(VIEW_SCHEMA)}.{name} AS {body}")
    return "".join(f"{_tidy(statement)};\n" for statement in statements)


def _tidy(statement: str) -> str:
    return "\n".join(line.rstrip().expandtabs(4) for line in statement.strip().splitlines() if line.strip())
