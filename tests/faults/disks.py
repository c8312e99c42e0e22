"""A small disk: a file system in memory, mounted over a folder, that is as full as a test wants it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
"""What a file in memory grows by. Folders and empty files take no room there."""

FILLER = ".filler"
UNSHARE = ("unshare", "--user", "--map-root-user", "--mount")


class SmallDisk:
    """A folder that is a disk of its own, with what was in it before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / FILLER

    def leave(self, pages: int) -> None:
        """Fill it, but for some pages; or free it down to as many."""
        self.empty()
        with self._filler.open("wb") as file:
            file.write(bytes(max(0, self.free() - pages) * PAGE))

    def empty(self) -> None:
        """Free what was filled."""
        self._filler.unlink(missing_ok=True)

    def read_only(self, wanted: bool) -> None:
        """Let nobody write to it, or everybody again."""
        subprocess.run(["mount", "-o", f"remount,bind,{'ro' if wanted else 'rw'}", self.folder], check=True)

    def free(self) -> int:
        """The pages that are free."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize // PAGE


@contextmanager
def small_disk(folder: Path, *, megabytes: int = 8) -> Iterator[SmallDisk]:
    """A disk in the place of a folder, with all that is in it, for as long as the body runs; it need not be there."""
    aside = folder.with_name(f"{folder.name}.aside")
    if folder.exists():
        folder.rename(aside)
    folder.mkdir()
    _mount(folder, megabytes)
    try:
        if aside.exists():
            shutil.copytree(aside, folder, symlinks=True, dirs_exist_ok=True)
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", folder], check=True)


@cache
def may_mount() -> bool:
    """Whether this process may mount a file system: it is root's, of the machine or of a namespace."""
    folder = Path(tempfile.mkdtemp(prefix="hop-mount-"))
    try:
        _mount(folder, 1)
        subprocess.run(["umount", folder], check=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    finally:
        folder.rmdir()
    return True


@cache
def may_unshare() -> bool:
    """Whether a process of this account may have a namespace of its own, where it may mount file systems."""
    script = f"import sys; from {__name__} import may_mount; sys.exit(not may_mount())"
    try:
        done = subprocess.run([*UNSHARE, sys.executable, "-c", script], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def _mount(folder: Path, megabytes: int) -> None:
    options = f"size={megabytes}m,mode=0700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "hop-test", folder], check=True, capture_output=True)
