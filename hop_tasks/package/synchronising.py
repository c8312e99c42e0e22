"""Writing the files of a package: all of them aside first, then each put in place at once, if it has changed."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hop_tasks.checkpoints import checkpoint
from hop_tasks.package.generators import NO_GENERATOR, Generator
from hop_tasks.package.memory import Memory, make_key
from hop_tasks.package.planning import PACKAGE_MODULE, PACKAGE_TEXT, Plan, make_plan, own_files, reported
from hop_tasks.package.seals import Kind, kind_of
from hop_tasks.versions import Version

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

STAGING_FOLDER = ".hop-staging"
"""The folder in the package where files are written before they are put in place. A killed hop may leave it."""

CACHE_FOLDER = "__pycache__"


@dataclass(frozen=True)
class Synchronised:
    """What became of the files of a package.

    Attributes:
        written: those that were written.
        unchanged: those that were already as they must be.
        removed: files of hop's that were no longer needed.
        left: files of hop's that are no longer needed, but have something of the user's in them.
    """

    written: tuple[Path, ...]
    unchanged: tuple[Path, ...]
    removed: tuple[Path, ...] = ()
    left: tuple[Path, ...] = ()


def synchronise(
    folder: Path,
    connection: Connection,
    generator: Generator,
    release: Version | None,
    *,
    memory: Memory | None = None,
) -> Synchronised:
    """Write the files that `generator` makes into the package at `folder`, which is made when there is none.

    A file is replaced as a whole, keeps its mode, and is left alone when its content is the same; what stands between
    markers in it stays. Files of hop's that are no longer given are removed. With a `memory`, nothing is made where the
    files are those that were made from the same. Raises ProjectError, with nothing written, where a file stands in the
    way that hop did not write, or that was changed since.
    """
    if generator.name == NO_GENERATOR:
        return Synchronised((), ())
    digest = None if memory is None else generator.digest(connection)
    if memory is None or digest is None:
        return _synchronise(folder, generator.generate(connection.core, release), generator)
    key = make_key(generator.name, None if release is None else str(release), digest)
    there = dict(own_files(folder))
    if not (folder / STAGING_FOLDER).exists() and memory.recalls(key, there):
        return Synchronised((), tuple(there))
    known = memory.find(key)
    texts = generator.generate(connection.core, release) if known is None else known
    done = _synchronise(folder, texts, generator)
    if known is None:
        memory.keep(key, texts)
    if not done.left:
        memory.note(key, dict(own_files(folder)))
    return done


def _synchronise(folder: Path, texts: Mapping[str, str], generator: Generator) -> Synchronised:
    plan = make_plan(folder, texts, generator.name)
    if plan.writes or plan.removals or (folder / STAGING_FOLDER).exists():
        with reported(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with _staging(folder) as staging:
                _carry_out(folder, plan, staging)
    return Synchronised(tuple(plan.writes), plan.unchanged, plan.removals, plan.left)


def differences(
    folder: Path, connection: Connection, generator: Generator, release: Version | None
) -> tuple[Path, ...]:
    """The files that `synchronise` would write or remove; nothing is changed. Raises what `synchronise` raises."""
    if generator.name == NO_GENERATOR:
        return ()
    plan = make_plan(folder, generator.generate(connection.core, release), generator.name)
    return tuple(sorted([*plan.writes, *plan.removals]))


def generated_files(folder: Path) -> tuple[Path, ...]:
    """The files below a folder that hop writes whole whenever they must differ, in the order of their paths."""
    return tuple(path for path, content in own_files(folder) if kind_of(content) is Kind.GENERATED)


def _carry_out(folder: Path, plan: Plan, staging: Path) -> None:
    """Do what is planned. Whatever is there after an interruption is a whole file, old or new."""
    staged: list[tuple[Path, Path]] = []
    for number, (path, content) in enumerate(plan.writes.items()):
        with reported(path):
            aside = staging / str(number)
            aside.write_bytes(content)
            staged.append((aside, path))
    checkpoint("package.staged")
    for aside, path in staged:
        with reported(path):
            _put_in_place(aside, path)
        checkpoint("package.between_files")
    for path in plan.removals:
        with reported(path):
            path.unlink(missing_ok=True)
            _tidy(path.parent, folder)


def _put_in_place(aside: Path, path: Path) -> None:
    """Make one file another's content in one step. A link is followed, so that it stays a link."""
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        shutil.copymode(target, aside)
    try:
        aside.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # A link to another file system: beside its target, then in place.
        near = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
        try:
            shutil.copy(aside, near)
            near.replace(target)
        finally:
            near.unlink(missing_ok=True)


def _tidy(folder: Path, package: Path) -> None:
    """Remove a folder, and those above it up to the package, in which there is nothing of anybody's any more."""
    while folder != package:
        for entry in folder.iterdir():
            ours = entry.name == PACKAGE_MODULE and entry.read_bytes() == PACKAGE_TEXT
            if entry.name != CACHE_FOLDER and not ours:
                return
        shutil.rmtree(folder)
        folder = folder.parent


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """An empty folder of this process alone, gone at the end; what a killed hop has left in it goes first."""
    path = folder / STAGING_FOLDER
    while True:
        path.mkdir(exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if path.stat().st_ino == os.fstat(descriptor).st_ino:
                    break
        except BaseException:
            os.close(descriptor)
            raise
        # Who had the lock before has removed the folder meanwhile.
        os.close(descriptor)
    try:
        for entry in path.iterdir():
            entry.unlink()
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)
