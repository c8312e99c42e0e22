"""Reading files from commits without a work tree, and making commits and tags without one."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hop_tasks.errors import RepositoryError
from hop_tasks.repository.git import GitRunner

TREE_MODE = 0o40000
SUBMODULE_MODE = 0o160000

SHORT_ENTRIES = re.compile(rb"([0-7]+) ([^\0]+)\0(.{20})", re.DOTALL)
LONG_ENTRIES = re.compile(rb"([0-7]+) ([^\0]+)\0(.{32})", re.DOTALL)

PAGE = 4096
"""Bytes that a pipe takes at least without anybody reading it (PIPE_BUF of Linux and macOS is no more): git may be
waiting meanwhile for its answers to be read."""


@dataclass(frozen=True)
class TreeEntry:
    """One entry of a tree: its mode as in git, name, and object id."""

    mode: int
    name: str
    object_id: str


class ObjectReader:
    """Objects of a repository through one `git cat-file --batch` process: some microseconds for each."""

    def __init__(self, process: Any) -> None:
        self._stdin, self._stdout, self._stderr = process.stdin, process.stdout, process.stderr

    def read(self, name: str) -> tuple[str, str, bytes] | None:
        """The id, type and content of an object, by a name of git's such as `1.0.0:Patches`; None if there is none.

        Raises RepositoryError if git cannot tell, as in a partial clone whose origin does not answer.
        """
        return self.read_all([name])[0]

    def read_all(self, names: Sequence[str]) -> list[tuple[str, str, bytes] | None]:
        """The same for many names, in their order: git is asked for a page of them before the first answer is read."""
        found: list[tuple[str, str, bytes] | None] = []
        waiting: list[str] = []
        size = 0
        for name in names:
            asked = len(name.encode()) + 1
            if size + asked > PAGE:
                found += self._ask(waiting)
                waiting, size = [], 0
            waiting.append(name)
            size += asked
        return found + self._ask(waiting)

    def _ask(self, names: Sequence[str]) -> list[tuple[str, str, bytes] | None]:
        known = [name for name in names if "\n" not in name]
        with suppress(BrokenPipeError):
            self._stdin.write("".join(f"{name}\n" for name in known).encode())
            self._stdin.flush()
        return [self._answer(name) if "\n" not in name else None for name in names]

    def _answer(self, name: str) -> tuple[str, str, bytes] | None:
        header = self._stdout.readline().decode().rstrip("\n")
        if not header:
            said = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
            raise RepositoryError(
                f"{name} cannot be read from the repository: {(said or ['git cat-file ended'])[-1]}; "
                "nothing was changed",
                hint="git fsck; where the clone is a partial one, see whether git fetch origin works",
            )
        if header.endswith((" missing", " ambiguous")):
            return None
        object_id, kind, size = header.rsplit(" ", 2)
        content = self._stdout.read(int(size))
        self._stdout.read(1)
        return object_id, kind, content

    def tree(self, name: str) -> tuple[TreeEntry, ...] | None:
        """The entries of a folder, by a name such as `1.0.0:Patches/1/0/0`; None if there is no such folder."""
        found = self.read(name)
        if found is None or found[1] != "tree":
            return None
        return parse_tree(found[0], found[2])

    def files(self, commit: str, folder: str) -> dict[str, bytes] | None:
        """Path -> content of the files directly in a folder of a commit; None if there is no such folder."""
        entries = self.tree(f"{commit}:{folder}")
        if entries is None:
            return None
        return {
            f"{folder}/{entry.name}": self.blob(entry.object_id)
            for entry in entries
            if entry.mode not in (TREE_MODE, SUBMODULE_MODE)
        }

    def blob(self, object_id: str) -> bytes:
        """The content of a blob. Raises RepositoryError if it is not in the repository."""
        found = self.read(object_id)
        if found is None:
            raise RepositoryError(
                f"object {object_id} is missing in the repository", hint="git fetch --unshallow origin"
            )
        return found[2]

    def export(self, name: str, folder: Path) -> None:
        """Write a whole tree, byte for byte, into a folder that exists."""
        for entry in self.tree(name) or ():
            path = folder / entry.name
            if entry.mode == TREE_MODE:
                path.mkdir()
                self.export(entry.object_id, path)
            elif stat.S_ISLNK(entry.mode):
                path.symlink_to(os.fsdecode(self.blob(entry.object_id)))
            elif entry.mode != SUBMODULE_MODE:
                path.write_bytes(self.blob(entry.object_id))
                path.chmod(entry.mode & 0o777)


@contextmanager
def object_reader(git: GitRunner) -> Iterator[ObjectReader]:
    """An ObjectReader for as long as the body runs."""
    process = git.process(["cat-file", "--batch"])
    try:
        yield ObjectReader(process)
    finally:
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def write_commit(git: GitRunner, parent: str, files: Mapping[str, bytes | None], message: str) -> str:
    """A commit on top of `parent` with some files added or changed, or removed where there is None.

    No ref, index or work tree is touched.
    """
    with tempfile.TemporaryDirectory(prefix="hop-index-") as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        git.run("read-tree", parent, environment=index)
        for path, content in files.items():
            if content is None:
                git.run("update-index", "--force-remove", "--", path, environment=index)
                continue
            blob = git.run("hash-object", "-w", "--stdin", stdin=content).out.strip()
            git.run("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", environment=index)
        tree = git.run("write-tree", environment=index).out.strip()
    signed = ["-S"] if git.ask("config", "--type=bool", "commit.gpgsign") == "true" else []
    return git.run("commit-tree", tree, "-p", parent, *signed, "-F", "-", stdin=message.encode()).out.strip()


def write_tag(git: GitRunner, name: str, commit: str, message: str) -> str:
    """An annotated tag object that no ref names yet."""
    tagger = git.run("var", "GIT_COMMITTER_IDENT").out.strip()
    text = f"object {commit}\ntype commit\ntag {name}\ntagger {tagger}\n\n{message.rstrip()}\n"
    return git.run("mktag", stdin=text.encode()).out.strip()


def parse_tree(object_id: str, content: bytes) -> tuple[TreeEntry, ...]:
    """The entries of a tree."""
    return tuple(
        TreeEntry(int(mode, 8), os.fsdecode(name), at.hex()) for mode, name, at in _entries(object_id, content)
    )


def find_folder(object_id: str, content: bytes, name: str) -> str | None:
    """The id of the folder of that name in a tree; None if there is none."""
    wanted = os.fsencode(name)
    for mode, found, at in _entries(object_id, content):
        if found == wanted:
            return at.hex() if int(mode, 8) == TREE_MODE else None
    return None


def _entries(object_id: str, content: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """Mode, name and id of each entry, as git writes them: `<octal mode> <name>\\0<id>`."""
    # The id in bytes: 20 with SHA-1, 32 with SHA-256.
    return (SHORT_ENTRIES if len(object_id) == 40 else LONG_ENTRIES).findall(content)
