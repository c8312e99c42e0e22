"""Moving the main branch and making the tag: at origin first, then here, each time all or nothing."""

from __future__ import annotations

from hop_tasks.checkpoints import checkpoint
from hop_tasks.errors import RepositoryError
from hop_tasks.names import baseline_tag, release_branch
from hop_tasks.repository import Origin, Repository, adopted_release, branch_refspec, head_ref, tag_ref
from hop_tasks.versions import Version


def bring_main_up_to_date(repository: Repository, main: str) -> str:
    """Fast-forward the main branch, which need not be checked out, to origin's as last fetched; its commit.

    Raises RepositoryError if it is missing or both have commits that the other lacks.
    """
    refs = repository.refs()
    here, there = refs.heads.get(main), refs.tracking.get(main)
    if here is None and there is None:
        raise RepositoryError(
            f"there is no branch {main}; nothing was changed", hint="the setting main_branch names it"
        )
    if there is None or here == there or (here and repository.is_ancestor(there, here)):
        return str(here)
    if here is not None and not repository.is_ancestor(here, there):
        raise RepositoryError(
            f"branch {main} and origin's have both moved on; nothing was changed",
            hint=f"git switch {main}, then git rebase origin/{main}",
        )
    if repository.head().branch == main:
        repository.fast_forward(there)
    else:
        repository.update_refs({head_ref(main): (here, there)}, f"fast-forward {main}")
    return there


def require_nothing_unseen(repository: Repository, version: Version) -> None:
    """Raises RepositoryError if origin's branch of the release has commits that the branch here has never had.

    Commits that a rebase has replaced are recognised: by what they change, or since they were here once.
    """
    branch = release_branch(version)
    there = repository.refs().tracking.get(branch)
    if there is None or there in repository.git.lines("rev-list", "--walk-reflogs", branch):
        return
    unseen = [line for line in repository.git.lines("cherry", branch, there) if line.startswith("+")]
    if unseen:
        raise RepositoryError(
            f"origin's branch {branch} has {len(unseen)} commits that are not here; nothing was changed",
            hint=f"git log {branch}..origin/{branch}; git cherry-pick what is missing, or git push --force-with-lease "
            f"origin {branch} if nothing is",
        )


def publish(
    repository: Repository, version: Version, message: str, commit: str, *, main: str, push_to: Origin | None
) -> None:
    """Make `commit` the tip of the main branch, tag it, and check the main branch out; the release's branch stays.

    Origin comes first: when it refuses, nothing has been changed here. A command that is interrupted in between is
    finished by the next one. Earlier releases that origin lacks go with it.
    """
    tag = str(version)
    refs = repository.refs()
    checkpoint("release.before_tag_object")
    tag_object = repository.write_tag(tag, commit, f"Release {version}: {message}")
    if push_to is not None:
        push_release(repository, version, push_to, main=main, commit=commit, tag_object=tag_object)
    checkpoint("publish.before_refs")
    repository.update_refs(
        {head_ref(main): (refs.heads.get(main), commit), tag_ref(tag): (None, tag_object)}, f"release {version}"
    )
    checkpoint("publish.after_refs")
    repository.switch(main)
    checkpoint("publish.after_switch")


def push_release(
    repository: Repository, version: Version, origin: Origin, *, main: str, commit: str, tag_object: str
) -> None:
    """Push the main branch at `commit` and the tag, or nothing; a branch that was reserved for the release goes.

    Raises RepositoryError if origin refuses.
    """
    branch, refs, known = release_branch(version), repository.refs(), origin.look()
    tags = [str(one) for one in refs.released if one != version]
    if (adopted := adopted_release(repository, refs)) is not None:
        tags.append(baseline_tag(adopted))
    unpushed = [tag_ref(tag) for tag in tags if tag not in known.tags]
    refspecs = [
        branch_refspec(commit, main),
        f"{tag_object}:{tag_ref(str(version))}",
        *(f"{name}:{name}" for name in unpushed),
    ]
    leases = []
    reserved = refs.tracking.get(branch)
    if reserved is not None and branch in known.heads:
        # Deleted there only if it is still what was seen: a colleague's commits on it are not lost.
        refspecs.append(f":{head_ref(branch)}")
        leases.append(f"{branch}:{reserved}")
    checkpoint("publish.before_push")
    origin.push(refspecs, leases=leases)
    checkpoint("publish.after_push")


def remove_branch(repository: Repository, version: Version) -> None:
    """Remove the branch of a release that is published; while it is there, the release counts as unfinished."""
    branch = release_branch(version)
    tip = repository.refs().heads.get(branch)
    checkpoint("publish.before_branch")
    if tip is not None:
        repository.update_refs({head_ref(branch): (tip, None)}, f"release {version}")
    checkpoint("publish.after_branch")
