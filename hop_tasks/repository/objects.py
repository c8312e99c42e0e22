"""Reading files from commits without a work tree, and making commits and tags without one."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

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


Found: TypeAlias = "tuple[str, str, bytes] | None"
"""The id, type and content of an object; None if there is none."""


@dataclass(frozen=True)
class Asked:
    """Objects that git was asked for: how many, and those that it has answered with so far."""

    count: int
    found: list[Found]


class ObjectReader:
    """Objects of a repository through one `git cat-file --batch` process: some microseconds for each."""

    def __init__(self, process: Any) -> None:
        self._stdin, self._stdout, self._stderr = process.stdin, process.stdout, process.stderr
        self._to_ask: deque[tuple[str, Asked]] = deque()
        self._waiting: deque[tuple[str, int, Asked]] = deque()
        self._size = 0

    def read(self, name: str) -> Found:
        """The id, type and content of an object, by a name of git's such as `1.0.0:Patches`; None if there is none.

        Raises RepositoryError if git cannot tell, as in a partial clone whose origin does not answer.
        """
        return self.read_all([name])[0]

    def read_all(self, names: Sequence[str]) -> list[Found]:
        """The same for many names, in their order."""
        return self.take(self.ask(names))

    def ask(self, names: Sequence[str]) -> Asked:
        """Ask git for objects, whose answers `take` waits for: it looks for them in the meantime."""
        asked = Asked(len(names), [])
        self._to_ask += ((name, asked) for name in names)
        self._send()
        return asked

    def take(self, asked: Asked) -> list[Found]:
        """What git has answered, in the order of the names. Raises RepositoryError as `read` does."""
        while len(asked.found) < asked.count:
            self._receive()
        return asked.found

    def _send(self) -> None:
        """Ask for as much as fits on a page together with what is not answered yet."""
        lines = []
        while self._to_ask:
            name, asked = self._to_ask[0]
            size = len(name.encode()) + 1
            if self._waiting and self._size + size > PAGE:
                break
            self._to_ask.popleft()
            if "\n" in name:
                size = 0  # no name of git's: it is not asked
            else:
                lines.append(f"{name}\n")
            self._waiting.append((name, size, asked))
            self._size += size
        if lines:
            with suppress(BrokenPipeError):
                self._stdin.write("".join(lines).encode())
                self._stdin.flush()

    def _receive(self) -> None:
        name, size, asked = self._waiting.popleft()
        asked.found.append(self._answer(name) if size else None)
        self._size -= size
        if self._to_ask and self._size < PAGE // 2:
            self._send()

    def _answer(self, name: str) -> Found:
        header = self._stdout.readline()
        if not header:
            said = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
            raise RepositoryError(
                f"{name} cannot be read from the repository: {(said or ['git cat-file ended'])[-1]}; "
                "nothing was changed",
                hint="git fsck; where the clone is a partial one, see whether git fetch origin works",
            )
        # Since git 2.51 it says of a submodule in a tree that it is one, and no longer that its commit is missing.
        if header.endswith((b" missing\n", b" ambiguous\n", b" submodule\n")):
            return None
        object_id, kind, size = header.decode().rsplit(" ", 2)
        # Behind the content there is the end of a line.
        return object_id, kind, self._stdout.read(int(size) + 1)[:-1]

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
    """The entries of a tree, which git writes as `<octal mode> <name>\\0<id>`."""
    # The id in bytes: 20 with SHA-1, 32 with SHA-256.
    entries = SHORT_ENTRIES if len(object_id) == 40 else LONG_ENTRIES
    return tuple(TreeEntry(int(mode, 8), os.fsdecode(name), at.hex()) for mode, name, at in entries.findall(content))
