"""Databases of a server as objects: create, clone, rename, swap, drop, mark; and the sessions on them.

Every function takes a connection in autocommit to the maintenance database (`Database.administer`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hop_tasks.errors import DatabaseError

if TYPE_CHECKING:
    from sqlalchemy import Connection

MARK_PREFIX = "hop: "
"""A database made by hop carries a comment of this prefix and a JSON object, so that its name decides nothing."""

STRATEGY_SINCE = 150000
"""CREATE DATABASE … STRATEGY exists since PostgreSQL 15."""

OBJECT_IN_USE = "55006"
SESSION_END_SECONDS = 10.0


@dataclass(frozen=True)
class Session:
    """Somebody else's session on a database."""

    pid: int
    user: str
    application: str
    state: str
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.application or 'session'} (pid {self.pid}, user {self.user}, {self.state} for {self.seconds:.0f} s)"
        )


@dataclass(frozen=True)
class Mark:
    """What hop noted about a database that it made."""

    database: str
    kind: str
    of: str
    release: str | None = None
    extra: Mapping[str, Any] | None = None


def execute(connection: Connection, statement: str, *identifiers: str, **literals: Any) -> None:
    """Run a statement; `{}` become quoted identifiers, `{name}` quoted literals, both by the driver."""
    from psycopg2 import sql

    composed = sql.SQL(statement).format(
        *(sql.Identifier(name) for name in identifiers), **{key: sql.Literal(value) for key, value in literals.items()}
    )
    raw = connection.connection.driver_connection
    assert raw is not None
    connection.exec_driver_sql(composed.as_string(raw).replace("%", "%%"))


def server_version(connection: Connection) -> int:
    """libpq's server_version number, such as 180006."""
    raw = connection.connection.driver_connection
    assert raw is not None
    return int(raw.server_version)


def database_exists(connection: Connection, name: str) -> bool:
    """Whether the server has a database of that name."""
    found = connection.exec_driver_sql("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
    return found.first() is not None


def database_size(connection: Connection, name: str) -> int:
    """The size of a database in bytes."""
    return int(connection.exec_driver_sql("SELECT pg_database_size(%s)", (name,)).scalar_one())


def create_database(connection: Connection, name: str, *, like: str | None = None) -> None:
    """An empty database, in UTF-8; or with encoding and locale of the database `like`."""
    options, values = "ENCODING {encoding}", {"encoding": "UTF8"}
    if like is not None:
        row = connection.exec_driver_sql(
            "SELECT pg_encoding_to_char(encoding), to_jsonb(d) FROM pg_database d WHERE datname = %s", (like,)
        ).one()
        options, values = _locale_options(row[0], row[1])
    execute(connection, f"CREATE DATABASE {{}} TEMPLATE template0 {options}", name, **values)


def _locale_options(encoding: str, row: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The options of CREATE DATABASE for a row of pg_database, whose columns differ between PostgreSQL's versions."""
    values = {"encoding": encoding, "collate": row["datcollate"], "ctype": row["datctype"]}
    options = "ENCODING {encoding} LC_COLLATE {collate} LC_CTYPE {ctype}"
    provider = row.get("datlocprovider", "c")
    locale = row.get("datlocale") or row.get("daticulocale")
    if provider in ("i", "b") and locale:
        word = "icu" if provider == "i" else "builtin"
        values |= {"provider": word, "locale": locale}
        options += f" LOCALE_PROVIDER {{provider}} {word.upper()}_LOCALE {{locale}}"
    return options, values


def clone_database(connection: Connection, source: str, name: str, *, mark: Mapping[str, Any]) -> tuple[Session, ...]:
    """Copy a database, whole. Sessions on the source are ended, as PostgreSQL demands; those are returned.

    The copy gets the source's settings and privileges, and `mark` as its comment.
    """
    options = " STRATEGY file_copy" if server_version(connection) >= STRATEGY_SINCE else ""
    ended = _alone_with(
        connection, source, lambda: execute(connection, "CREATE DATABASE {} TEMPLATE {}" + options, name, source)
    )
    copy_properties(connection, source, name)
    mark_database(connection, name, mark)
    return ended


def drop_database(connection: Connection, name: str) -> None:
    """Drop a database with every session on it; nothing happens if it does not exist."""
    execute(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def swap_databases(
    connection: Connection, *, current: str, replacement: str, kept: str, mark: Mapping[str, Any]
) -> tuple[Session, ...]:
    """Put `replacement` in the place of `current`, which stays as `kept`: both renames or none.

    `replacement` takes over comment, settings and privileges of `current`, `kept` gets `mark` as its comment.
    Sessions on `current` are ended; those are returned.
    """
    comment = connection.exec_driver_sql(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", (current,)
    ).scalar_one()
    copy_properties(connection, current, replacement)

    def rename_both() -> None:
        connection.exec_driver_sql("BEGIN")
        try:
            execute(connection, "ALTER DATABASE {} RENAME TO {}", current, kept)
            execute(connection, "ALTER DATABASE {} RENAME TO {}", replacement, current)
            execute(connection, "COMMENT ON DATABASE {} IS {comment}", current, comment=comment)
            mark_database(connection, kept, mark)
            connection.exec_driver_sql("COMMIT")
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise

    ended = _alone_with(connection, replacement, lambda: None)
    return ended + _alone_with(connection, current, rename_both)


def sessions_on(connection: Connection, name: str) -> tuple[Session, ...]:
    """The sessions of other programs on a database."""
    rows = connection.exec_driver_sql(
        """
        SELECT pid, coalesce(usename, ''), coalesce(application_name, ''), coalesce(state, 'unknown'),
               extract(epoch FROM clock_timestamp() - coalesce(state_change, backend_start))::float8
        FROM pg_stat_activity
        WHERE datname = %s AND pid <> pg_backend_pid() AND backend_type = 'client backend'
        ORDER BY backend_start, pid
        """,
        (name,),
    )
    return tuple(Session(*row) for row in rows)


def end_sessions(connection: Connection, name: str) -> tuple[Session, ...]:
    """End the sessions of other programs on a database and say which they were."""
    ended = sessions_on(connection, name)
    for session in ended:
        connection.exec_driver_sql("SELECT pg_terminate_backend(%s)", (session.pid,))
    return ended


def await_end_of_sessions(connection: Connection, name: str, *, seconds: float = 2.0) -> bool:
    """Wait until no session is on a database, for a session that was closed or ended is there a little longer.

    Returns False if somebody is still there after that time.
    """
    deadline = time.monotonic() + seconds
    while sessions_on(connection, name):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def mark_database(connection: Connection, name: str, mark: Mapping[str, Any]) -> None:
    """Note in a database's comment that hop made it, and what it is: `mark` has at least `kind` and `of`."""
    text = MARK_PREFIX + json.dumps(mark, sort_keys=True)
    execute(connection, "COMMENT ON DATABASE {} IS {text}", name, text=text)


def marked_databases(connection: Connection, of: str) -> tuple[Mark, ...]:
    """The databases that hop made beside the database `of`."""
    rows = connection.exec_driver_sql(
        "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database ORDER BY datname"
    )
    marks = []
    for name, comment in rows:
        if comment is None or not comment.startswith(MARK_PREFIX):
            continue
        try:
            data = json.loads(comment[len(MARK_PREFIX) :])
            if data["of"] == of:
                marks.append(Mark(name, data.pop("kind"), data.pop("of"), data.pop("release", None), data))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return tuple(marks)


def copy_properties(connection: Connection, source: str, target: str) -> None:
    """Give `target` what CREATE DATABASE … TEMPLATE does not copy: settings, privileges, owner, connection limit."""
    owner, limit, acl = connection.exec_driver_sql(
        "SELECT pg_get_userbyid(datdba), datconnlimit, datacl IS NOT NULL FROM pg_database WHERE datname = %s",
        (source,),
    ).one()
    current_owner = connection.exec_driver_sql(
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", (target,)
    ).scalar_one()
    if owner != current_owner:
        execute(connection, "ALTER DATABASE {} OWNER TO {}", target, owner)
    execute(connection, "ALTER DATABASE {} CONNECTION LIMIT {limit}", target, limit=limit)
    _copy_settings(connection, source, target)
    if acl:
        _copy_privileges(connection, source, target)


def _copy_settings(connection: Connection, source: str, target: str) -> None:
    """ALTER DATABASE … SET, and ALTER ROLE … IN DATABASE … SET."""
    rows = connection.exec_driver_sql(
        """
        SELECT CASE WHEN s.setrole <> 0 THEN pg_get_userbyid(s.setrole) END, unnest(s.setconfig)
        FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE d.datname = %s
        """,
        (source,),
    ).all()
    for role, setting in rows:
        name, _, value = setting.partition("=")
        # ALTER DATABASE wants SET list_setting TO 'a', 'b'; FROM CURRENT takes any value as it stands.
        connection.exec_driver_sql("SELECT set_config(%s, %s, false)", (name, value))
        if role is None:
            execute(connection, f"ALTER DATABASE {{}} SET {_setting_name(name)} FROM CURRENT", target)
        else:
            execute(
                connection, f"ALTER ROLE {{}} IN DATABASE {{}} SET {_setting_name(name)} FROM CURRENT", role, target
            )
        execute(connection, f"RESET {_setting_name(name)}")


def _setting_name(name: str) -> str:
    """A setting's name as SQL wants it: every part quoted, with braces safe for `execute`."""
    quoted = ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))
    return quoted.replace("{", "{{").replace("}", "}}")


def _copy_privileges(connection: Connection, source: str, target: str) -> None:
    rows = connection.exec_driver_sql(
        """
        SELECT CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END, a.privilege_type, a.is_grantable
        FROM pg_database d, aclexplode(d.datacl) a WHERE d.datname = %s AND a.grantee <> d.datdba
        """,
        (source,),
    ).all()
    execute(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", target)
    for grantee, privilege, grantable in rows:
        option = " WITH GRANT OPTION" if grantable else ""
        # The privilege's name is the server's own word (CONNECT, CREATE, TEMPORARY).
        if grantee is None:
            execute(connection, f"GRANT {privilege} ON DATABASE {{}} TO PUBLIC{option}", target)
        else:
            execute(connection, f"GRANT {privilege} ON DATABASE {{}} TO {{}}{option}", target, grantee)


def _alone_with(connection: Connection, name: str, act: Any) -> tuple[Session, ...]:
    """Do `act` once nobody else is on the database; programs that come back meanwhile are ended again."""
    from sqlalchemy.exc import DBAPIError

    ended: dict[int, Session] = {}
    deadline = time.monotonic() + SESSION_END_SECONDS
    while True:
        for session in end_sessions(connection, name):
            ended[session.pid] = session
        if not sessions_on(connection, name):
            try:
                act()
                return tuple(ended.values())
            except DBAPIError as error:
                if getattr(error.orig, "pgcode", None) != OBJECT_IN_USE:
                    raise
        if time.monotonic() > deadline:
            listed = ", ".join(str(session) for session in sessions_on(connection, name)) or "they come back at once"
            raise DatabaseError(
                f"other sessions on database {name} did not end within {SESSION_END_SECONDS:.0f} s: {listed}",
                hint="stop the programs that use it and try again",
            )
        time.sleep(0.02)
