"""Seeing at a glance that a production database has all there is, which is what most upgrades find."""

from __future__ import annotations

import hashlib

from hop_tasks.database.engines import Database
from hop_tasks.database.urls import resolve_target
from hop_tasks.errors import DatabaseError
from hop_tasks.project import Project
from hop_tasks.registry import RegistryState, begun_release, digest_commits, read_state
from hop_tasks.repository import Refs, Repository, adopted_release
from hop_tasks.versions import Version, in_order
from hop_tasks.workflows.production_code import CodeState, bring_code_forward


def settled_release(project: Project, repository: Repository, refs: Refs) -> Version | None:
    """The release that the production database is at, if it is the newest one here and nothing at all is to be done.

    That is so if the database has had exactly the releases that have a tag here, from the one that it began with, each
    from the commit that its tag is at. None is no statement: whoever wants to know more has to look at everything.
    """
    newest = refs.released[-1] if refs.released else None
    try:
        target = resolve_target(project)
        if newest is None or target.place is None:
            return None
        with Database(target.place).connect(autocommit=True) as connection:
            state = read_state(connection)
            if not state.production or state.last is None or state.last.version != newest:
                return None
            adopted = adopted_release(repository, refs)
            if adopted is not None and newest < adopted:
                return None
            if digest_commits(connection) != _digest(refs, state, adopted) or begun_release(connection) is not None:
                return None
    except DatabaseError:
        return None
    return newest


def settled_code(repository: Repository, refs: Refs, main: str, version: Version) -> CodeState:
    """What `bring_code_forward` does and says, at once where the newest release is checked out."""
    if refs.head is not None and refs.head == refs.tags[str(version)]:
        return CodeState(in_step=True, moved=False)
    return bring_code_forward(repository, main, version)


def _digest(refs: Refs, state: RegistryState, adopted: Version | None) -> str:
    """What `digest_commits` says of a database that has had the releases here since its first one."""
    first = state.first
    begun = first.version if first else None
    commits = {version: refs.tags[str(version)] for version in refs.released if begun is None or version >= begun}
    if first and adopted and not first.commit and first.version <= adopted:
        # Rows of half_orm's tool have no commit, and its first release, 0.0.0, has no tag.
        commits.update({version: "" for version in (first.version, *commits) if version <= adopted})
    lines = [f"{version} {commits[version]}" for version in in_order(commits)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
