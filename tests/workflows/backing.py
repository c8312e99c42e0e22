"""What the tests of backups and restores share: hop's functions at a place, and all that a restore must bring back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hop_tasks import Restored, restore_database
from hop_tasks.backups import Backup
from hop_tasks.versions import Version
from hop_tasks.workflows.backing_up import back_up
from hop_tasks.workflows.workspace import Workspace
from tests.playground import Playground
from tests.workflows.calling import project_of
from tests.workflows.diary import Diary
from tests.workflows.shelf import database_of, url_beside


@contextmanager
def workspace_at(place: Playground, diary: Diary | None = None) -> Iterator[tuple[Workspace, Any]]:
    """The workspace of a place under its lock, and the connection to the maintenance database."""
    with project_of(place) as project:
        workspace = Workspace.open(project, diary or Diary())
        with workspace.locked("upgrade") as admin:
            yield workspace, admin


def backed_up_at(place: Playground, release: str = "0.0.1", diary: Diary | None = None) -> Backup | None:
    """A backup as `hop upgrade` makes it first."""
    with workspace_at(place, diary) as (workspace, admin):
        return back_up(workspace, admin, Version.parse(release))


def backup_of(place: Playground) -> Backup:
    made = backed_up_at(place)
    assert made is not None
    return made


def restored_at(place: Playground, wanted: str = "0.0.1", diary: Diary | None = None, **flags: bool) -> Restored:
    with project_of(place) as project:
        return restore_database(project, wanted, reporter=diary or Diary(), **flags)


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


INSIDE = {
    "objects and privileges": """
        SELECT c.relkind::text, c.oid::regclass::text, pg_get_userbyid(c.relowner), c.relrowsecurity,
               (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(c.relacl) a)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' ORDER BY 1, 2
    """,
    "columns": """
        SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attgenerated::text,
               (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(attacl) a)
        FROM pg_attribute JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE attnum > 0 AND NOT attisdropped AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
        ORDER BY 1, 2
    """,
    "sequences": "SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2",
    "large objects": """
        SELECT oid::bigint, pg_get_userbyid(lomowner), md5(lo_get(oid)),
               (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(lomacl) a)
        FROM pg_largeobject_metadata ORDER BY 1
    """,
    "default privileges": """
        SELECT pg_get_userbyid(defaclrole), defaclobjtype::text, defaclacl::text FROM pg_default_acl ORDER BY 1, 2
    """,
}
TABLES = """
    SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
      AND c.relname <> 'hop_attempt'
    ORDER BY 1
"""
"""All but the audit, in which a restore has a row of its own."""
OF_THE_DATABASE = """
    SELECT pg_get_userbyid(datdba), datconnlimit, shobj_description(d.oid, 'pg_database'),
           pg_encoding_to_char(encoding), datcollate, datctype, dattablespace,
           (SELECT array_agg(a::text ORDER BY a::text) FROM aclexplode(coalesce(datacl, acldefault('d', datdba))) a),
           (SELECT array_agg(concat_ws(' ', setrole::regrole, setconfig) ORDER BY setrole)
            FROM pg_db_role_setting s WHERE s.setdatabase = d.oid)
    FROM pg_database d WHERE datname = '{name}'
"""


def everything(place: Playground) -> dict[str, Any]:
    """All that a restore must bring back: rows, sequences, large objects, privileges, settings, owner, comment."""
    rows = {
        table: place.sql(f"SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {table} t")
        for (table,) in place.sql(TABLES)
    }
    database = place.sql(OF_THE_DATABASE.format(name=database_of(place)), url_beside(place, "postgres"))
    return {"rows": rows, "database": database, **{name: place.sql(query) for name, query in INSIDE.items()}}
