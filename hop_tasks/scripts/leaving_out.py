"""A script without some of its statements."""

from __future__ import annotations

import re

OPENING = re.compile(r"(?:BEGIN|START\s+TRANSACTION)(?:\s+(?:WORK|TRANSACTION))?", re.IGNORECASE)
CLOSING = re.compile(r"(?:COMMIT|END)(?:\s+(?:WORK|TRANSACTION))?", re.IGNORECASE)
OPENING_LINE = re.compile(rf"^[ \t]*{OPENING.pattern}[ \t]*;[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
CLOSING_LINE = re.compile(rf"^[ \t]*{CLOSING.pattern}[ \t]*;[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)


def without_statements(script: str, unwanted: re.Pattern[str]) -> str:
    """The script less the statements whose text the expression matches from its beginning; all else stays as it is."""
    from hop_tasks.scripts.statements import split_statements

    kept, at = [], 0
    for statement in split_statements(script):
        if unwanted.match(statement.text):
            kept.append(script[at : statement.offset])
            at = statement.offset + len(statement.text) + 1
    return "".join([*kept, script[at:]])


def without_outer_transaction(script: str) -> str:
    """The script less the BEGIN that it begins with and the COMMIT that it ends with; as it is where it has not both.

    Lines keep their numbers. In a script with commands of psql's own, they are looked for as lines of their own.
    """
    from hop_tasks.scripts.statements import ScriptError, split_statements

    try:
        statements = split_statements(script)
    except ScriptError:
        first, last = OPENING_LINE.search(script), CLOSING_LINE.search(script)
        if first is None or last is None or last.start() < first.end():
            return script
        spans = [first.span(), last.span()]
    else:
        ends = (*statements[:1], *statements[1:][-1:])
        if len(ends) < 2 or not OPENING.fullmatch(ends[0].text) or not CLOSING.fullmatch(ends[1].text):
            return script
        spans = [(one.offset, one.offset + len(one.text) + 1) for one in ends]
    (start, end), (second, rest) = spans
    return script[:start] + script[end:second] + script[rest:]


def has_statements(script: str) -> bool:
    """Whether there is anything to run in a script: a statement, or something that cannot be read as SQL."""
    from hop_tasks.scripts.statements import ScriptError, split_statements

    try:
        return bool(split_statements(script))
    except ScriptError:
        return True
