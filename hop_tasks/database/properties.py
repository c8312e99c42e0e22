"""What belongs to a database and is not in it: owner, settings, privileges, connection limit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hop_tasks.database.engines import INSUFFICIENT_PRIVILEGE
from hop_tasks.database.statements import execute

if TYPE_CHECKING:
    from sqlalchemy import Connection

QUOTED_LISTS = frozenset(
    {
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    }
)
"""Settings whose stored value is a list of quoted names (GUC_LIST_QUOTE in PostgreSQL's guc_tables.c)."""


def copy_properties(connection: Connection, source: str, target: str, *, strict: bool = False) -> None:
    """Give `target` what CREATE DATABASE … TEMPLATE does not copy: settings, privileges, owner, connection limit.

    A setting that only a superuser may set is skipped for others, unless `strict`.
    """
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
    _copy_settings(connection, source, target, strict=strict)
    if acl:
        _copy_privileges(connection, source, target)


def _copy_settings(connection: Connection, source: str, target: str, *, strict: bool) -> None:
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
        values = _list_items(value) if name.lower() in QUOTED_LISTS else [value]
        literals = {f"v{number}": item for number, item in enumerate(values)}
        to = ", ".join(f"{{{key}}}" for key in literals) or "''"
        with _denied_is_skipped(strict):
            if role is None:
                execute(connection, f"ALTER DATABASE {{}} SET {_setting_name(name)} TO {to}", target, **literals)
            else:
                statement = f"ALTER ROLE {{}} IN DATABASE {{}} SET {_setting_name(name)} TO {to}"
                execute(connection, statement, role, target, **literals)


def _list_items(value: str) -> list[str]:
    """The items of a setting that is a list of names, each of which may be quoted."""
    items = re.findall(r'"((?:[^"]|"")*)"|([^,\s"]+)', value)
    return [quoted.replace('""', '"') or plain for quoted, plain in items]


@contextmanager
def _denied_is_skipped(strict: bool) -> Iterator[None]:
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except DBAPIError as error:
        if strict or getattr(error.orig, "pgcode", None) != INSUFFICIENT_PRIVILEGE:
            raise


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
