"""What belongs to a database and is not in it: owner, settings, privileges, connection limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hop_tasks.database.statements import execute

if TYPE_CHECKING:
    from sqlalchemy import Connection


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
