"""All that a status tells of a repository, read by git while this process does something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hop_tasks.repository.git import GitRunner
from hop_tasks.repository.refs import Refs
from hop_tasks.repository.repository import REFS, TOP, Repository
from hop_tasks.repository.work_tree import WORK_TREE, WorkTree


@dataclass(frozen=True)
class Survey:
    """A repository, what is checked out and changed in it, and its refs."""

    repository: Repository
    work_tree: WorkTree
    refs: Refs


@contextmanager
def surveying(root: Path) -> Iterator[Callable[[], Survey]]:
    """Begin to read the repository whose work tree begins at `root`; what is given waits until that is done.

    It raises RepositoryError if there is none.
    """
    git = GitRunner(root)
    with git.start(*TOP) as top, git.start(*WORK_TREE) as work_tree, git.start(*REFS) as refs:

        def finish() -> Survey:
            found = top.result(check=False)
            repository = Repository.at_top(git, None if found.code else found.out.strip())
            # One without a commit has no refs, which git takes for a failure.
            listing = refs.result(check=False).out
            return Survey(repository, WorkTree.parse(work_tree.result().out), Refs.of_listing(listing))

        yield finish
