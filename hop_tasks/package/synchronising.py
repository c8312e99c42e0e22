"""Writing the modules of a package, each at once and only when its text has changed."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from hop_tasks.errors import ProjectError
from hop_tasks.package.generators import COMMAND, GENERATED_MARK, Generator
from hop_tasks.package.memory import PACKAGE_MODULE, Memory, make_key
from hop_tasks.versions import Version

if TYPE_CHECKING:
    from sqlalchemy import Connection

FIRST_LINES = 5
"""How many lines at the beginning of a file are searched for the mark; a person may put a licence above it."""

PACKAGE_TEXT = '"""The Python package of this project."""\n'


@dataclass(frozen=True)
class Synchronised:
    """The files of a package that were written, and those that were already as they must be."""

    written: tuple[Path, ...]
    unchanged: tuple[Path, ...]


def synchronise(
    folder: Path,
    connection: Connection,
    generator: Generator,
    release: Version | None,
    *,
    memory: Memory | None = None,
) -> Synchronised:
    """Write the modules that `generator` makes into the package at `folder`, which is made when there is none.

    A file is replaced as a whole, keeps its mode, and is left alone when its text is the same. With a `memory`, nothing
    is made where the files are those that were made from the same. Raises ProjectError, with nothing written, where a
    file stands in the way that hop did not write.
    """
    digest = None if memory is None else generator.digest(connection)
    if memory is None or digest is None:
        return _synchronise(folder, connection, generator, release)[0]
    key = make_key(generator.name, None if release is None else str(release), digest)
    known = memory.recall(key)
    if known is not None:
        return Synchronised((), known)
    done, texts = _synchronise(folder, connection, generator, release)
    memory.note(key, texts)
    return done


def _synchronise(
    folder: Path, connection: Connection, generator: Generator, release: Version | None
) -> tuple[Synchronised, dict[Path, bytes]]:
    """What was written, and the text of each file."""
    texts = _read_plan(folder, generator.generate(connection, release), generator)
    written = tuple(path for path, text in texts.items() if _differs(path, text))
    for path in written:
        with _reported(path):
            _replace(path, texts[path])
    return Synchronised(written, tuple(path for path in texts if path not in written)), texts


def differences(
    folder: Path, connection: Connection, generator: Generator, release: Version | None
) -> tuple[Path, ...]:
    """The files that `synchronise` would write; nothing is written. Raises what `synchronise` raises."""
    texts = _read_plan(folder, generator.generate(connection, release), generator)
    return tuple(path for path, text in texts.items() if _differs(path, text))


def _read_plan(folder: Path, modules: Mapping[str, str], generator: Generator) -> dict[Path, bytes]:
    """The content of every file that belongs to the package, checked before anything is written."""
    plan: dict[Path, bytes] = {}
    for name, text in sorted(modules.items()):
        relative = PurePosixPath(name)
        if relative.is_absolute() or ".." in relative.parts or not relative.name:
            raise ProjectError(f"the generator {generator.name!r} wants to write {name!r}, outside the package")
        path = folder / relative
        if path.suffix == ".py":
            _check_python(text, path, generator)
        for part in reversed(relative.parents):
            module = folder / part / PACKAGE_MODULE
            if (part / PACKAGE_MODULE).as_posix() not in modules and _read(module) is None:
                plan[module] = PACKAGE_TEXT.encode()
        _check_ours(path)
        plan[path] = text.encode()
    return plan


def _check_python(text: str, path: Path, generator: Generator) -> None:
    if not has_mark(text.encode()):
        raise ProjectError(f"the generator {generator.name!r} made {path.name} without the line {GENERATED_MARK!r}")
    try:
        compile(text, str(path), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise ProjectError(
            f"the generator {generator.name!r} made {path.name}, which is not Python: {error}; nothing was written",
            hint="set generator = 'none' in [tool.hop] of pyproject.toml, and report it",
        ) from error


def _check_ours(path: Path) -> None:
    content = _read(path)
    if content is not None and not has_mark(content):
        raise ProjectError(
            f"{path} was not written by hop and would be overwritten; nothing was written",
            hint=f"rename {path.name}, then {COMMAND}; or set generator = 'none' in [tool.hop] of pyproject.toml",
        )


def has_mark(content: bytes) -> bool:
    """Whether the content of a file says, on its first lines, that hop made it."""
    return any(GENERATED_MARK.encode() in line for line in content.splitlines()[:FIRST_LINES])


def _differs(path: Path, content: bytes) -> bool:
    return _read(path) != content


def _read(path: Path) -> bytes | None:
    """What is in a file; None if there is no such file."""
    with _reported(path):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None


def _replace(path: Path, content: bytes) -> None:
    """Put `content` in place in one step. A link is followed, so that it stays a link."""
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
        if target.exists():
            shutil.copymode(target, temporary)
        temporary.replace(target)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    """Turns an error of the operating system into one that names the file."""
    try:
        yield
    except OSError as error:
        raise ProjectError(
            f"{path} cannot be read or written: {error.strerror or error}", hint=f"make it possible, then {COMMAND}"
        ) from error
