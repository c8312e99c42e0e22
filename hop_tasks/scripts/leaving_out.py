"""A script without some of its statements."""

from __future__ import annotations

import re


def without_statements(script: str, unwanted: re.Pattern[str]) -> str:
    """The script less the statements whose text the expression matches from its beginning; all else stays as it is."""
    from hop_tasks.scripts.statements import split_statements

    kept, at = [], 0
    for statement in split_statements(script):
        if unwanted.match(statement.text):
            kept.append(script[at : statement.offset])
            at = statement.offset + len(statement.text) + 1
    return "".join([*kept, script[at:]])
