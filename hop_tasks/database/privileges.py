"""What the role that hop connects with lacks for a command, asked before the first change and told in words.

Each function returns the missing things; `require` raises them all at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hop_tasks.database.sessions import Session
from hop_tasks.database.statements import server_version
from hop_tasks.errors import DatabaseError

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

NAMED = 5
"""So many objects are named of each kind, and the others counted."""

SET_OPTION_SINCE = 160000
"""Membership in a role and the right to SET ROLE to it are two things since PostgreSQL 16."""

PARAMETER_PRIVILEGES_SINCE = 150000

UNREADABLE = """
    WITH member AS (
        SELECT d.classid, d.objid, coalesce(d.objid = ANY (x.extconfig), false) AS configuration
        FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid WHERE d.deptype = 'e'
    ), dumped AS (
        SELECT c.oid, c.relkind, n.oid AS schema, n.nspname, format('%%I.%%I', n.nspname, c.relname) AS shown
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
        WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't'
          AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%%'
          AND coalesce(m.configuration, true)
    )
    SELECT DISTINCT 1, 'USAGE on schema', format('%%I', nspname) FROM dumped
    WHERE NOT has_schema_privilege(schema, 'USAGE')
    UNION ALL
    SELECT 2, 'SELECT on table', shown FROM dumped WHERE relkind <> 'S' AND NOT has_table_privilege(oid, 'SELECT')
    UNION ALL
    SELECT 3, 'SELECT on sequence', shown FROM dumped
    WHERE relkind = 'S' AND NOT CASE WHEN relkind = 'S' THEN has_sequence_privilege(oid, 'SELECT') END
    UNION ALL
    SELECT 4, 'BYPASSRLS for the row security of table', shown FROM dumped
    WHERE relkind <> 'S' AND has_table_privilege(oid, 'SELECT') AND row_security_active(oid)
    UNION ALL
    SELECT 5, 'SELECT on large object', l.oid::text FROM pg_largeobject_metadata l
    WHERE NOT pg_has_role(l.lomowner, 'USAGE') AND NOT current_setting('lo_compat_privileges')::boolean
      AND NOT EXISTS (
        SELECT FROM aclexplode(l.lomacl) a
        WHERE a.privilege_type = 'SELECT' AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE'))
      )
    ORDER BY 1, 3
"""
"""What pg_dump must read, and this role may not."""

GUARDED_SETTINGS = """
    SELECT p.name FROM pg_database d
    JOIN pg_db_role_setting s ON s.setdatabase = d.oid
    CROSS JOIN LATERAL unnest(s.setconfig) AS c (assignment)
    JOIN pg_settings p ON p.name = split_part(c.assignment, '=', 1)
    WHERE d.datname = %s AND p.context IN ('superuser', 'superuser-backend')
"""
"""The settings of a database that only a superuser may set."""


def unreadable(connection: Connection) -> tuple[str, ...]:
    """What keeps pg_dump from dumping the connection's database whole."""
    found: dict[str, list[str]] = {}
    for _, kind, name in connection.exec_driver_sql(UNREADABLE, ()).all():
        found.setdefault(kind, []).append(name)
    return tuple(f"{kind} {_listed(names)}" for kind, names in found.items())


def missing_on_tables(connection: Connection, schema: str, wanted: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """What is missing for writing to tables of a schema, or for creating those that are not there.

    Args:
        connection: in the database.
        schema: the schema, which need not be there either.
        wanted: for each table the privileges that are needed, such as SELECT, INSERT and UPDATE.
    """
    row = connection.exec_driver_sql(
        "SELECT has_schema_privilege(oid, 'USAGE'), has_schema_privilege(oid, 'CREATE') "
        "FROM pg_namespace WHERE nspname = %s",
        (schema,),
    ).first()
    if row is None:
        allowed = connection.exec_driver_sql("SELECT has_database_privilege(current_database(), 'CREATE')").scalar_one()
        return () if allowed else ("CREATE on the database",)
    usage, create = row
    missing = [] if usage else [f"USAGE on schema {schema}"]
    rows = connection.exec_driver_sql(
        "SELECT c.relname, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relname = ANY (%s)",
        (schema, list(wanted)),
    )
    there: dict[str, int] = dict(rows.all())
    if there.keys() < wanted.keys():
        if not create:
            missing.append(f"CREATE on schema {schema}")
        # An earlier version of hop made them: they get columns too.
        missing += [f"ownership of table {schema}.{table}, to complete it" for table in _not_owned(connection, there)]
    for table, oid in there.items():
        lacking = [
            privilege
            for privilege in wanted[table]
            if not connection.exec_driver_sql("SELECT has_table_privilege(%s, %s)", (oid, privilege)).scalar_one()
        ]
        if lacking:
            missing.append(f"{', '.join(lacking)} on table {schema}.{table}")
    return tuple(missing)


def _not_owned(connection: Connection, tables: Mapping[str, int]) -> list[str]:
    rows = connection.exec_driver_sql(
        "SELECT relname FROM pg_class WHERE oid = ANY (%s::oid[]) AND NOT pg_has_role(relowner, 'USAGE') ORDER BY 1",
        (list(tables.values()),),
    )
    return [row[0] for row in rows]


def missing_for_replacing(admin: Connection, name: str) -> tuple[str, ...]:
    """What is missing for creating a database, and for giving it the place and the properties of the database `name`.

    Args:
        admin: in autocommit to the maintenance database.
        name: the database, which need not be there.
    """
    superuser, creates = admin.exec_driver_sql(
        "SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user"
    ).one()
    if superuser:
        return ()
    missing = [] if creates else ["CREATEDB, to create and rename databases"]
    option = "SET" if server_version(admin) >= SET_OPTION_SINCE else "MEMBER"
    row = admin.exec_driver_sql(
        "SELECT pg_get_userbyid(datdba), pg_has_role(datdba, 'USAGE'), pg_has_role(datdba, %s) "
        "FROM pg_database WHERE datname = %s",
        (option, name),
    ).first()
    if row is not None and not (row[1] and row[2]):
        missing.append(f"membership in role {row[0]}, which owns the database, to rename it")
    return (*missing, *_missing_for_settings(admin, name))


def _missing_for_settings(admin: Connection, name: str) -> tuple[str, ...]:
    """What is missing for setting what ALTER DATABASE and ALTER ROLE … IN DATABASE have set for a database."""
    statement = GUARDED_SETTINGS
    if server_version(admin) >= PARAMETER_PRIVILEGES_SINCE:
        statement += " AND NOT has_parameter_privilege(p.name, 'SET')"
    rows = admin.exec_driver_sql(statement, (name,))
    settings = sorted({row[0] for row in rows})
    roles = admin.exec_driver_sql(
        """
        SELECT DISTINCT pg_get_userbyid(s.setrole) FROM pg_db_role_setting s
        JOIN pg_database d ON d.oid = s.setdatabase
        WHERE d.datname = %s AND s.setrole <> 0 AND pg_get_userbyid(s.setrole) <> current_user
          AND NOT (SELECT rolcreaterole FROM pg_roles WHERE rolname = current_user)
        """,
        (name,),
    ).all()
    missing = [f"the right to set {_listed(settings)}, which the database has of its own"] if settings else []
    if roles:
        missing.append(
            f"CREATEROLE, for the settings that role {_listed([row[0] for row in roles])} has in the database"
        )
    return tuple(missing)


def missing_for_ending(admin: Connection, sessions: Sequence[Session]) -> tuple[str, ...]:
    """What is missing for ending sessions of other roles."""
    if not sessions:
        return ()
    rows = admin.exec_driver_sql(
        """
        SELECT DISTINCT r.rolname, r.rolsuper FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
        WHERE a.pid = ANY (%s) AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
          AND CASE WHEN r.rolsuper THEN true
              ELSE NOT (pg_has_role(r.oid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE')) END
        ORDER BY 2, 1
        """,
        ([session.pid for session in sessions],),
    ).all()
    supers = [name for name, is_super in rows if is_super]
    others = [name for name, is_super in rows if not is_super]
    missing = [f"membership in pg_signal_backend, to end sessions of {_listed(others)}"] if others else []
    if supers:
        missing.append(f"SUPERUSER, to end sessions of the superuser {_listed(supers)}")
    return tuple(missing)


def require_writable(connection: Connection) -> None:
    """Raises DatabaseError for a standby, or where transactions may only read."""
    standby, read_only, source, name = connection.exec_driver_sql(
        "SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::boolean, source, current_database() "
        "FROM pg_settings WHERE name = 'default_transaction_read_only'"
    ).one()
    if standby:
        raise DatabaseError(
            f"the server of {name} is a standby (pg_is_in_recovery), where nothing can be written; nothing was changed",
            hint="give hop the URL of the primary in HOP_DATABASE_URL",
        )
    if read_only:
        raise DatabaseError(
            f"hop may only read in database {name}: default_transaction_read_only is on (set by: {source}); "
            "nothing was changed",
            hint="RESET default_transaction_read_only by ALTER DATABASE or ALTER ROLE, or mend the configuration or "
            "the URL: wherever it is set",
        )


def require(connection: Connection, missing: Sequence[str], doing: str) -> None:
    """Raises DatabaseError with all that the connection's role lacks for what is being done, if there is anything."""
    if missing:
        role = connection.exec_driver_sql("SELECT current_user").scalar_one()
        raise DatabaseError(
            f"role {role} cannot {doing}; it lacks {'; '.join(missing)}; nothing was changed",
            hint="have the owner or a superuser GRANT that, or connect with a role that has it",
        )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
