"""Folders of many commits, read through one git that is asked ahead."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from hop_tasks.errors import RepositoryError
from hop_tasks.repository import CommitFolders, object_reader, read_blobs, read_folders
from hop_tasks.repository.git import GitRunner
from hop_tasks.repository.objects import PAGE, ObjectReader
from hop_tasks.repository.walking import BLOCK

COMMITS = 5 * BLOCK + 3
"""More blocks than are under way at a time, and a last one that is not full."""

WANTED = ("a/pre", "a/own", "a/post")


class Repository:
    """A bare repository with commits `1` to COMMITS as tags: all have a/pre, every other one its a/own."""

    def __init__(self, folder: Path, object_format: str) -> None:
        self.git = GitRunner(folder)
        self._run("init", "--quiet", "--bare", f"--object-format={object_format}", str(folder))
        self._run("fast-import", "--quiet", stdin=b"".join(self._commit(number) for number in range(1, COMMITS + 1)))

    def _run(self, *words: str, stdin: bytes = b"") -> bytes:
        where = [] if words[0] == "init" else ["-C", str(self.git.folder)]
        return subprocess.run(["git", *where, *words], input=stdin, check=True, capture_output=True).stdout

    def id_of(self, name: str) -> str:
        return self._run("rev-parse", "--verify", name).decode().strip()

    def _commit(self, number: int) -> bytes:
        files = {"a/pre/same": "same", "a/pre/below/deep": "deep", "a/post": "no folder"}
        if number % 2:
            files[f"a/own/{number}"] = f"text {number}\n" * number
        entries = "".join(f"M 100644 inline {path}\n{_data(text)}" for path, text in files.items())
        name = f"Ann {number} <ann@example.com>"
        head = f"commit refs/tags/{number}\nauthor {name} {number} +0000\ncommitter C <c@example.com> {number} +0000\n"
        return f"{head}{_data('message')}deleteall\n{entries}\n".encode()


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}\n"


@pytest.fixture(scope="module", params=["sha1", "sha256"])
def repository(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Repository:
    return Repository(tmp_path_factory.mktemp("walking") / "some.git", request.param)


@pytest.fixture
def objects(repository: Repository) -> Iterator[ObjectReader]:
    with object_reader(repository.git) as objects:
        yield objects


def folders(objects: ObjectReader, names: Sequence[str]) -> list[CommitFolders | None]:
    return list(read_folders(objects, ((name, WANTED) for name in names)))


def test_each_commit_comes_in_its_place_with_what_is_in_its_folders(
    repository: Repository, objects: ObjectReader
) -> None:
    numbers = [*range(COMMITS, 0, -1), 1, 2, 1]
    found = folders(objects, [f"refs/tags/{number}" for number in numbers])
    assert len(found) == len(numbers)
    for number, commit in zip(numbers, found, strict=True):
        assert commit is not None
        assert commit.author == f"Ann {number} <ann@example.com>"
        own = {f"a/own/{number}": f"text {number}\n".encode() * number} if number % 2 else {}
        assert commit.files == {"a/pre/same": b"same", **own}
        assert commit.files.keys() == commit.blobs.keys()
        assert set(commit.trees) == ({"a/pre", "a/own"} if own else {"a/pre"})
    for place in (0, -2):
        commit, name = found[place], f"refs/tags/{numbers[place]}"
        assert commit is not None
        assert commit.commit == repository.id_of(name)
        assert commit.trees["a/pre"] == repository.id_of(f"{name}:a/pre")
        assert commit.blobs["a/pre/same"] == repository.id_of(f"{name}:a/pre/same")


def test_a_commit_that_is_not_there_is_none_and_the_others_are_where_they_belong(objects: ObjectReader) -> None:
    found = folders(objects, ["refs/tags/1", "refs/tags/none", "a\nb", *["refs/tags/3"] * BLOCK, "none", ""])
    assert [commit.author if commit else None for commit in found] == [
        "Ann 1 <ann@example.com>", None, None, *["Ann 3 <ann@example.com>"] * BLOCK, None, None,
    ]  # fmt: skip
    assert folders(objects, []) == []


def test_git_may_be_asked_something_else_meanwhile(objects: ObjectReader) -> None:
    names = [f"refs/tags/{number}" for number in range(1, COMMITS + 1)]
    for commit, name in zip(read_folders(objects, ((name, WANTED) for name in names)), names, strict=True):
        assert commit is not None
        assert objects.read(f"{name}^{{commit}}") == (commit.commit, "commit", objects.blob(commit.commit))


def test_more_is_asked_for_than_goes_into_a_pipe(objects: ObjectReader) -> None:
    there, missing, long = "refs/tags/1:a/pre/same", "none", "x" * 3 * PAGE
    asked = [objects.ask([there, missing, "no\nname"] * 2000) for _ in range(3)]
    odd = objects.read_all([long, there, long, there])
    assert [found and found[2] for found in odd] == [None, b"same", None, b"same"]
    for each in reversed(asked):
        assert [found and found[2] for found in objects.take(each)] == [b"same", None, None] * 2000


def test_blobs_come_in_lists_as_they_were_wanted(repository: Repository, objects: ObjectReader) -> None:
    same, one = (repository.id_of(f"refs/tags/1:{path}") for path in ("a/pre/same", "a/own/1"))
    wanted = [[same, one], [], [one], [one, one]] * BLOCK
    expected = [[b"same", b"text 1\n"], [], [b"text 1\n"], [b"text 1\n"] * 2] * BLOCK
    assert list(read_blobs(objects, wanted)) == expected
    missing = same[::-1]
    with pytest.raises(RepositoryError, match=f"object {missing} is missing"):
        list(read_blobs(objects, [[same], [missing]]))


def test_a_git_that_has_ended_is_said_each_time(repository: Repository) -> None:
    process = repository.git.process(["cat-file", "--batch"])
    process.kill()
    process.wait()
    objects = ObjectReader(process)
    for _ in range(2):
        with pytest.raises(RepositoryError, match="refs/tags/1 cannot be read from the repository: git cat-file ended"):
            objects.read("refs/tags/1")
    with suppress(BrokenPipeError):
        process.stdin.close()
    process.stdout.close()
    process.stderr.close()


def test_a_submodule_is_not_there_for_any_version_of_git() -> None:
    """Later versions than that of this machine answer as git-cat-file(1) says, `<oid> SP submodule LF`."""
    answers = f"{'a' * 40} submodule\n{'b' * 40} blob 2\nhi\n"
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; print(sys.argv[1], end='', flush=True); sys.stdin.read()", answers],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        found = ObjectReader(process).read_all(["0.0.1:Patches/sub", "b" * 40])
        assert found == [None, ("b" * 40, "blob", b"hi")]
