"""Which snapshots are needed, and which may go."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from hop_tasks.database.admin import Mark, marked_databases
from hop_tasks.names import release_branch
from hop_tasks.repository import Repository
from hop_tasks.snapshots import SNAPSHOT
from hop_tasks.versions import Version
from hop_tasks.workflows.workspace import Workspace

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


def needed_releases(repository: Repository) -> frozenset[Version]:
    """The releases whose snapshots are needed: the newest, and the bases of those in preparation, here or at origin."""
    refs = repository.refs()
    needed = {refs.last_released}
    for version in refs.in_preparation:
        branch = release_branch(version)
        for tip in (refs.heads.get(branch), refs.tracking.get(branch)):
            below = [known for known in repository.releases_in(tip) if known < version] if tip else []
            needed.update(below[-1:])
    return frozenset(needed)


def superfluous_snapshots(
    admin: Connection, of: str, needed: Collection[Version], *, keep: int = 0
) -> tuple[Mark, ...]:
    """The snapshots of releases that are not needed, less the newest `keep` of them; lowest release first."""
    found = [
        (version, mark)
        for mark in marked_databases(admin, of)
        if mark.kind == SNAPSHOT and (version := Version.find(mark.release or "")) and version not in needed
    ]
    found.sort(key=lambda one: one[0])
    return tuple(mark for _, mark in found[: max(len(found) - keep, 0)])


def prune_superseded(workspace: Workspace, admin: Connection, also: Version) -> None:
    """Drop the snapshots beyond the setting snapshots_keep; those needed, and that of the release `also`, stay."""
    keep, of = workspace.project.settings.snapshots_keep, workspace.database.name
    # Most of the time there are few, and Git need not be asked.
    if not keep or not superfluous_snapshots(admin, of, {also}, keep=keep):
        return
    needed = {also, *needed_releases(workspace.repository)}
    for mark in superfluous_snapshots(admin, of, needed, keep=keep):
        workspace.drop_snapshot(admin, mark.database)
        workspace.reporter.note(f"snapshot {mark.database} is dropped: no release in preparation needs it")
