"""What a place looks like from outside, to compare one where something went wrong with one where nothing did."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from sqlalchemy import make_url

from hop_tasks.catalog import read_catalog
from hop_tasks.database.engines import Database
from tests.playground import Playground
from tests.workflows.shelf import database_of

TYPED_IN = re.compile(r"typed in (\w+)")
TIME = re.compile(r"(?<=^before_apply)_\d{8}_\d{6}(_[0-9a-f]{4})?$")

REGISTRY = """
    SELECT concat_ws('.', major, minor, patch), changelog, "commit", checksum, tag, tree
    FROM half_orm_meta.hop_release ORDER BY major, minor, patch
"""
TABLES = """
    SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'half_orm_meta') ORDER BY 1
"""


@dataclass(frozen=True)
class State:
    """The state of a place.

    Attributes:
        fingerprint: of the catalog.
        rows: table -> hash over its rows.
        registry: release, message, commit, checksum, tag and tree of each row.
        refs, origin: the refs of the repository and of its origin, with their commits.
        changes: what Git says of the work tree.
        beside: the kinds of databases that hop keeps beside this one.
        dumps: the kinds of dumps that stand for such databases.
        typed_in: what is kept of it in dumps.
        running: attempts and steps that are said to be running.
    """

    fingerprint: str
    rows: dict[str, str]
    registry: tuple[tuple[object, ...], ...]
    refs: str
    origin: str
    changes: str
    beside: tuple[str, ...]
    dumps: tuple[str, ...]
    typed_in: tuple[str, ...]
    running: int


def state_of(place: Playground) -> State:
    """The state of a place, all of which must be the same however often the work was interrupted."""
    with Database(make_url(place.url).set(drivername="postgresql+psycopg2")).connect() as connection:
        fingerprint = read_catalog(connection).fingerprint
    rows = {}
    for (table,) in place.sql(TABLES):
        text = place.sql(f'SELECT string_agg(t::text, chr(10) ORDER BY t::text COLLATE "C") FROM {table} AS t')[0][0]
        rows[table] = hashlib.sha256((text or "").encode()).hexdigest()
    running = place.sql(
        "SELECT (SELECT count(*) FROM half_orm_meta.hop_attempt WHERE state = 'running')"
        " + (SELECT count(*) FROM half_orm_meta.hop_step WHERE state <> 'done')"
    )
    origin = place.folder.parent / "origin.git"
    return State(
        fingerprint,
        rows,
        tuple(place.sql(REGISTRY)),
        place.refs(),
        place.git("-C", str(origin), "for-each-ref") if origin.exists() else "",
        place.git("status", "--porcelain"),
        _beside(place),
        _dumps(place),
        _typed_in(place),
        running[0][0],
    )


def _beside(place: Playground) -> tuple[str, ...]:
    own = database_of(place)
    names = sorted(name.removeprefix(own) for name in place.databases() if name != own)
    for kind in ("_replaced", "_spare"):
        names = [kind if name.startswith(f"{kind}_") else name for name in names]
    return tuple(sorted(set(names)))


def _dumps(place: Playground) -> tuple[str, ...]:
    names = {path.name for path in (place.folder / ".hop/snapshots").glob("*/*")}
    return tuple(sorted({TIME.sub("", name) for name in names}))


def _typed_in(place: Playground) -> tuple[str, ...]:
    kept = (place.folder / ".hop/snapshots").glob("*/before_apply*/data")
    return tuple(sorted({word for path in kept for word in TYPED_IN.findall(path.read_text())}))


def attempts_of(place: Playground) -> list[str]:
    """The states of the attempts that the database's audit has, in their order."""
    return [row[0] for row in place.sql("SELECT state FROM half_orm_meta.hop_attempt ORDER BY id")]
