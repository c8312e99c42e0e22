"""Putting a work tree back where Git could write only some of the files of another commit, as on a full disk."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from hop_tasks.repository.git import GitRunner
from hop_tasks.repository.objects import ObjectReader, object_reader


def put_back(git: GitRunner, root: Path, *, head: str, to: str, changed_before: Collection[str]) -> None:
    """Make work tree and index those of a commit again, after a command of Git has failed that was to change them.

    Only what Git has written, begun to write or removed is touched. Where even that cannot be done, the rest is there
    for `git status` to show.

    Args:
        git, root: the repository.
        head: the commit, which Git came from.
        to: the branch or commit that it was on the way to.
        changed_before: the paths that were changed before, which are a person's; the index is left alone then.
    """
    differing = git.read("diff", "--name-only", "--no-renames", "-z", head, to, check=False).out.split("\0")
    kept = set(git.read("ls-tree", "-r", "--name-only", "-z", head, check=False).out.split("\0"))
    with object_reader(git) as objects:
        mine = [
            path
            for path in differing
            if path and path not in changed_before and _is_from(objects, root / path, f"{to}:{path}")
        ]
    with suppress(OSError):
        # Those that are new go first, since that makes room for the others.
        for path in mine:
            if path not in kept:
                (root / path).unlink(missing_ok=True)
                _remove_empty(root, Path(path).parent)
    if not changed_before and git.read("diff", "--cached", "--quiet", head, check=False).code:
        git.run("read-tree", head, check=False)
    lost = [path for path in mine if path in kept]
    if lost:
        git.run("checkout-index", "--force", "--", *lost, check=False)


def _is_from(objects: ObjectReader, file: Path, name: str) -> bool:
    """Whether a file is missing, or is the object of that name or its beginning."""
    if not file.is_symlink() and not file.exists():
        return True
    if file.is_symlink() or not file.is_file():
        return False
    meant = objects.read(name)
    return meant is not None and meant[2].startswith(file.read_bytes())


def _remove_empty(root: Path, folder: Path) -> None:
    while folder != Path() and (root / folder).is_dir() and not any((root / folder).iterdir()):
        (root / folder).rmdir()
        folder = folder.parent
