"""The folders of dumps: what is there, what of it is whole, and what a command that was killed has left.

A dump is written under another name, brought to the disk, and only then renamed, so that one that has its name is whole
whenever hop, or the machine, is stopped.
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote

from hop_tasks.checkpoints import checkpoint
from hop_tasks.disk import secure, size_of, sync
from hop_tasks.project import STATE_FOLDER
from hop_tasks.snapshots.kinds import BEFORE_APPLY, SNAPSHOT
from hop_tasks.versions import Version

DUMPS = "snapshots"
SECTIONS = ("pre-data", "data", "post-data")
RELEASE_FILE = "release"

NEW, OLD = "new", "old"
HALF_DONE = re.compile(r"(?P<name>.+)\.(?P<what>new|old)-[0-9a-f]{8}")

LAST_WORDS = b"-- PostgreSQL database dump complete"
TAIL = 512
"""Bytes at the end of a script that have its last words; newer versions have one more command after them."""


@dataclass(frozen=True)
class Dump:
    """A dump that is kept.

    Attributes:
        folder: where it is.
        kind: SNAPSHOT for the state of a release, BEFORE_APPLY for what somebody wrote to the database by hand.
        release: the release that it is at; None where nobody noted one.
        at: when it was made, in ISO 8601.
        size: bytes.
    """

    folder: Path
    kind: str
    release: str | None
    at: str
    size: int


def dumps_place(root: Path, database: str) -> Path:
    """The folder of a project that has the dumps of a database."""
    return root / STATE_FOLDER / DUMPS / quote(database, safe="")


def find_dumps(place: Path) -> tuple[Dump, ...]:
    """The dumps in a folder, by name, less those that are half-made; none if there is no such folder."""
    folders = (folder for folder in sorted(place.glob("*")) if folder.is_dir() and not HALF_DONE.fullmatch(folder.name))
    return tuple(
        Dump(
            folder,
            BEFORE_APPLY if folder.name.startswith(BEFORE_APPLY) else SNAPSHOT,
            _release_of(folder),
            datetime.fromtimestamp(folder.stat().st_mtime, timezone.utc).isoformat(),
            size_of(folder),
        )
        for folder in folders
    )


def is_whole(folder: Path) -> bool:
    """Whether all scripts of a dump are there, up to their ends."""
    return all(_is_ended(folder / section) for section in SECTIONS)


def begin_dump(folder: Path) -> Path:
    """A new folder for what is to become the dump at `folder`."""
    new = _half_done(folder, NEW)
    new.mkdir(parents=True, mode=0o700)
    return new


def finish_dump(new: Path, folder: Path) -> None:
    """Give a dump that is whole its name; one that has it already is replaced."""
    secure(new)
    checkpoint("dump.before_rename")
    old = _half_done(folder, OLD) if folder.exists() else None
    if old is not None:
        folder.rename(old)
        checkpoint("dump.between_renames")
    new.rename(folder)
    sync(folder.parent)
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)


def set_aside(folder: Path) -> Path:
    """Give a dump a name of its own, with its time, so that another one can take the place."""
    made = datetime.fromtimestamp(folder.stat().st_mtime, timezone.utc)
    aside = folder.with_name(f"{folder.name}_{made:%Y%m%d_%H%M%S}")
    if aside.exists():
        aside = aside.with_name(f"{aside.name}_{secrets.token_hex(2)}")
    folder.rename(aside)
    sync(folder.parent)
    return aside


def remove_dumps(dumps: Iterable[Dump]) -> None:
    """Remove dumps, each at once: what is left of one when hop is killed is not taken for a dump."""
    for dump in dumps:
        old = _half_done(dump.folder, OLD)
        dump.folder.rename(old)
        shutil.rmtree(old, ignore_errors=True)


def clear_half_done(place: Path) -> None:
    """Remove what a command that was killed has left half-made or half-removed.

    One that was about to be replaced, and by nothing yet, gets its name back.
    """
    for folder in place.glob("*"):
        found = HALF_DONE.fullmatch(folder.name)
        if found is None:
            continue
        meant = folder.with_name(found["name"])
        if found["what"] == OLD and not meant.exists() and is_whole(folder):
            folder.rename(meant)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _half_done(folder: Path, what: str) -> Path:
    return folder.with_name(f"{folder.name}.{what}-{secrets.token_hex(4)}")


def _is_ended(script: Path) -> bool:
    try:
        with script.open("rb") as file:
            file.seek(max(script.stat().st_size - TAIL, 0))
            return LAST_WORDS in file.read()
    except FileNotFoundError:
        return False


def _release_of(folder: Path) -> str | None:
    try:
        return (folder / RELEASE_FILE).read_text("utf-8").strip() or None
    except FileNotFoundError:
        # An earlier version of hop noted it in the name alone.
        return str(version) if (version := Version.find(folder.name.partition("-")[0])) else None
