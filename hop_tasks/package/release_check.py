"""Which release this code was made for, and whether a database is at the same one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sqlalchemy import Connection, literal_column, select

__release__: str | None = None

# A query that names a table which is not there fails, and with it the transaction. ts_stat takes a query as a text, so
# that the table is named only where there is one. It gives back words, here the newest release alone.
QUERY = """(
    SELECT word
      FROM ts_stat(
           CASE WHEN to_regclass('half_orm_meta.hop_release') IS NULL
           THEN 'SELECT NULL::tsvector'
           ELSE 'SELECT array_to_tsvector(ARRAY[major || ''.'' || minor || ''.'' || patch])
                   FROM half_orm_meta.hop_release
                  WHERE pre_release = ''''
                  ORDER BY major DESC, minor DESC, patch DESC LIMIT 1' END))"""


class ReleaseState(Enum):
    """How the release of a database and that of this code compare."""

    EQUAL = "equal"
    CODE_BEHIND = "code behind"
    DATABASE_BEHIND = "database behind"
    NOT_INITIALISED = "not initialised"


@dataclass(frozen=True)
class ReleaseCheck:
    """What `check` found. It is true if database and code are at the same release.

    Attributes:
        state: how the releases compare.
        code: the release that this code was made for; None for a database without version tracking.
        database: the release that the database is at; None if it has none.
    """

    state: ReleaseState
    code: str | None
    database: str | None

    def __bool__(self) -> bool:
        return self.state is ReleaseState.EQUAL

    def __str__(self) -> str:
        at = f"the database is at {self.database}" if self.database else "the database has no releases"
        made = f"the code was made for {self.code}" if self.code else "the code was made for a database without any"
        return f"{self.state.value}: {at}, {made}"


def check(connection: Connection) -> ReleaseCheck:
    """Whether the database is at the release that this code was made for, by one query that changes nothing.

    Raises what SQLAlchemy raises if the database does not answer, or the role may not read the registry, for which it
    needs USAGE of the schema half_orm_meta and SELECT on its table hop_release.
    """
    database: str | None = connection.execute(select(literal_column(QUERY))).scalar()
    if database is None:
        return ReleaseCheck(ReleaseState.NOT_INITIALISED, __release__, None)
    if __release__ == database:
        return ReleaseCheck(ReleaseState.EQUAL, __release__, database)
    behind = __release__ is None or _numbers(__release__) < _numbers(database)
    return ReleaseCheck(ReleaseState.CODE_BEHIND if behind else ReleaseState.DATABASE_BEHIND, __release__, database)


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(number) for number in release.split("."))
