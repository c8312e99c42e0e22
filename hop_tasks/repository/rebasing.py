"""Conflicts of a rebase in files that somebody else can say how to merge."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from hop_tasks.repository.git import GitRunner
from hop_tasks.repository.objects import object_reader

Reconcile = Callable[[bytes | None, bytes | None, bytes | None], tuple[bytes, bytes, bytes] | bytes | None]
"""Takes the common ancestor of a file, what it is where the rebase leads, and what the commit makes of it; None is a
file that is not there. Returns three texts to merge instead of them, an empty one for a file that goes, or None where a
person has to decide."""


def settle_conflicts(git: GitRunner, root: Path, reconcile: Reconcile) -> bool:
    """Put what can be merged so into the index and the work tree; whether that was all that the rebase stopped for."""
    stages: dict[str, dict[int, str]] = {}
    for entry in git.run("ls-files", "--unmerged", "-z").out.split("\0"):
        if entry:
            about, path = entry.split("\t", 1)
            _, blob, stage = about.split()
            stages.setdefault(path, {})[int(stage)] = blob
    settled: dict[str, bytes | None] = {}
    with object_reader(git) as reader:
        for path, blobs in stages.items():
            base, ours, theirs = (reader.blob(blobs[stage]) if stage in blobs else None for stage in (1, 2, 3))
            versions = reconcile(base, ours, theirs)
            merged = _merge(git, versions) if isinstance(versions, tuple) else versions
            if merged is None:
                return False
            settled[path] = None if isinstance(versions, bytes) else merged
    for path, content in settled.items():
        if content is None:
            git.run("rm", "--quiet", "--force", "--", path)
        else:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
            git.run("add", "--force", "--", path)
    return bool(settled)


def _merge(git: GitRunner, versions: tuple[bytes, bytes, bytes]) -> bytes | None:
    """Three texts merged line by line; None where they conflict."""
    with tempfile.TemporaryDirectory(prefix="hop-merge-") as folder:
        base, ours, theirs = (Path(folder, name) for name in ("base", "ours", "theirs"))
        for path, content in zip((base, ours, theirs), versions, strict=True):
            path.write_bytes(content)
        done = git.run("merge-file", "--quiet", str(ours), str(base), str(theirs), check=False)
        return None if done.code else ours.read_bytes()
