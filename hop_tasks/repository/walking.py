"""Some folders of many commits, read in blocks: git answers with little more than what was not read before."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from hop_tasks.errors import RepositoryError
from hop_tasks.repository.objects import SUBMODULE_MODE, TREE_MODE, ObjectReader, find_folder, parse_tree

BLOCK = 32
"""Commits that are read together; the files of no more are in memory."""

TREES_KEPT = 1000
"""Trees that are remembered: of two commits that follow each other, most are the same."""

ROOT = re.compile(rb"tree ([0-9a-f]+)$", re.MULTILINE)
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

    Raises RepositoryError if an object is missing.
    """
    walker = _Walker(objects)
    pending = iter(wanted)
    while block := list(islice(pending, BLOCK)):
        yield from walker.read(block)


def read_blobs(objects: ObjectReader, wanted: Iterable[Sequence[str]]) -> Iterator[list[bytes]]:
    """The contents of blobs, for each of several lists of their ids. Raises RepositoryError if one is missing."""
    pending = iter(wanted)
    while block := list(islice(pending, BLOCK)):
        blobs = _blobs(objects, {blob for each in block for blob in each})
        for each in block:
            yield [blobs[blob] for blob in each]


class _Walker:
    def __init__(self, objects: ObjectReader) -> None:
        self._objects = objects
        self._trees: dict[str, bytes] = {}

    def read(self, block: Sequence[tuple[str, Sequence[str]]]) -> list[CommitFolders | None]:
        commits = self._objects.read_all([f"{name}^{{commit}}" for name, _ in block])
        roots = [_root(found[2]) if found else None for found in commits]
        folders = [(place, folder) for place, (_, names) in enumerate(block) for folder in names if roots[place]]
        trees = self._descend([(str(roots[place]), folder.split("/")) for place, folder in folders])
        at: list[dict[str, str]] = [{} for _ in block]
        for (place, folder), tree in zip(folders, trees, strict=True):
            if tree is not None:
                at[place][folder] = tree
        files = [self._files(found) for found in at]
        blobs = _blobs(self._objects, {object_id for paths in files for object_id in paths.values()})
        contents = [{path: blobs[blob] for path, blob in paths.items()} for paths in files]
        return [
            CommitFolders(found[0], _author(found[2]), at[place], files[place], contents[place]) if found else None
            for place, found in enumerate(commits)
        ]

    def _descend(self, ways: Sequence[tuple[str, list[str]]]) -> list[str | None]:
        """The trees that one comes to from others, by the names on the way; the trees themselves are read too."""
        here: list[str | None] = [root for root, _ in ways]
        seen: dict[tuple[str, str], str | None] = {}
        for depth in range(max((len(names) for _, names in ways), default=0) + 1):
            self._read_trees({tree for tree in here if tree})
            for place, (_, names) in enumerate(ways):
                tree = here[place]
                if tree and depth < len(names):
                    step = tree, names[depth]
                    if step not in seen:
                        seen[step] = find_folder(tree, self._trees[tree], names[depth])
                    here[place] = seen[step]
        return here

    def _read_trees(self, wanted: set[str]) -> None:
        lacking = sorted(wanted - self._trees.keys())
        if len(self._trees) + len(lacking) > TREES_KEPT:
            self._trees = {tree: entries for tree, entries in self._trees.items() if tree in wanted}
        for tree, found in zip(lacking, self._objects.read_all(lacking), strict=True):
            self._trees[tree] = _there(tree, found)[2]

    def _files(self, folders: Mapping[str, str]) -> dict[str, str]:
        return {
            f"{folder}/{entry.name}": entry.object_id
            for folder, tree in folders.items()
            for entry in parse_tree(tree, self._trees[tree])
            if entry.mode not in (TREE_MODE, SUBMODULE_MODE)
        }


def _blobs(objects: ObjectReader, wanted: set[str]) -> dict[str, bytes]:
    names = sorted(wanted)
    return {name: _there(name, found)[2] for name, found in zip(names, objects.read_all(names), strict=True)}


def _there(object_id: str, found: tuple[str, str, bytes] | None) -> tuple[str, str, bytes]:
    if found is None:
        raise RepositoryError(f"object {object_id} is missing in the repository", hint="git fetch --unshallow origin")
    return found


def _root(commit: bytes) -> str:
    return ROOT.match(commit)[1].decode()  # type: ignore[index]


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
