"""Finding out what became of a statement that ran outside of any transaction when its run was interrupted.

Every function takes a connection in autocommit to the database that the statement is about or was run in. What one of
them drops is what the notes from before the statement prove to be its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from hop_tasks.database.statements import execute, server_version
from hop_tasks.report import Reporter
from hop_tasks.scripts.asking import Before, Outcome, relation_oid, waiting_at_most
from hop_tasks.scripts.index_probes import IndexBuilt, IndexGone, Reindexed
from hop_tasks.scripts.nontransactional import Probe, Solo, Subject

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

__all__ = ["Outcome", "clean_up_failure", "look_after", "look_before", "verify"]

NOWHERE = 0
"""No object has this OID."""

CONCURRENT_DETACH_SINCE = 140000
"""DETACH PARTITION CONCURRENTLY exists since PostgreSQL 14."""


def look_before(connection: Connection, solo: Solo) -> dict[str, Any]:
    """What the other functions must know from before a statement; to be kept, as JSON, before the statement starts.

    Returns the notes; if there is a `problem` among them, the statement must not be run, and that says why.
    """
    probe = PROBES.get(solo.probe)
    return {**probe.before(connection, solo.subject), **_whereabouts(connection)} if probe else {}


def look_after(connection: Connection, solo: Solo, before: Before, reporter: Reporter) -> Outcome:
    """What became of a statement whose run was interrupted after `look_before`; no session of that run is left.

    What it has left behind is dropped, so that it can be run again if it was not done; what it had as good as done is
    brought to its end. Both wait for other sessions as long as it takes. In a database that was restored from a backup
    of that time, everything has other OIDs: there the names decide.

    Args:
        connection: in autocommit.
        solo: the statement.
        before: what `look_before` returned.
        reporter: gets what is waited for and dropped.
    """
    if solo.probe is Probe.REPEATABLE:
        return Outcome.NOT_DONE
    probe = PROBES.get(solo.probe)
    if probe is None:
        return Outcome.UNKNOWN
    whereabouts = _whereabouts(connection)
    if any(before.get(key) != value for key, value in whereabouts.items()):
        if solo.probe in OUTSIDE_DATABASES and before.get("server") != whereabouts["server"]:
            return Outcome.UNKNOWN
        reporter.note("the statement was interrupted in another database, of which this is a copy: names decide")
        before = _translated(before, probe.before(connection, solo.subject))
    return probe.after(connection, solo.subject, before, reporter)


def clean_up_failure(connection: Connection, solo: Solo, before: Before, reporter: Reporter) -> bool:
    """Drop what a statement that failed with an error has left; waits a few seconds for other sessions at most.

    Returns whether the statement is as if it had not been run. If not, `look_after` must be asked before it is run
    again: something is left, which was reported, or it was done after all, or nobody can know.
    """
    if solo.probe is Probe.REPEATABLE:
        return True
    probe = PROBES.get(solo.probe)
    return probe.clean_up(connection, solo.subject, before, reporter) if probe else False


def verify(connection: Connection, solo: Solo) -> str | None:
    """Why a statement that reported success has not done what it should; None if it has.

    Such as CREATE INDEX … IF NOT EXISTS where there is an index of that name that is not valid.
    """
    return IndexBuilt().verify(connection, solo.subject) if solo.probe is Probe.INDEX_BUILT else None


def _whereabouts(connection: Connection) -> dict[str, Any]:
    """What tells a database from those that are made of its backups: only in itself OIDs mean what they did."""
    allowed = "SELECT has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')"
    server = None
    if connection.exec_driver_sql(allowed).scalar_one():
        server = connection.exec_driver_sql("SELECT system_identifier::text FROM pg_control_system()").scalar_one()
    own = "SELECT oid::int8 FROM pg_database WHERE datname = current_database()"
    return {"server": server, "database": connection.exec_driver_sql(own).scalar_one()}


def _translated(before: Before, now: Before) -> Before:
    """Notes with the OIDs that the same names have in this database, or NOWHERE; what was not there stays so."""
    notes = dict(before)
    for key, value in before.items():
        if key in now and value is not None and not isinstance(value, bool):
            notes[key] = NOWHERE if now[key] is None else now[key]
    return notes


class Prober(Protocol):
    """One way of finding out; the functions of this module say what the methods do."""

    def before(self, connection: Connection, subject: Subject, /) -> dict[str, Any]: ...

    def after(self, connection: Connection, subject: Subject, before: Before, reporter: Reporter, /) -> Outcome: ...

    def clean_up(self, connection: Connection, subject: Subject, before: Before, reporter: Reporter, /) -> bool: ...


class PartitionDetached:
    """DETACH PARTITION CONCURRENTLY, which cannot be undone once the partition is marked, only brought to its end."""

    def before(self, connection: Connection, subject: Subject) -> dict[str, Any]:
        table, partition = (relation_oid(connection, name) if name else None for name in (subject.table, subject.name))
        facts: dict[str, Any] = {"table": table, "partition": partition}
        pending = self._pending(connection, facts)
        if pending:
            facts["problem"] = (
                f"somebody else began to detach {subject.name} and was interrupted: "
                "finish it with ALTER TABLE … DETACH PARTITION … FINALIZE"
            )
        return {**facts, "attached": pending is not None}

    def after(self, connection: Connection, _subject: Subject, before: Before, reporter: Reporter) -> Outcome:
        if not before["attached"]:
            return Outcome.NOT_DONE
        pending = self._pending(connection, before)
        if pending:
            names = connection.exec_driver_sql(
                "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE c.oid IN (%(table)s, %(partition)s) ORDER BY c.oid = %(partition)s",
                {key: before[key] for key in ("table", "partition")},
            ).all()
            with waiting_at_most(connection, 0):
                execute(connection, "ALTER TABLE {}.{} DETACH PARTITION {}.{} FINALIZE", *names[0], *names[1])
            reporter.note(f"detaching {'.'.join(names[1])}, which the interrupted statement began, is finished")
        return Outcome.NOT_DONE if pending is False else Outcome.DONE

    def clean_up(self, connection: Connection, subject: Subject, before: Before, reporter: Reporter) -> bool:
        pending = self._pending(connection, before) if before["attached"] else False
        if pending:
            reporter.warn(f"{subject.name} is marked as being detached: the next run finishes that")
        return pending is False

    def _pending(self, connection: Connection, facts: Before) -> bool | None:
        """Whether the partition is marked as being detached; None if it is no partition of the table."""
        if server_version(connection) < CONCURRENT_DETACH_SINCE:
            return None
        found = connection.exec_driver_sql(
            "SELECT inhdetachpending FROM pg_inherits WHERE inhparent = %(table)s AND inhrelid = %(partition)s",
            {key: facts[key] for key in ("table", "partition")},
        ).scalar()
        return None if found is None else bool(found)


class Existence:
    """Statements that make or drop something whose row in a catalog is the last thing that they write."""

    def __init__(self, rows: str, *, wanted: bool) -> None:
        self._rows = rows
        self._wanted = wanted

    def before(self, connection: Connection, subject: Subject) -> dict[str, Any]:
        return {"oid": self._oid(connection, subject)}

    def after(self, connection: Connection, subject: Subject, before: Before, _reporter: Reporter) -> Outcome:
        oid = self._oid(connection, subject)
        if self._wanted:
            return Outcome.DONE if before["oid"] is None and oid is not None else Outcome.NOT_DONE
        return Outcome.DONE if before["oid"] is not None and oid != before["oid"] else Outcome.NOT_DONE

    def clean_up(self, connection: Connection, subject: Subject, before: Before, reporter: Reporter) -> bool:
        return self.after(connection, subject, before, reporter) is Outcome.NOT_DONE

    def _oid(self, connection: Connection, subject: Subject) -> int | None:
        name = subject.name.name if subject.name else None
        found = connection.exec_driver_sql(self._rows, (name,)).scalar()
        return None if found is None else int(found)


DATABASES = "SELECT oid::int8 FROM pg_database WHERE datname = %s"
TABLESPACES = "SELECT oid::int8 FROM pg_tablespace WHERE spcname = %s"
SUBSCRIPTIONS = """
    SELECT oid::int8 FROM pg_subscription
    WHERE subname = %s AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

PROBES: Mapping[Probe, Prober] = {
    Probe.INDEX_BUILT: IndexBuilt(),
    Probe.INDEX_GONE: IndexGone(),
    Probe.REINDEX: Reindexed(),
    Probe.PARTITION_DETACHED: PartitionDetached(),
    Probe.DATABASE_EXISTS: Existence(DATABASES, wanted=True),
    Probe.DATABASE_GONE: Existence(DATABASES, wanted=False),
    Probe.TABLESPACE_EXISTS: Existence(TABLESPACES, wanted=True),
    Probe.TABLESPACE_GONE: Existence(TABLESPACES, wanted=False),
    Probe.SUBSCRIPTION_EXISTS: Existence(SUBSCRIPTIONS, wanted=True),
    Probe.SUBSCRIPTION_GONE: Existence(SUBSCRIPTIONS, wanted=False),
}

OUTSIDE_DATABASES = frozenset(
    {Probe.DATABASE_EXISTS, Probe.DATABASE_GONE, Probe.TABLESPACE_EXISTS, Probe.TABLESPACE_GONE}
)
"""Those about what belongs to a server as a whole."""
