"""What PostgreSQL's parse trees say of statements that cannot run in a transaction.

For each there is a caller of PreventInTransactionBlock in the sources of PostgreSQL 13 to 18.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from hop_tasks.scripts.nontransactional import EnumValue, Name, Probe, Solo, Subject

if TYPE_CHECKING:
    from postgast import pg_query_pb2 as pb

FALSE = frozenset({"false", "off", "0"})
"""What a boolean option of a statement may be given to mean no."""


def parsed(text: str) -> pb.Node | None:
    """The parse tree of one statement; None if the parser does not know it, or cannot hand over a tree so deep."""
    from google.protobuf.message import DecodeError
    from postgast import PgQueryError, parse

    try:
        statements = parse(text).stmts
    except (PgQueryError, DecodeError):
        return None
    return statements[0].stmt if len(statements) == 1 else None


def solo_of(node: pb.Node) -> Solo | None:
    """The statement if it cannot run in a transaction."""
    kind = node.WhichOneof("node")
    return RECOGNISERS[kind](getattr(node, kind)) if kind in RECOGNISERS else None


def enum_value_of(node: pb.Node) -> EnumValue | None:
    """The value that the statement adds to an enum."""
    statement = node.alter_enum_stmt
    if node.WhichOneof("node") != "alter_enum_stmt" or statement.old_val:
        return None
    return EnumValue(_name_of(statement.type_name), statement.new_val)


def _index(statement: pb.IndexStmt) -> Solo | None:
    if not statement.concurrent:
        return None
    table = _relation(statement.relation)
    name = Name(statement.idxname, table.schema) if statement.idxname else None
    return Solo(
        "CREATE INDEX CONCURRENTLY",
        Probe.INDEX_BUILT,
        Subject(name, table, tolerant=statement.if_not_exists),
        waits_politely=True,
        problem=None if name else "needs a name, so that hop can tell after an interruption whether the index is there",
    )


def _drop(statement: pb.DropStmt) -> Solo | None:
    if not statement.concurrent:
        return None
    names = [_name_of(entry.list.items) for entry in statement.objects]
    problem = None
    if len(names) > 1:
        problem = "takes one index: write one statement for each"
    elif statement.behavior == _number("DROP_CASCADE"):
        problem = "does not take CASCADE"
    return Solo(
        "DROP INDEX CONCURRENTLY",
        Probe.INDEX_GONE,
        Subject(names[0], tolerant=statement.missing_ok),
        waits_politely=True,
        problem=problem,
    )


def _reindex(statement: pb.ReindexStmt) -> Solo | None:
    from postgast import pg_query_pb2

    kind = pg_query_pb2.ReindexObjectType.Name(statement.kind).removeprefix("REINDEX_OBJECT_").lower()
    polite = _option(statement.params, "concurrently")
    if not polite and kind in ("index", "table"):
        return None
    name = _relation(statement.relation) if kind in ("index", "table") else Name(statement.name)
    return Solo(
        f"REINDEX {kind.upper()}{' CONCURRENTLY' if polite else ''}",
        Probe.REINDEX if polite else Probe.REPEATABLE,
        Subject(name if name.name else None, kind=kind),
        waits_politely=polite,
        problem="is not possible for system catalogs" if polite and kind == "system" else None,
    )


def _vacuum(statement: pb.VacuumStmt) -> Solo | None:
    if not statement.is_vacuumcmd:
        return None
    full = _option(statement.options, "full")
    return Solo("VACUUM FULL" if full else "VACUUM", Probe.REPEATABLE, waits_politely=not full)


def _cluster(statement: pb.ClusterStmt) -> Solo | None:
    return None if statement.HasField("relation") else Solo("CLUSTER", Probe.REPEATABLE)


def _alter_database(statement: pb.AlterDatabaseStmt) -> Solo | None:
    if not any(option.def_elem.defname == "tablespace" for option in statement.options):
        return None
    return Solo("ALTER DATABASE SET TABLESPACE", Probe.REPEATABLE, Subject(Name(statement.dbname)))


def _alter_table(statement: pb.AlterTableStmt) -> Solo | None:
    for entry in statement.cmds:
        partition = getattr(entry.alter_table_cmd, "def").partition_cmd
        if entry.alter_table_cmd.subtype == _number("AT_DetachPartition") and partition.concurrent:
            return Solo(
                "ALTER TABLE DETACH PARTITION CONCURRENTLY",
                Probe.PARTITION_DETACHED,
                Subject(_relation(partition.name), _relation(statement.relation)),
                waits_politely=True,
            )
    return None


def _create_subscription(statement: pb.CreateSubscriptionStmt) -> Solo | None:
    # A slot is made unless the options say otherwise, by itself or with the connection.
    if not (_option(statement.options, "connect", True) and _option(statement.options, "create_slot", True)):
        return None
    return Solo("CREATE SUBSCRIPTION", Probe.SUBSCRIPTION_EXISTS, Subject(Name(statement.subname)))


def _alter_subscription(statement: pb.AlterSubscriptionStmt) -> Solo | None:
    from postgast import pg_query_pb2

    subject = Subject(Name(statement.subname))
    kind = pg_query_pb2.AlterSubscriptionType.Name(statement.kind).removeprefix("ALTER_SUBSCRIPTION_")
    if kind == "REFRESH":
        return Solo("ALTER SUBSCRIPTION REFRESH PUBLICATION", Probe.REPEATABLE, subject)
    if kind.endswith("_PUBLICATION") and _option(statement.options, "refresh", True):
        words = f"ALTER SUBSCRIPTION {kind.replace('_', ' ')}"
        return Solo(words, Probe.REPEATABLE if kind == "SET_PUBLICATION" else Probe.UNKNOWN, subject)
    # These two change the slot too.
    names = {option.def_elem.defname for option in statement.options}
    if kind == "OPTIONS" and ("failover" in names or not _option(statement.options, "two_phase", True)):
        return Solo("ALTER SUBSCRIPTION SET", Probe.REPEATABLE, subject)
    return None


def _discard(statement: pb.DiscardStmt) -> Solo | None:
    return Solo("DISCARD ALL", Probe.REPEATABLE) if statement.target == _number("DISCARD_ALL") else None


def _transaction(statement: pb.TransactionStmt) -> Solo | None:
    for kind in ("COMMIT_PREPARED", "ROLLBACK_PREPARED"):
        if statement.kind == _number(f"TRANS_STMT_{kind}"):
            return Solo(
                kind.replace("_", " "), problem="is not for a patch file: the transaction is not of this release"
            )
    return None


def _outside_schemas(words: str, probe: Probe, field: str) -> Callable[..., Solo]:
    """For statements that make or drop something outside of schemas, whose name is in `field`."""

    def found(statement: pb.DropdbStmt) -> Solo:
        tolerant = bool(getattr(statement, "missing_ok", False))
        return Solo(words, probe, Subject(Name(getattr(statement, field)), tolerant=tolerant))

    return found


RECOGNISERS: Mapping[str, Callable[..., Solo | None]] = {
    "index_stmt": _index,
    "drop_stmt": _drop,
    "reindex_stmt": _reindex,
    "vacuum_stmt": _vacuum,
    "cluster_stmt": _cluster,
    "createdb_stmt": _outside_schemas("CREATE DATABASE", Probe.DATABASE_EXISTS, "dbname"),
    "dropdb_stmt": _outside_schemas("DROP DATABASE", Probe.DATABASE_GONE, "dbname"),
    "alter_database_stmt": _alter_database,
    "create_table_space_stmt": _outside_schemas("CREATE TABLESPACE", Probe.TABLESPACE_EXISTS, "tablespacename"),
    "drop_table_space_stmt": _outside_schemas("DROP TABLESPACE", Probe.TABLESPACE_GONE, "tablespacename"),
    "alter_system_stmt": lambda _: Solo("ALTER SYSTEM", Probe.REPEATABLE),
    "alter_table_stmt": _alter_table,
    "create_subscription_stmt": _create_subscription,
    "alter_subscription_stmt": _alter_subscription,
    # Only the server knows whether it has a slot; without one, being alone does it no harm.
    "drop_subscription_stmt": _outside_schemas("DROP SUBSCRIPTION", Probe.SUBSCRIPTION_GONE, "subname"),
    "discard_stmt": _discard,
    "transaction_stmt": _transaction,
}
"""The parser's name of a kind of statement -> what is to be known of it."""


def _option(options: Iterable[pb.Node], name: str, default: bool = False) -> bool:
    """A boolean option of a statement as PostgreSQL reads it: the last one counts, and one without a value is true."""
    found = default
    for option in options:
        if option.def_elem.defname == name:
            argument = option.def_elem.arg
            kind = argument.WhichOneof("node")
            value = "true"
            if kind == "string":
                value = argument.string.sval
            elif kind == "integer":
                value = str(argument.integer.ival)
            elif kind == "type_name":
                value = argument.type_name.names[-1].string.sval
            found = value.lower() not in FALSE
    return found


def _number(name: str) -> int:
    """The number of one of the parser's enumerated values."""
    from postgast import pg_query_pb2

    return int(getattr(pg_query_pb2, name))


def _relation(relation: pb.RangeVar) -> Name:
    return Name(relation.relname, relation.schemaname or None)


def _name_of(parts: Iterable[pb.Node]) -> Name:
    *schema, name = [part.string.sval for part in parts]
    return Name(name, schema[-1] if schema else None)
