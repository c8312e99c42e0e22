"""Some folders of many commits, read in blocks: git is at the next ones while one is gone through."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias, TypeVar

from hop_tasks.errors import RepositoryError
from hop_tasks.repository.objects import SUBMODULE_MODE, TREE_MODE, ObjectReader, parse_tree

T = TypeVar("T")

Reading: TypeAlias = "Generator[None, None, list[T]]"
"""What a block comes to. It yields whenever it has asked git for something that it cannot do without."""

BLOCK = 16
"""Commits that are read together, few enough for git to be asked for the next ones before the answers are read; the
files of two blocks are in memory."""

AUTHOR = re.compile(rb"^author (.*?) ?<(.*?)> ?-?\d+ [-+]\d+$", re.MULTILINE)
ENCODING = re.compile(rb"^encoding (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class CommitFolders:
    """What some folders have at a commit.

    Attributes:
        commit: its id.
        author: name and e-mail.
        trees: folder -> Git's id of it, for those that are there.
        blobs: path -> Git's id of the files directly in them.
        files: path -> content of the same.
    """

    commit: str
    author: str
    trees: Mapping[str, str]
    blobs: Mapping[str, str]
    files: Mapping[str, bytes]


def read_folders(objects: ObjectReader, wanted: Iterable[tuple[str, Sequence[str]]]) -> Iterator[CommitFolders | None]:
    """What folders have at commits, in their order; None for a commit that is not there.

    Args:
        objects: reads them.
        wanted: for each a name of git's for the commit, and the paths of the folders.

    Raises RepositoryError if a file is missing.
    """
    return _overlapped(_commits(objects, block) for block in _blocks(wanted))


def read_blobs(objects: ObjectReader, wanted: Iterable[Sequence[str]]) -> Iterator[list[bytes]]:
    """The contents of blobs, for each of several lists of their ids. Raises RepositoryError if one is missing."""
    return _overlapped(_lists(objects, block) for block in _blocks(wanted))


def _blocks(wanted: Iterable[T]) -> Iterator[list[T]]:
    pending = iter(wanted)
    while block := list(islice(pending, BLOCK)):
        yield block


def _overlapped(blocks: Iterator[Reading[T]]) -> Iterator[T]:
    """What blocks come to, in their order. While one is gone through, git looks for what the next ones ask for."""
    begun: deque[Reading[T]] = deque()
    while True:
        done: list[T] = []
        for block in tuple(begun):
            # The first has asked first, and is the only one that can be at its end: all take the same steps.
            try:
                next(block)
            except StopIteration as end:
                done = end.value
                begun.popleft()
        if another := next(blocks, None):
            next(another)
            begun.append(another)
        yield from done
        if not begun:
            return


def _commits(objects: ObjectReader, block: Sequence[tuple[str, Sequence[str]]]) -> Reading[CommitFolders | None]:
    asked = objects.ask([f"{name}^{{commit}}" for name, _ in block])
    yield
    commits = objects.take(asked)
    folders = [
        (place, f"{found[0]}:{folder}", folder)
        for place, (found, (_, names)) in enumerate(zip(commits, block, strict=True))
        if found is not None
        for folder in names
    ]
    asked = objects.ask([name for _, name, _ in folders])
    yield
    trees: list[dict[str, str]] = [{} for _ in block]
    files: list[dict[str, str]] = [{} for _ in block]
    for (place, _, folder), tree in zip(folders, objects.take(asked), strict=True):
        if tree is not None and tree[1] == "tree":
            trees[place][folder] = tree[0]
            files[place].update(_files(folder, tree[0], tree[2]))
    contents = yield from _blobs(objects, [blob for paths in files for blob in paths.values()])
    return [
        CommitFolders(
            found[0],
            _author(found[2]),
            trees[place],
            files[place],
            {path: contents[blob] for path, blob in files[place].items()},
        )
        if found
        else None
        for place, found in enumerate(commits)
    ]


def _lists(objects: ObjectReader, block: Sequence[Sequence[str]]) -> Reading[list[bytes]]:
    contents = yield from _blobs(objects, [blob for each in block for blob in each])
    return [[contents[blob] for blob in each] for each in block]


def _blobs(objects: ObjectReader, wanted: Iterable[str]) -> Generator[None, None, dict[str, bytes]]:
    names = tuple(dict.fromkeys(wanted))
    asked = objects.ask(names)
    yield
    contents = {}
    for name, found in zip(names, objects.take(asked), strict=True):
        if found is None:
            hint = "git fetch --unshallow origin"
            raise RepositoryError(f"object {name} is missing in the repository", hint=hint)
        contents[name] = found[2]
    return contents


def _files(folder: str, tree: str, content: bytes) -> dict[str, str]:
    """Path -> id of the files directly in a folder."""
    return {
        f"{folder}/{entry.name}": entry.object_id
        for entry in parse_tree(tree, content)
        if entry.mode not in (TREE_MODE, SUBMODULE_MODE)
    }


def _author(commit: bytes) -> str:
    """As git shows it: `Ann Author <ann@example.com>`."""
    head = commit.partition(b"\n\n")[0]
    found, encoding = AUTHOR.search(head), ENCODING.search(head)
    if found is None:
        return ""
    text = b"%s <%s>" % found.groups()
    try:
        return text.decode(encoding[1].decode() if encoding else "utf-8")
    except (LookupError, UnicodeDecodeError):
        return text.decode("utf-8", "replace")
