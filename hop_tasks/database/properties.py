"""What belongs to a database and is not in it: owner, settings, privileges, connection limit, comment, locale."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from hop_tasks.database.engines import INSUFFICIENT_PRIVILEGE
from hop_tasks.database.statements import execute

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

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

DEFAULT_TABLESPACE = "pg_default"


@dataclass(frozen=True)
class Properties:
    """The properties of a database.

    Attributes:
        owner: its role.
        connection_limit: -1 for none.
        comment: None for none.
        settings: role, or None for all, and `setting=value`, in the order in which they were made.
        privileges: grantee, or None for PUBLIC, privilege, and whether it may be granted on.
        creation: what CREATE DATABASE says once and for all: encoding, collate, ctype, and where they are not the
            usual ones provider, locale, rules, and tablespace.
    """

    owner: str
    connection_limit: int
    comment: str | None
    settings: tuple[tuple[str | None, str], ...]
    privileges: frozenset[tuple[str | None, str, bool]]
    creation: Mapping[str, str]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Properties:
        """From what `as_json` gave. Raises KeyError, TypeError or ValueError for something else."""
        given = {
            **data,
            "settings": tuple((role, str(assignment)) for role, assignment in data["settings"]),
            "privileges": frozenset((who, str(what), bool(on)) for who, what, on in data["privileges"]),
        }
        return cls(**given)

    def as_json(self) -> dict[str, Any]:
        """The same in lists and mappings."""
        return {
            **asdict(self),
            "settings": [list(setting) for setting in self.settings],
            "privileges": [list(privilege) for privilege in sorted(self.privileges, key=str)],
            "creation": dict(self.creation),
        }

    def known_to(self, connection: Connection) -> tuple[Properties, tuple[str, ...]]:
        """The properties less what belongs to roles or a tablespace that the server does not have, and their names."""
        named = {self.owner, *(role for role, _ in self.settings), *(who for who, _, _ in self.privileges)} - {None}
        rows = connection.exec_driver_sql("SELECT rolname FROM pg_roles WHERE rolname = ANY (%s)", (list(named),))
        there = {row[0] for row in rows}
        owner = self.owner if self.owner in there else _current_user(connection)
        there.add(None)
        creation = dict(self.creation)
        missing = {str(role) for role in named - there}
        if (tablespace := creation.get("tablespace")) and not _tablespace_exists(connection, tablespace):
            missing.add(creation.pop("tablespace"))
        kept = replace(
            self,
            owner=owner,
            creation=creation,
            settings=tuple(setting for setting in self.settings if setting[0] in there),
            privileges=frozenset(privilege for privilege in self.privileges if privilege[0] in there),
        )
        return kept, tuple(sorted(missing))


def read_properties(connection: Connection, name: str) -> Properties:
    """The properties of a database of the server."""
    owner, limit, comment, encoding, row, tablespace = connection.exec_driver_sql(
        """
        SELECT pg_get_userbyid(datdba), datconnlimit, shobj_description(d.oid, 'pg_database'),
               pg_encoding_to_char(encoding), to_jsonb(d), spcname
        FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE datname = %s
        """,
        (name,),
    ).one()
    return Properties(
        owner,
        limit,
        comment,
        _settings(connection, name),
        _privileges(connection, name),
        _creation(encoding, row, tablespace),
    )


def copy_properties(connection: Connection, source: str, target: str, *, strict: bool = False) -> None:
    """Give `target` what CREATE DATABASE … TEMPLATE does not copy: settings, privileges, owner, connection limit.

    What it had of its own is gone. A setting that only a superuser may set is skipped for others, unless `strict`.
    """
    apply_properties(connection, target, read_properties(connection, source), strict=strict)


def apply_properties(connection: Connection, target: str, wanted: Properties, *, strict: bool = False) -> None:
    """Give a database settings, privileges, owner and connection limit; as `copy_properties` does."""
    there = read_properties(connection, target)
    if wanted.owner != there.owner:
        execute(connection, "ALTER DATABASE {} OWNER TO {}", target, wanted.owner)
        there = read_properties(connection, target)
    if wanted.connection_limit != there.connection_limit:
        execute(connection, "ALTER DATABASE {} CONNECTION LIMIT {limit}", target, limit=wanted.connection_limit)
    if wanted.settings != there.settings:
        _change_settings(connection, target, there, wanted, strict=strict)
    if wanted.privileges != there.privileges:
        for grantee in {grantee for grantee, _, _ in there.privileges}:
            _change_privileges(connection, "REVOKE ALL", "FROM", target, grantee)
        for grantee, privilege, grantable in sorted(wanted.privileges, key=str):
            # The privilege's name is the server's own word (CONNECT, CREATE, TEMPORARY).
            option = " WITH GRANT OPTION" if grantable else ""
            _change_privileges(connection, f"GRANT {privilege}", "TO", target, grantee, option)


def _creation(encoding: str, row: Mapping[str, Any], tablespace: str) -> dict[str, str]:
    """What CREATE DATABASE needs, from a row of pg_database, whose columns differ between PostgreSQL's versions."""
    found = {"encoding": encoding, "collate": row["datcollate"], "ctype": row["datctype"]}
    locale = row.get("datlocale") or row.get("daticulocale")
    if row.get("datlocprovider", "c") in ("i", "b") and locale:
        found |= {"provider": "icu" if row["datlocprovider"] == "i" else "builtin", "locale": locale}
    if row.get("daticurules"):
        found["rules"] = row["daticurules"]
    if tablespace != DEFAULT_TABLESPACE:
        found["tablespace"] = tablespace
    return found


def _change_settings(
    connection: Connection, target: str, there: Properties, wanted: Properties, *, strict: bool
) -> None:
    """ALTER DATABASE … SET, and ALTER ROLE … IN DATABASE … SET."""
    for role in {role for role, _ in there.settings}:
        with _denied_is_skipped(strict):
            if role is None:
                execute(connection, "ALTER DATABASE {} RESET ALL", target)
            else:
                execute(connection, "ALTER ROLE {} IN DATABASE {} RESET ALL", role, target)
    for role, setting in wanted.settings:
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


def _settings(connection: Connection, name: str) -> tuple[tuple[str | None, str], ...]:
    rows = connection.exec_driver_sql(
        """
        SELECT CASE WHEN s.setrole <> 0 THEN pg_get_userbyid(s.setrole) END, c.assignment
        FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
        CROSS JOIN LATERAL unnest(s.setconfig) WITH ORDINALITY AS c (assignment, place)
        WHERE d.datname = %s ORDER BY s.setrole, c.place
        """,
        (name,),
    )
    return tuple((role, assignment) for role, assignment in rows)


def _list_items(value: str) -> list[str]:
    """The items of a setting that is a list of names, each of which may be quoted."""
    items = re.findall(r'"((?:[^"]|"")*)"|([^,\s"]+)', value)
    return [quoted.replace('""', '"') or plain for quoted, plain in items]


@contextmanager
def _denied_is_skipped(strict: bool) -> Iterator[None]:
    from psycopg2 import Error

    try:
        yield
    except Error as error:
        if strict or error.pgcode != INSUFFICIENT_PRIVILEGE:
            raise


def _setting_name(name: str) -> str:
    """A setting's name as SQL wants it: every part quoted, with braces safe for `execute`."""
    quoted = ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))
    return quoted.replace("{", "{{").replace("}", "}}")


def _change_privileges(
    connection: Connection, change: str, preposition: str, database: str, grantee: str | None, option: str = ""
) -> None:
    if grantee is None:
        execute(connection, f"{change} ON DATABASE {{}} {preposition} PUBLIC{option}", database)
    else:
        execute(connection, f"{change} ON DATABASE {{}} {preposition} {{}}{option}", database, grantee)


def _privileges(connection: Connection, name: str) -> frozenset[tuple[str | None, str, bool]]:
    rows = connection.exec_driver_sql(
        """
        SELECT CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END, a.privilege_type, a.is_grantable
        FROM pg_database d CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
        WHERE d.datname = %s
        """,
        (name,),
    )
    return frozenset((grantee, privilege, grantable) for grantee, privilege, grantable in rows)


def _current_user(connection: Connection) -> str:
    return str(connection.exec_driver_sql("SELECT current_user").scalar_one())


def _tablespace_exists(connection: Connection, name: str) -> bool:
    return connection.exec_driver_sql("SELECT 1 FROM pg_tablespace WHERE spcname = %s", (name,)).first() is not None
