"""Reading files from commits without a work tree, and making commits and tags without one."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hop_tasks.errors import RepositoryError
from hop_tasks.repository.git import GitRunner

TREE_MODE = 0o40000
SUBMODULE_MODE = 0o160000


@dataclass(frozen=True)
class TreeEntry:
    """One entry of a tree: its mode as in git, name, and object id."""

    mode: int
    name: str
    object_id: str


class ObjectReader:
    """Objects of a repository through one `git cat-file --batch` process: some microseconds for each."""

    def __init__(self, process: Any) -> None:
        self._process = process

    def read(self, name: str) -> tuple[str, str, bytes] | None:
        """The id, type and content of an object, by a name of git's such as `1.0.0:Patches`; None if there is none.

        Raises RepositoryError if git cannot tell, as in a partial clone whose origin does not answer.
        """
        if "\n" in name:
            return None
        with suppress(BrokenPipeError):
            self._process.stdin.write(name.encode() + b"\n")
            self._process.stdin.flush()
        header = self._process.stdout.readline().decode().rstrip("\n")
        if not header:
            said = self._process.stderr.read().decode("utf-8", "replace").strip().splitlines()
            raise RepositoryError(
                f"{name} cannot be read from the repository: {(said or ['git cat-file ended'])[-1]}; "
                "nothing was changed",
                hint="git fsck; where the clone is a partial one, see whether git fetch origin works",
            )
        if header.endswith((" missing", " ambiguous")):
            return None
        object_id, kind, size = header.rsplit(" ", 2)
        content = self._process.stdout.read(int(size))
        self._process.stdout.read(1)
        return object_id, kind, content

    def tree(self, name: str) -> tuple[TreeEntry, ...] | None:
        """The entries of a folder, by a name such as `1.0.0:Patches/1/0/0`; None if there is no such folder."""
        found = self.read(name)
        if found is None or found[1] != "tree":
            return None
        object_id, _, content = found
        return tuple(_parse_tree(content, len(object_id) // 2))

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
        process.proc.wait()
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


def _parse_tree(content: bytes, id_size: int) -> Iterator[TreeEntry]:
    """Entries are `<octal mode> <name>\\0<id>`, the id in bytes: 20 with SHA-1, 32 with SHA-256."""
    at = 0
    while at < len(content):
        space, end = content.index(b" ", at), content.index(b"\0", at)
        following = end + 1 + id_size
        yield TreeEntry(
            int(content[at:space], 8), os.fsdecode(content[space + 1 : end]), content[end + 1 : following].hex()
        )
        at = following
