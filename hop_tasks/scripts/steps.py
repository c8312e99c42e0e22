"""Cutting a release into steps: one transaction, unless a statement or a file cannot be part of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import CodeType
from typing import TYPE_CHECKING

from hop_tasks.errors import PatchError
from hop_tasks.scripts.files import PatchFile
from hop_tasks.scripts.nontransactional import (
    Declaration,
    Solo,
    added_value,
    declared,
    is_transactional_anyway,
    recognise,
    solo_for_declared,
)
from hop_tasks.scripts.outcomes import NOTHING_RUN
from hop_tasks.scripts.sql_files import failure

if TYPE_CHECKING:
    from hop_tasks.scripts.statements import Statement

SESSION_SETTING = re.compile(
    r"(?:SET(?!\s+(?:LOCAL|CONSTRAINTS|TRANSACTION)\b)|RESET)\s"
    r"|SELECT\s+(?:pg_catalog\s*\.\s*)?set_config\s*\([^()]*\)\s*\Z",
    re.IGNORECASE,
)
"""A statement that changes what the rest of its file runs with."""


@dataclass(frozen=True)
class Part:
    """What of one file runs in one transaction: a Python file, or statements of an SQL file.

    `settings` are the SET statements further up in the file, in case that another step has run them.
    """

    file: PatchFile
    program: tuple[Statement, ...] | CodeType
    settings: tuple[Statement, ...] = ()
    begins_file: bool = True

    @property
    def title(self) -> str:
        """The file, with the line where the part begins if that is not its beginning."""
        if self.begins_file or isinstance(self.program, CodeType):
            return self.file.path
        return _place(self.file, self.program[0])

    @property
    def source(self) -> str:
        """What it runs, as text."""
        return self.file.text if isinstance(self.program, CodeType) else _source(self.program)


@dataclass(frozen=True)
class TransactionStep:
    """Files, or parts of them, in one transaction."""

    parts: tuple[Part, ...]

    @property
    def title(self) -> str:
        """What it runs, for a person."""
        shown = [self.parts[0].title, *(PurePosixPath(part.title).name for part in self.parts[1:])]
        return f"transaction: {', '.join(shown)}"

    @property
    def checksum(self) -> str:
        """Over what it runs."""
        return _checksum("transaction", *(f"{part.title}\n{part.source}" for part in self.parts))


@dataclass(frozen=True)
class StatementStep:
    """One statement that runs by itself, since PostgreSQL or its author wants no transaction around it."""

    file: PatchFile
    statement: Statement
    solo: Solo
    settings: tuple[Statement, ...] = ()

    @property
    def title(self) -> str:
        """What it runs, for a person."""
        return f"{_place(self.file, self.statement)}: {self.solo.words}"

    @property
    def checksum(self) -> str:
        """Over what it runs."""
        return _checksum("statement", self.title, self.statement.text)


@dataclass(frozen=True)
class PsqlStep:
    """A file that psql runs: in a transaction of its own, unless its first line says that it wants none."""

    file: PatchFile
    declaration: Declaration | None

    @property
    def repeatable(self) -> bool:
        """Whether its author says that it may run again after an interruption."""
        return self.declaration is not None and self.declaration.repeatable

    @property
    def title(self) -> str:
        """What it runs, for a person."""
        return f"{self.file.path}: psql"

    @property
    def checksum(self) -> str:
        """Over what it runs."""
        return _checksum("psql", self.file.path, self.file.checksum)


Step = TransactionStep | StatementStep | PsqlStep


def cut_steps(programs: Sequence[tuple[PatchFile, tuple[Statement, ...] | CodeType | None]]) -> tuple[Step, ...]:
    """The steps of a release, in their order.

    Args:
        programs: the files with their statements or their compiled code; with nothing if psql is to run them.

    Raises PatchError, with the place, for a statement that hop could not follow up after an interruption.
    """
    cutter = _Cutter([file for file, _ in programs])
    for file, program in programs:
        if program is None:
            cutter.add(PsqlStep(file, declaration_of(file)))
        elif isinstance(program, CodeType):
            cutter.parts.append(Part(file, program))
        else:
            cutter.cut_file(file, program)
        cutter.following.pop(0)
    return cutter.finished()


def declaration_of(file: PatchFile) -> Declaration | None:
    """What the first line of a file says of transactions. Raises PatchError for what hop does not know."""
    from hop_tasks.scripts.statements import ScriptError

    try:
        return declared(file.text)
    except ScriptError as error:
        raise failure(file, file.text, error.offset, f"{error}; {NOTHING_RUN}") from error


def failure_at(step: StatementStep, message: str) -> PatchError:
    """The error for a statement that hop itself finds fault with, with its place."""
    return failure(step.file, step.file.text, step.statement.offset, message)


class _Cutter:
    """Collects the parts of a transaction until something comes that cannot be in it."""

    def __init__(self, files: list[PatchFile]) -> None:
        self.following = files
        self.parts: list[Part] = []
        self._steps: list[Step] = []

    def add(self, step: Step) -> None:
        self._end_transaction()
        self._steps.append(step)

    def cut_file(self, file: PatchFile, statements: tuple[Statement, ...]) -> None:
        declaration = declaration_of(file)
        if declaration is not None:
            self._end_transaction()
        start = 0
        for number, statement in enumerate(statements):
            if declaration is not None and SESSION_SETTING.match(statement.text):
                start = number + 1  # every later step of the file begins with it
                continue
            solo = _solo_of(file, statement, declaration)
            if solo is not None:
                self._add_part(file, statements, start, number)
                self.add(StatementStep(file, statement, solo, _settings(statements[:number])))
            elif declaration is not None or self._must_be_committed(file, statement):
                self._add_part(file, statements, start, number + 1)
                self._end_transaction()
            else:
                continue
            start = number + 1
        self._add_part(file, statements, start, len(statements))

    def finished(self) -> tuple[Step, ...]:
        self._end_transaction()
        return tuple(self._steps)

    def _add_part(self, file: PatchFile, statements: tuple[Statement, ...], start: int, end: int) -> None:
        part = statements[start:end]
        if len(part) == len(statements) or len(_settings(part)) < len(part):
            self.parts.append(Part(file, part, _settings(statements[:start]), start == 0))

    def _end_transaction(self) -> None:
        if self.parts:
            self._steps.append(TransactionStep(tuple(self.parts)))
            self.parts = []

    def _must_be_committed(self, file: PatchFile, statement: Statement) -> bool:
        """Whether it adds a value to an enum that seems to be used further down: not in the same transaction."""
        value = added_value(statement.text)
        if value is None:
            return False
        quoted = value.label.replace("'", "''")
        rest = [file.text[statement.offset + len(statement.text) :], *(later.text for later in self.following[1:])]
        return any(f"'{quoted}'" in text or f'"{value.label}"' in text for text in rest)


def _solo_of(file: PatchFile, statement: Statement, declaration: Declaration | None) -> Solo | None:
    if declaration is None:
        solo = recognise(statement.text)
    else:
        solo = None if is_transactional_anyway(statement.text) else solo_for_declared(statement.text, declaration)
    if solo is not None and solo.problem:
        raise failure(file, file.text, statement.offset, f"{solo.words} {solo.problem}; {NOTHING_RUN}")
    return solo


def _settings(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    return tuple(statement for statement in statements if SESSION_SETTING.match(statement.text))


def _place(file: PatchFile, statement: Statement) -> str:
    from hop_tasks.scripts.statements import locate

    return f"{file.path}:{locate(file.text, statement.offset)[0]}"


def _source(statements: Sequence[Statement]) -> str:
    return ";\n".join(statement.text + (statement.copy_data or "") for statement in statements)


def _checksum(*texts: str) -> str:
    return f"sha256:{hashlib.sha256(chr(0).join(texts).encode()).hexdigest()}"
