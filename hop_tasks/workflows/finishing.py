"""The last steps of a release, and taking them up where a command was interrupted before them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hop_tasks.errors import DatabaseError
from hop_tasks.names import release_branch, version_of_branch
from hop_tasks.registry import update_commit
from hop_tasks.repository import Origin, Repository, adopted_release
from hop_tasks.versions import Version
from hop_tasks.workflows.bases import released_version
from hop_tasks.workflows.publishing import push_release, remove_branch
from hop_tasks.workflows.reading import ReleaseReader
from hop_tasks.workflows.workspace import Workspace

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


def interrupted_release(repository: Repository, main: str) -> Version | None:
    """The release that was published from its branch, which is still here; None if there is none.

    It is looked for on that branch and on the main branch. What was released is this branch and nothing else if the tag
    is on the commit that was made on top of it, and that is in the main branch.
    """
    branch, refs = repository.head().branch, repository.refs()
    prepared = version_of_branch(branch or "")
    # The tool that hop took the project over from left the branches of its releases.
    adopted = adopted_release(repository, refs)
    own = [known for known in refs.released if adopted is None or known > adopted]
    candidates = [known for known in own if branch == main or known == prepared]
    published = [commit for commit in (refs.heads.get(main), refs.tracking.get(main)) if commit]
    for version in reversed(candidates):
        tip, tag = refs.heads.get(release_branch(version)), refs.tags[str(version)]
        if tip is None or repository.resolve(f"{tag}^") != tip:
            continue
        if any(repository.is_ancestor(tag, commit) for commit in published):
            return version
    return None


def finish_release(
    workspace: Workspace, admin: Connection, reader: ReleaseReader, version: Version, push_to: Origin | None
) -> None:
    """Do what is left of a release whose tag is here: push it if that is asked, and leave and remove its branch.

    Raises RepositoryError if origin refuses, or if what is checked out cannot be left.
    """
    repository, main = workspace.repository, workspace.project.settings.main_branch
    refs = repository.refs()
    if push_to is not None and str(version) not in push_to.look().tags:
        tag_object = str(repository.tag_object(str(version)))
        push_release(repository, version, push_to, main=main, commit=refs.heads[main], tag_object=tag_object)
    if repository.head().branch != main:
        repository.switch(main)
    state = workspace.read_state(admin)
    if state is not None and state.production is False and released_version(state, reader, refs.released) == version:
        note_commit(workspace, version, refs.tags[str(version)])
    remove_branch(repository, version)


def note_commit(workspace: Workspace, version: Version, commit: str) -> None:
    """The released commit in the development database's registry; the release stands also if this fails."""
    try:
        with workspace.database.connect() as connection:
            update_commit(connection, version, commit, workspace.repository.author(commit))
            connection.commit()
    except DatabaseError as error:
        workspace.reporter.warn(f"the registry of {workspace.database.name} keeps the commit of apply: {error.message}")
