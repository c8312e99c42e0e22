"""One spelling for expressions that PostgreSQL spells in two ways.

``status IN ('a', 'b')`` on a ``character varying`` column is kept as one cast of a whole array::

    (ARRAY['a'::character varying, 'b'::character varying])::text[]

and when a dump with this text is loaded, as casts of its elements, which then stays so::

    ARRAY[('a'::character varying)::text, ('b'::character varying)::text]

Without one spelling for both, no database rebuilt from a dump would have the catalog of its origin.
"""

from __future__ import annotations

import re

_START = "(ARRAY["
_CAST = re.compile(r'\]\)::((?:"(?:[^"]|"")*"|[\w.]| (?=\w))+(?:\([\d,]+\))?)\[\]')
_QUOTED = re.compile(r"""'(?:[^']|'')*'|["](?:[^"]|"")*["]""")


def spread_array_casts(definition: str) -> str:
    """The definition with every cast of an array constructor turned into casts of its elements."""
    done: list[str] = []
    rest = definition
    while (start := rest.find(_START)) >= 0:
        first = start + len(_START)
        done.append(rest[:start])
        elements, end = _elements(rest, first)
        cast = _CAST.match(rest, end)
        if cast is None:
            done.append(rest[start:first])
            rest = rest[first:]
        else:
            spread = ", ".join(f"({spread_array_casts(element)})::{cast[1]}" for element in elements)
            done.append(f"ARRAY[{spread}]")
            rest = rest[cast.end() :]
    return "".join([*done, rest])


def _elements(text: str, position: int) -> tuple[list[str], int]:
    """The elements of the list that starts at `position`, and the position of the bracket that closes it."""
    elements: list[str] = []
    depth, start = 0, position
    while position < len(text):
        char = text[position]
        if char in "'\"":
            quoted = _QUOTED.match(text, position)
            position = quoted.end() if quoted else len(text)
            continue
        if char == "]" and depth == 0:
            break
        if char == "," and depth == 0:
            elements.append(text[start:position].strip())
            start = position + 1
        depth += (char in "([") - (char in ")]")
        position += 1
    return [*elements, text[start:position].strip()], position
