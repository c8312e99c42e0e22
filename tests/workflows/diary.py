"""A reporter for the tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Diary:
    """A reporter that remembers what it was told, and may do something when it is told something of a kind.

    Attributes:
        entries: the kinds, `step`, `note` or `warn`, with the texts.
        then: what is done at an entry of a kind.
    """

    entries: list[tuple[str, str]] = field(default_factory=list)
    then: dict[str, Callable[[], object]] = field(default_factory=dict)

    def step(self, text: str) -> None:
        self._enter("step", text)

    def note(self, text: str) -> None:
        self._enter("note", text)

    def warn(self, text: str) -> None:
        self._enter("warn", text)

    def told(self, kind: str) -> str:
        """The texts of a kind, each in a line."""
        return "\n".join(text for found, text in self.entries if found == kind)

    @property
    def lines(self) -> list[str]:
        return [text for _, text in self.entries]

    def count(self, words: str) -> int:
        """How many texts have the words."""
        return sum(words in line for line in self.lines)

    def _enter(self, kind: str, text: str) -> None:
        self.entries.append((kind, text))
        self.then.get(kind, lambda: None)()
