r"""Splits an SQL script into statements where psql would, without asking a server.

The rules are those of PostgreSQL's lexer with ``standard_conforming_strings = on`` and of psql on top
of it: a semicolon ends a statement unless it lies in quotes, in a comment, between parentheses, or in the
``BEGIN ATOMIC … END`` body of a routine. Variables of psql (``:name``) are left as they stand,
its meta-commands are refused.

One regular expression jumps from one decisive character to the next; Python looks only at those.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

# Expressions that match at every place, if only nothing.
_Skip = Callable[[str, int], "re.Match[str]"]

_BOM = "\ufeff"
_SPACE = " \t\n\r\f\v"
# To PostgreSQL every character beyond ASCII is a letter, no-break spaces included. The classes name what of ASCII is
# not in them: one that names all beyond ASCII takes `re` milliseconds to compile.
_LETTER = r"[^\x00-@\[-^`{-\x7f]"
_NAME_PART = r"[^\x00-#%-/:-@\[-^`{-\x7f]"
_TAG_PART = r"[^\x00-/:-@\[-^`{-\x7f]"

# The expressions below have the form `run (special run)*`; while a failure can make them go back, no special
# matches in two ways or starts like a run: that keeps them linear. Repeats are bounded because the engine keeps a
# record of each; where a bound is met, the scanning loop goes on from there.
_RUN = r"""[^'"$();\\/\-]*"""
_RUN_IN_GROUP = r"""[^'"$()\\/\-]*"""
# Up to a digit or a letter too.
_RUN_TO_WORD = r"[\x00-!#%&*+,.:<-@\[\]^`{-\x7f]*"
# A quote after an `e` may open a string with backslash escapes: the loop decides. A doubled quote in a string is
# read as the end of one string and the start of the next, which comes to the same.
_SPECIAL = r"""'(?<![eE]')[^']*'|"[^"]*"|--[^\r\n]*(?![^\r\n])|-(?!-)|/(?!\*)"""
_FLAT_GROUP = rf"\({_RUN_IN_GROUP}(?:(?:{_SPECIAL}){_RUN_IN_GROUP}){{0,100}}\)"
_GROUP = rf"\({_RUN_IN_GROUP}(?:(?:{_SPECIAL}|{_FLAT_GROUP}){_RUN_IN_GROUP}){{0,100}}\)"
# Letters right behind a number belong to it (and are an error that the server reports), a `$` does not.
_NUMBER = rf"[0-9]+(?:\.(?!\.)[0-9]*)?(?:{_LETTER}{_NAME_PART}*)?"
_NO_KEYWORD = rf"(?!(?i:begin|case|end|from)(?!{_NAME_PART})){_LETTER}{_NAME_PART}*"


def _skip(expression: str) -> _Skip:
    return cast(_Skip, re.compile(expression).match)


_skip_run = _skip(rf"{_RUN}(?:(?:{_SPECIAL}|{_GROUP}){_RUN}){{0,100}}")
_skip_run_to_keyword = _skip(
    rf"{_RUN_TO_WORD}(?:(?:{_NO_KEYWORD}|{_SPECIAL}|{_GROUP}|{_NUMBER}){_RUN_TO_WORD}){{0,100}}"
)
_skip_space = _skip(rf"[{_SPACE}]*(?:--[^\r\n]*[{_SPACE}]*){{0,1000}}")
_skip_separators = _skip(rf"[{_SPACE};]*(?:--[^\r\n]*[{_SPACE};]*){{0,1000}}")
_skip_opening = _skip(r"\(*")
_skip_closing = _skip(r"\)*")
_skip_name = _skip(f"{_NAME_PART}*")
_skip_parameter = _skip(rf"\$(?:[0-9]+(?:{_LETTER}{_NAME_PART}*)?)?")

_may_have_more = re.compile(rf"(?:create|copy)(?!{_NAME_PART})", re.IGNORECASE).match
_word = re.compile(rf"{_LETTER}{_NAME_PART}*").match
_dollar_tag = re.compile(rf"\$(?:{_LETTER}{_TAG_PART}*)?\$").match
_escape_prefix = re.compile(rf"(?<!{_NAME_PART})[eE]'").match
_comment_marks = re.compile(r"/\*|\*/").finditer
_line_break = re.compile(r"[\n\r]").search
_rest_of_line = re.compile(r"[ \t\r\f\v]*(?:--[^\r\n]*)?\r?(?:\n|\Z)").match
_closing_line = re.compile(r"\\\.\r?(?:\n|\Z)").match
_meta_command = re.compile(r"\\[^\s\\]{0,30}").match


class ScriptError(ValueError):
    """A script that cannot be split.

    Args:
        message: what is wrong, on one line and without its place.
        offset: the index in the script where the offending quote, comment, block or command starts.
    """

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


@dataclass(frozen=True)
class Statement:
    r"""One statement of a script.

    Args:
        text: from the first character that is neither white space nor comment up to, not including, the semicolon.
            The last statement may lack one: its text ends with the script, without white space at the end.
        offset: the index of ``text[0]`` in the script, in characters.
        copy_data: the rows below ``COPY … FROM stdin;`` with their line ends, without the closing ``\.`` line;
            None for any other statement.
    """

    text: str
    offset: int
    copy_data: str | None = None


def split_statements(script: str) -> tuple[Statement, ...]:
    """Split a script into its statements; empty ones are dropped.

    Raises:
        ScriptError: a quote, a comment or a block of COPY rows has no end, or there is a psql meta-command.
    """
    if script.startswith(_BOM):
        script = " " + script[1:]
    statements: list[Statement] = []
    start = _after_blank(script, 0, _skip_separators)
    while start < len(script):
        parts = _Parts(script, start) if _may_have_more(script, start) else None
        end = _statement_end(script, start, parts)
        position = end + 1
        if parts and parts.has_rows:
            rows, position = _copy_rows(script, start, end)
            statements.append(Statement(script[start:end], start, rows))
        elif end < len(script):
            statements.append(Statement(script[start:end], start))
        else:
            statements.append(Statement(script[start:].rstrip(_SPACE), start))
        start = _after_blank(script, position, _skip_separators)
    return tuple(statements)


def locate(script: str, offset: int) -> tuple[int, int]:
    """Give line and column, both from 1, of a character of the script; a byte order mark has no column."""
    line_start = script.rfind("\n", 0, offset) + 1
    if line_start == 0 and offset > 0 and script.startswith(_BOM):
        line_start = 1
    return script.count("\n", 0, offset) + 1, offset - line_start + 1


class _Parts:
    """What a CREATE or COPY statement has beyond words and parentheses: a body with semicolons, or rows below it."""

    def __init__(self, script: str, start: int) -> None:
        first, *second = _words(script, start, 2)
        if second == ["or"]:
            second = _words(script, start, 4)[3:]
        self.is_routine = first == "create" and second in (["function"], ["procedure"])
        self.is_copy = first == "copy"
        self.body_depth = 0
        self.has_rows: bool | None = None

    def note(self, word: re.Match[str]) -> None:
        """Take account of a word outside parentheses, the way psql does."""
        keyword = word[0].lower()
        if self.is_routine:
            # CASE has an END of its own.
            if keyword == "begin" or (keyword == "case" and self.body_depth):
                self.body_depth += 1
            elif keyword == "end" and self.body_depth:
                self.body_depth -= 1
        elif keyword == "from" and self.has_rows is None:
            # The grammar of COPY takes STDOUT for STDIN here.
            self.has_rows = _words(word.string, word.start(), 2)[1:] in (["stdin"], ["stdout"])


def _statement_end(script: str, position: int, parts: _Parts | None) -> int:
    """Give the index of the semicolon that ends the statement, or of the end of the script."""
    depth = 0
    skip = _skip_run_to_keyword if parts and (parts.is_routine or parts.is_copy) else _skip_run
    while True:
        start = position
        position = skip(script, start).end()
        if position == len(script):
            return position
        character = script[position]
        if character == ";" and not depth and not (parts and parts.body_depth):
            return position
        if character == "(":
            position = _skip_opening(script, start := position).end()
            depth += position - start
        elif character == ")":
            position = _skip_closing(script, start := position).end()
            # psql forgets a closing parenthesis that nothing opened.
            depth = max(0, depth - (position - start))
        elif parts and (word := _word(script, position)):
            if not depth:
                parts.note(word)
            position = word.end()
        else:
            position = _after_token(script, start, position)


def _words(script: str, position: int, count: int) -> list[str]:
    """Give up to `count` words in small letters, the first one at `position`, with only white space in between."""
    words: list[str] = []
    while len(words) < count and (word := _word(script, position)):
        words.append(word[0].lower())
        position = _after_blank(script, word.end(), _skip_space)
    return words


def _after_token(script: str, start: int, position: int) -> int:
    """Give the index after what the character at `position` opens; a token starts at `start`, at or before it."""
    character = script[position]
    if character == "'":
        return _after_string(script, start, position)
    if character == '"':
        return _find(script, '"', position + 1, "unterminated quoted identifier", position) + 1
    if character == "$":
        return _after_dollar(script, start, position)
    if script.startswith("/*", position):
        return _after_comment(script, position)
    if command := _meta_command(script, position):
        raise ScriptError(f"psql meta-command {command[0]} in an SQL script", position)
    # A semicolon that does not end the statement, or a character at which a bounded run came to its end.
    return position + (character == ";")


def _after_string(script: str, start: int, quote: int) -> int:
    """Give the index after the string whose opening quote is at `quote`; a token starts at `start`."""
    # Behind a dollar quote, which ends like a name, only the start tells that the `e` is no part of one.
    if quote and (_escape_prefix(script, quote - 1) or script[start:quote] in ("e", "E")):
        return _after_escape_string(script, quote)
    close = script.find("'", quote + 1)
    if close < 0:
        # The quote may be the second one of a doubled quote: the string started further up.
        while quote and script[quote - 1] == "'":
            quote = script.rindex("'", 0, quote - 1)
        raise ScriptError("unterminated quoted string", quote)
    return close + 1


def _after_escape_string(script: str, quote: int) -> int:
    """Give the index after the string with backslash escapes whose opening quote is at `quote`.

    Only here does it matter that quotes with nothing but white space and a line break between them make one string.
    """
    position = quote + 1
    while True:
        close = _find(script, "'", position, "unterminated quoted string", quote - 1)
        piece = script[position:close]
        position = close + 1
        if (len(piece) - len(piece.rstrip("\\"))) % 2:
            continue
        if not script.startswith("'", position):
            while script.startswith("--", position := _skip_space(script, position).end()):
                pass
            if not script.startswith("'", position) or not _line_break(script, close + 1, position):
                return close + 1
        position += 1


def _after_dollar(script: str, start: int, position: int) -> int:
    """Give the index after the name that the `$` is part of, or after the dollar quote or parameter that it opens."""
    before = script[start:position].rstrip("0123456789")[-1:]
    if _word(before, 0):
        return _skip_name(script, position).end()
    if tag := _dollar_tag(script, position):
        message = f"unterminated dollar-quoted string {tag[0][:40]}"
        return _find(script, tag[0], tag.end(), message, position) + len(tag[0])
    return _skip_parameter(script, position).end()


def _after_comment(script: str, position: int) -> int:
    """Give the index after the comment that starts at `position`, in which others may be nested."""
    depth = 0
    for mark in _comment_marks(script, position):
        depth += 1 if mark[0] == "/*" else -1
        if not depth:
            return mark.end()
    raise ScriptError("unterminated /* comment", position)


def _after_blank(script: str, position: int, skip: _Skip) -> int:
    """Give the index after comments and what else `skip` takes for blank."""
    while True:
        position = skip(script, position).end()
        if script.startswith("/*", position):
            position = _after_comment(script, position)
        elif not script.startswith("--", position):
            return position


def _find(script: str, text: str, position: int, message: str, opening: int) -> int:
    """Give the index of a text that must be there, or raise an error for what is open since `opening`."""
    found = script.find(text, position)
    if found < 0:
        raise ScriptError(message, opening)
    return found


def _copy_rows(script: str, start: int, semicolon: int) -> tuple[str, int]:
    """Give the rows below the COPY statement at `start` and the index after the line that ends them."""
    rest = _rest_of_line(script, semicolon + 1)
    if rest is None:
        # psql would run it after the rows, which no reader of the script expects.
        raise ScriptError("text after COPY … FROM stdin; on the same line: its rows start on the next", semicolon + 1)
    # Where there are no rows, the closing line follows upon the line break behind the semicolon.
    mark = rest.end() - 1
    while (mark := script.find("\n\\.", mark)) >= 0:
        if closing := _closing_line(script, mark + 1):
            return script[rest.end() : mark + 1], closing.end()
        mark += 1
    raise ScriptError("COPY … FROM stdin without a line \\. that ends its rows", start)
