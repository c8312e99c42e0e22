"""Going on where a command was interrupted: what is asked again is done already, and what was begun comes first."""

from __future__ import annotations

from collections.abc import Sequence

from hop_tasks.errors import StateError
from hop_tasks.registry import DONE, BegunRelease
from hop_tasks.versions import Version
from hop_tasks.workflows.reading import CheckedRelease, ReleaseReader
from hop_tasks.workflows.workspace import Workspace


def outstanding(workspace: Workspace, beginning: Version | None) -> Version | None:
    """The release that a production database is to begin with; None if an earlier command has begun it so."""
    if beginning is None:
        return None
    with workspace.database.administer() as admin:
        state = workspace.read_state(admin)
    if state is None or not state.production or state.first is None:
        return beginning
    return None if state.first.version == beginning else beginning


def require_begun_first(
    workspace: Workspace, reader: ReleaseReader, missing: Sequence[CheckedRelease], begun: BegunRelease | None
) -> None:
    """Raises StateError if a release was begun, and is not the next one or has other steps now than it had then.

    Its steps that were done stay in the database: nothing else fits on top of them.
    """
    if begun is None:
        return
    hint = f"bring back the tag {begun.version} that was begun; or hop restore brings back the state before it"
    if missing and missing[0].version == begun.version:
        if _planned(reader, missing[0]) == [(step.title, step.checksum) for step in begun.steps]:
            return
        found = f"release {begun.version} has other steps now"
    elif missing:
        found = f"the next release is {missing[0].version}"
    elif begun.version in workspace.repository.refs().released:
        found = "nothing else can be done before it is whole"
        hint = "hop upgrade goes on with it; or hop restore brings back the state before it"
    else:
        found = f"release {begun.version} is not here"
    raise StateError(
        f"{begun.version} was begun on {workspace.database.name} and {_extent(begun)}; {found}; nothing was changed",
        hint=hint,
    )


def _planned(reader: ReleaseReader, checked: CheckedRelease) -> list[tuple[str, str]]:
    release = next(reader.read_checked([checked]))
    return [(step.title, step.checksum) for step in release.scripts.steps]


def _extent(begun: BegunRelease) -> str:
    done = sum(step.state == DONE for step in begun.steps)
    return f"{done} of its {len(begun.steps)} steps are done"
