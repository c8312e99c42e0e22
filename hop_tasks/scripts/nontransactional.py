"""Statements that PostgreSQL refuses in a transaction, or whose effect shows only after it, and files that want none.

PostgreSQL's own parser decides, and it is asked only where a statement begins like one of these and has one of their
words. Where it does not know the syntax, the first words decide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum

CANDIDATE = re.compile(
    r"(?:(?:VACUUM|CLUSTER|REINDEX|DISCARD|COMMIT|ROLLBACK)(?![\w$])"
    r"|(?:CREATE|DROP|ALTER)(?![\w$]).*?(?<![\w$])(?:CONCURRENTLY|DATABASE|TABLESPACE|SYSTEM|SUBSCRIPTION)(?![\w$]))",
    re.IGNORECASE | re.DOTALL,
)
ENUM_CANDIDATE = re.compile(r"ALTER(?![\w$]).*?(?<![\w$])VALUE(?![\w$])", re.IGNORECASE | re.DOTALL)
FIRST_WORDS = re.compile(
    r"(?:CREATE (?:UNIQUE )?|DROP )INDEX CONCURRENTLY|REINDEX(?: \w+)? CONCURRENTLY|REINDEX (?:SCHEMA|DATABASE|SYSTEM)"
    r"|VACUUM(?: FULL)?|(?:CREATE|DROP) (?:DATABASE|TABLESPACE|SUBSCRIPTION)|ALTER SYSTEM|DISCARD ALL"
)
WORD = re.compile(r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*(\w+)", re.DOTALL)
UNPREDICTABLE = frozenset({"CALL", "DO", "REINDEX", "CLUSTER"})
"""First words of statements that may COMMIT within, or that PostgreSQL refuses in a transaction for some tables."""

DECLARATION = re.compile(r"\ufeff?--[ \t]*hop[ \t]*:(.*)", re.IGNORECASE)
NO_TRANSACTION = re.compile(r"no-transaction(?P<repeatable>\s*,\s*repeatable)?", re.IGNORECASE)


class Probe(Enum):
    """How the server is asked, after an interruption, whether a statement was done."""

    INDEX_BUILT = "index built"
    INDEX_GONE = "index gone"
    REINDEX = "reindex"
    PARTITION_DETACHED = "partition detached"
    DATABASE_EXISTS = "database exists"
    DATABASE_GONE = "database gone"
    TABLESPACE_EXISTS = "tablespace exists"
    TABLESPACE_GONE = "tablespace gone"
    SUBSCRIPTION_EXISTS = "subscription exists"
    SUBSCRIPTION_GONE = "subscription gone"
    REPEATABLE = "repeatable"
    """Need not be asked: to run it again does no harm."""
    UNKNOWN = "unknown"
    """The server cannot tell."""


@dataclass(frozen=True)
class Name:
    """The name of an object as the statement has it: without a schema, the search path decides."""

    name: str
    schema: str | None = None

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True)
class Subject:
    """What a statement is about.

    Attributes:
        name: the index, partition, table, schema, database, tablespace or subscription.
        table: the table that an index is made on, or that a partition is taken from.
        kind: of REINDEX: index, table, schema, system or database.
        tolerant: whether it says IF EXISTS or IF NOT EXISTS.
    """

    name: Name | None = None
    table: Name | None = None
    kind: str = ""
    tolerant: bool = False


@dataclass(frozen=True)
class Solo:
    """A statement that runs by itself, outside of any transaction.

    Attributes:
        words: its first words, such as CREATE INDEX CONCURRENTLY.
        probe: how to find out after an interruption whether it was done.
        subject: what it is about.
        waits_politely: whether it lets others read and write while it waits and works, so that it may wait as long as
            it takes: lock_timeout is not for it.
        problem: why it must be refused before anything runs; goes on from the words.
    """

    words: str
    probe: Probe = Probe.UNKNOWN
    subject: Subject = Subject()
    waits_politely: bool = False
    problem: str | None = None


@dataclass(frozen=True)
class EnumValue:
    """A value that a statement adds to an enum: the type as the statement names it, and the value."""

    type: Name
    label: str


@dataclass(frozen=True)
class Declaration:
    """What the first line of a file says: that it wants no transaction, and whether it may be run again."""

    repeatable: bool


def recognise(text: str) -> Solo | None:
    """What is to be known of a statement that cannot run in a transaction; None for any other.

    Some can be told only by the server, which answers 25001: REINDEX and CLUSTER of a partitioned table.

    Args:
        text: one statement, from its first word.
    """
    if not CANDIDATE.match(text):
        return None
    from hop_tasks.scripts.parse_trees import parsed, solo_of

    node = parsed(text)
    if node is not None:
        return solo_of(node)
    found = FIRST_WORDS.match(" ".join(_first_words(text)))
    if found is None:
        return None
    words = found.group()
    if words.startswith("CREATE") and words.endswith("CONCURRENTLY"):
        # What is beyond the parser is what is indexed or how, and neither is needed.
        head = parsed(f"{text.partition('(')[0]} (x)")
        if head is not None and (solo := solo_of(head)):
            return solo
    repeats = words.startswith(("VACUUM", "ALTER", "DISCARD", "REINDEX")) and not words.endswith("CONCURRENTLY")
    polite = words.endswith(("CONCURRENTLY", "VACUUM"))
    return Solo(words, Probe.REPEATABLE if repeats else Probe.UNKNOWN, waits_politely=polite)


def solo_for_declared(text: str, declaration: Declaration) -> Solo:
    """The same for a statement of a declared file that is not transactional anyway, whatever it is."""
    found = recognise(text)
    if found is None:
        first = (_first_words(text) or ["statement"])[0]
        repeats = first in ("REINDEX", "CLUSTER")
        found = Solo(first, Probe.REPEATABLE if repeats else Probe.UNKNOWN)
    if declaration.repeatable and found.probe is Probe.UNKNOWN:
        return replace(found, probe=Probe.REPEATABLE)
    return found


def is_transactional_anyway(text: str) -> bool:
    """Whether a statement of a declared file can have a transaction of its own all the same, and so run exactly once.

    Not CALL and DO, whose body may COMMIT, nor what PostgreSQL refuses in a transaction, be it for some tables only,
    nor what the parser does not know.
    """
    from postgast import PgQueryError, fingerprint

    if _first_words(text)[:1] in ([word] for word in UNPREDICTABLE) or recognise(text):
        return False
    try:
        fingerprint(text)
    except PgQueryError:
        return False
    return True


def added_value(text: str) -> EnumValue | None:
    """The value that ALTER TYPE … ADD VALUE adds, which cannot be used in the same transaction; None for any other."""
    if not ENUM_CANDIDATE.match(text):
        return None
    from hop_tasks.scripts.parse_trees import enum_value_of, parsed

    node = parsed(text)
    return enum_value_of(node) if node is not None else None


def declared(text: str) -> Declaration | None:
    """What the first line of an SQL or psql file says of transactions: `-- hop: no-transaction[, repeatable]`.

    Raises ScriptError for a first line that says something else to hop.
    """
    found = DECLARATION.match(text)
    if found is None:
        return None
    said = NO_TRANSACTION.fullmatch(found[1].strip())
    if said is None:
        from hop_tasks.scripts.statements import ScriptError

        raise ScriptError(
            f"-- hop: {found[1].strip()!r} is unknown; possible are no-transaction and no-transaction, repeatable",
            0,
        )
    return Declaration(said["repeatable"] is not None)


def _first_words(text: str) -> list[str]:
    """The words at the beginning of a statement, in capitals, with comments between them left out."""
    words: list[str] = []
    at = 0
    while len(words) < 6 and (word := WORD.match(text, at)):
        words.append(word[1].upper())
        at = word.end()
    return words
