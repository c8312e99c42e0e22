"""Where the tests write: into memory if there is room, for a disk takes ten times as long to make a database."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 3 << 30
"""Bytes that must be free: servers for two workers, their databases, and some hundred repositories."""


def write_to_memory() -> None:
    """Have temporary files made in memory, unless TMPDIR says otherwise or it is too small, as containers often have
    it, or programs may not be run there."""
    if "TMPDIR" not in os.environ and _has_room() and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None


def _has_room() -> bool:
    return os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM
