"""Probes of statements about indexes, which can leave some that are not valid."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hop_tasks.report import Reporter
from hop_tasks.scripts.asking import (
    Before,
    Index,
    Outcome,
    await_builds,
    drop_left,
    drop_soon,
    find_indexes,
    relation_oid,
)
from hop_tasks.scripts.nontransactional import Subject

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

NEW_COPY = re.compile(r"_ccnew\d*\Z")
OLD_COPY = re.compile(r"_ccold\d*\Z")

TABLES = """
    WITH scope AS (
        SELECT c.oid, c.reltoastrelid FROM pg_class c
        WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence <> 't' AND CASE %(kind)s
            WHEN 'index' THEN c.oid IN (
                SELECT indrelid FROM pg_index
                WHERE indexrelid = %(oid)s OR indexrelid IN (SELECT relid FROM pg_partition_tree(%(oid)s))
            )
            WHEN 'table' THEN c.oid = %(oid)s OR c.oid IN (SELECT relid FROM pg_partition_tree(%(oid)s))
            WHEN 'schema' THEN
                c.relkind <> 't' AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %(name)s)
            ELSE c.relkind <> 't' AND c.relnamespace <> 'pg_catalog'::regnamespace
        END
    )
    SELECT oid::int8 FROM scope UNION SELECT reltoastrelid::int8 FROM scope WHERE reltoastrelid <> 0
"""
"""The tables whose indexes REINDEX works on."""

TARGETS = """
    SELECT i.indexrelid::int8 FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = ANY(%(tables)s::oid[]) AND CASE %(kind)s
        WHEN 'index' THEN c.oid = %(oid)s OR c.oid IN (SELECT relid FROM pg_partition_tree(%(oid)s))
        ELSE i.indisvalid AND NOT i.indisexclusion
    END
"""
"""The indexes that it replaces: the one that is named, or of tables all that are valid and can be."""


class IndexBuilt:
    """CREATE INDEX CONCURRENTLY."""

    def before(self, connection: Connection, subject: Subject) -> dict[str, Any]:
        table, found = self._found(connection, subject)
        facts: dict[str, Any] = {"table": table, "index": found.oid if found else None}
        if found and not found.valid:
            facts["problem"] = (
                f"there is an index {found} already that is not valid, and this release has not made it: "
                "somebody else is making it or was interrupted; drop it with DROP INDEX CONCURRENTLY"
            )
        elif found and subject.tolerant and found.table != table:
            facts["problem"] = f"there is {found} already, and it is not an index of {subject.table}"
        return facts

    def after(self, connection: Connection, subject: Subject, before: Before, reporter: Reporter) -> Outcome:
        if before["table"] is None:
            return Outcome.NOT_DONE
        await_builds(connection, [before["table"]], reporter)
        found = self._ours(connection, subject, before)
        if found and found.valid:
            return Outcome.DONE
        drop_left(connection, [found] if found else [], reporter)
        return Outcome.NOT_DONE

    def clean_up(self, connection: Connection, subject: Subject, before: Before, reporter: Reporter) -> bool:
        found = self._ours(connection, subject, before)
        if found is None:
            return True
        return not found.valid and drop_soon(connection, [found], reporter)

    def verify(self, connection: Connection, subject: Subject) -> str | None:
        """Why the index is not what the statement was to make."""
        table, found = self._found(connection, subject)
        if found is None:
            return f"the server reports success, and there is no index {subject.name}"
        if found.table != table:
            return f"{found} is not an index of {subject.table}"
        return None if found.valid else f"index {found} is not valid"

    def _found(self, connection: Connection, subject: Subject) -> tuple[int | None, Index | None]:
        table = relation_oid(connection, subject.table) if subject.table else None
        if table is None or subject.name is None:
            return table, None
        return table, _only(find_indexes(connection, name=subject.name.name, beside=table))

    def _ours(self, connection: Connection, subject: Subject, before: Before) -> Index | None:
        """The index of that name and table that was not there before the statement."""
        if before["table"] is None or subject.name is None:
            return None
        found = _only(find_indexes(connection, name=subject.name.name, beside=before["table"]))
        return found if found and found.table == before["table"] and found.oid != before["index"] else None


class IndexGone:
    """DROP INDEX CONCURRENTLY, which makes the index invalid first: to run it again is what helps then."""

    def before(self, connection: Connection, subject: Subject) -> dict[str, Any]:
        return {"index": relation_oid(connection, subject.name) if subject.name else None}

    def after(self, connection: Connection, _subject: Subject, before: Before, _reporter: Reporter) -> Outcome:
        if before["index"] is None or self._left(connection, before):
            return Outcome.NOT_DONE
        return Outcome.DONE

    def clean_up(self, connection: Connection, subject: Subject, before: Before, reporter: Reporter) -> bool:
        left = self._left(connection, before)
        if left and not left[0].valid:
            reporter.warn(f"index {left[0]} is no longer valid, as its drop had begun: queries do not use it")
        return self.after(connection, subject, before, reporter) is Outcome.NOT_DONE

    def _left(self, connection: Connection, before: Before) -> list[Index]:
        return find_indexes(connection, oid=before["index"])


class Reindexed:
    """REINDEX … CONCURRENTLY, which makes a copy of each index, swaps the two and drops the old one."""

    def before(self, connection: Connection, subject: Subject) -> dict[str, Any]:
        about: dict[str, Any] = {"kind": subject.kind, "name": None, "oid": None}
        if subject.name:
            about["name"] = subject.name.name
            if subject.kind in ("index", "table"):
                about["oid"] = relation_oid(connection, subject.name)
        tables = sorted(connection.exec_driver_sql(TABLES, about).scalars())
        targets = connection.exec_driver_sql(TARGETS, {**about, "tables": tables}).scalars()
        indexes = find_indexes(connection, tables=tables)
        return {"tables": tables, "indexes": sorted(index.oid for index in indexes), "targets": sorted(targets)}

    def after(self, connection: Connection, _subject: Subject, before: Before, reporter: Reporter) -> Outcome:
        await_builds(connection, before["tables"], reporter)
        drop_left(connection, self._ours(connection, before), reporter)
        left = {index.oid for index in find_indexes(connection, tables=before["tables"])}
        # The copies that took the place of the others have oids of their own.
        done = before["targets"] and not left.intersection(before["targets"])
        return Outcome.DONE if done else Outcome.NOT_DONE

    def clean_up(self, connection: Connection, _subject: Subject, before: Before, reporter: Reporter) -> bool:
        return drop_soon(connection, self._ours(connection, before), reporter)

    def _ours(self, connection: Connection, before: Before) -> list[Index]:
        """Copies that were not there before, and what was replaced and only has to be dropped."""
        known, targets = set(before["indexes"]), set(before["targets"])
        return [
            index
            for index in find_indexes(connection, tables=before["tables"])
            if not index.valid
            and (
                (index.oid not in known and NEW_COPY.search(index.name))
                or (index.oid in targets and OLD_COPY.search(index.name))
            )
        ]


def _only(found: list[Index]) -> Index | None:
    return found[0] if found else None
