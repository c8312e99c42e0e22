"""The code of a production clone, brought forward to the release that its database is at."""

from __future__ import annotations

from dataclasses import dataclass

from hop_tasks.errors import RepositoryError
from hop_tasks.repository import Repository, tag_ref
from hop_tasks.versions import Version


@dataclass(frozen=True)
class CodeState:
    """The code in the work tree against the database: whether in step, whether hop moved it, else why not."""

    in_step: bool
    moved: bool
    reason: str | None = None


def bring_code_forward(repository: Repository, main: str, version: Version) -> CodeState:
    """Fast-forward the main branch, when it is checked out and clean, to the tag of a release.

    Anything else that is checked out is somebody's own choice and stays: a CI job's detached commit, another branch.
    """
    head = repository.head()
    if head.commit is not None and head.commit == repository.resolve(tag_ref(str(version))):
        return CodeState(in_step=True, moved=False)
    here = max(repository.releases_in("HEAD"), default=None)
    if here == version:
        return CodeState(in_step=True, moved=False)
    if here is not None and here > version:
        return CodeState(
            False, False, f"the work tree is at {here}, the database at {version}: git switch --detach {version}"
        )
    if head.branch != main:
        where = f"on branch {head.branch}" if head.branch else f"detached at {here or str(head.commit)[:12]}"
        return CodeState(False, False, f"the work tree is {where}, the database at {version}: git switch {main}")
    if repository.changes():
        return CodeState(False, False, f"the work tree is not clean: git merge --ff-only {version}")
    try:
        repository.fast_forward(str(version))
    except RepositoryError as error:
        return CodeState(False, False, error.message)
    return CodeState(in_step=True, moved=True)
