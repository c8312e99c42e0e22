"""What psql writes to its standard error: messages of the server and its own, and the places they are about."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

# Words are translated, signs are not: a message of the server has two spaces after its severity.
HEAD = re.compile(r"psql:(?:(?P<path>.+?):(?P<line>\d+):)? (?P<rest>.*)")
SERVER = re.compile(r"(?P<severity>[^\s:][^:]*):  (?P<state>[0-9A-Z]{5}): (?P<text>.*)")
FIELD = re.compile(r"(?P<name>[^\W\d_][^:\d]*):  (?P<value>.*)")
EXCERPT = re.compile(r"(?P<label>\S+ \d+: )(?P<text>.*)")
NOTES = frozenset({"NOTICE", "INFO", "LOG", "DEBUG"})
UNWANTED = frozenset({"LOCATION", "SCHEMA NAME", "TABLE NAME", "COLUMN NAME", "DATATYPE NAME", "CONSTRAINT NAME"})
"""Fields that repeat what the text says, or are about PostgreSQL's own sources."""


@dataclass
class Message:
    """One message.

    Attributes:
        text: what it says.
        severity: such as NOTICE, in the server's language; empty for a message of psql itself or of another program.
        state: the server's SQLSTATE.
        path, line: the script that psql was in and the line at which it had come to the statement's end.
        fields: name and value of what else the server says, such as DETAIL.
        excerpt: the line of the statement that the server shows, and where its sign below points to, from 0.
    """

    text: str
    severity: str = ""
    state: str | None = None
    path: str | None = None
    line: int = 0
    fields: list[tuple[str, str]] = field(default_factory=list)
    excerpt: tuple[str, int] | None = None

    @property
    def is_fault(self) -> bool:
        """Whether it may be what psql stopped at: not what other programs and psql's \\warn have written."""
        return not self.is_note and not self.is_warning and bool(self.state or self.path)

    @property
    def is_note(self) -> bool:
        """Whether nobody has to act on it."""
        return self.severity in NOTES or self.state == "00000"

    @property
    def is_warning(self) -> bool:
        """Whether the server warns of something, and goes on."""
        return not self.is_note and (self.severity == "WARNING" or (self.state or "").startswith("01"))

    @property
    def shown(self) -> str:
        """On one line, with its severity and detail."""
        detail = dict(self.fields).get("DETAIL")
        text = f"{self.severity}: {self.text}" if self.severity else self.text
        return " ".join(f"{text} ({detail})".split() if detail else text.split())


def read_messages(text: str) -> list[Message]:
    """The messages in what psql, with VERBOSITY=verbose, has written to its standard error."""
    return [message for message in _messages(text.splitlines()) if message.text.strip()]


def _messages(lines: list[str]) -> Iterator[Message]:
    current: Message | None = None
    previous = ""
    for line in lines:
        begun = _begun(line)
        if begun is not None or current is None:
            if current is not None:
                yield current
            current = begun or Message(line)
        elif not _went_on(current, line, previous):
            yield current
            current = Message(line)
        previous = line
    if current is not None:
        yield current


def _begun(line: str) -> Message | None:
    head = HEAD.fullmatch(line)
    rest = head["rest"].lstrip() if head else line
    server = SERVER.fullmatch(rest)
    if head is None and server is None:
        return None
    message = Message(server["text"], server["severity"], server["state"]) if server else Message(rest)
    if head and head["path"]:
        message.path, message.line = posixpath.normpath(head["path"]), int(head["line"])
    return message


def _went_on(message: Message, line: str, previous: str) -> bool:
    """Add a line to a message if it belongs to it."""
    if not message.state:
        if not line.startswith(("\t", " ")):
            return False
        message.text += f" {line.strip()}"
    elif any(name == "LOCATION" for name, _ in message.fields):
        return False  # it is the last
    elif found := FIELD.fullmatch(line):
        message.fields.append((found["name"], found["value"]))
    elif (shown := EXCERPT.fullmatch(previous)) and line.strip() == "^":
        message.text = message.text.removesuffix(f"\n{previous}")
        message.excerpt = (shown["text"], line.index("^") - len(shown["label"]))
    elif message.fields:
        name, value = message.fields[-1]
        message.fields[-1] = (name, f"{value}\n{line}")
    else:
        message.text += f"\n{line}"
    return True


def place_of(message: Message, root: Path) -> tuple[str, int, int | None]:
    """The text of the file that a message is about, line and column from 1; the column if that can be known.

    psql names the line where a statement ends; what the server shows of the statement is looked for above it.
    """
    try:
        text = (root / (message.path or "")).read_text("utf-8", "replace")
    except OSError:
        return "", message.line, None
    if message.excerpt is not None:
        shown, sign = message.excerpt
        cut = 3 if shown.startswith("...") else 0
        wanted = shown[cut:].removesuffix("...").strip()
        sign -= cut + len(shown[cut:]) - len(shown[cut:].lstrip())
        lines = text.split("\n")[: message.line]
        for number in range(len(lines), 0, -1):
            at = lines[number - 1].replace("\t", " ").find(wanted) if wanted else -1
            if at >= 0:
                return text, number, at + sign + 1
    return text, message.line, None
