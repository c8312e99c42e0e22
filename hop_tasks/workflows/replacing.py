"""Putting another state in the place of the development database, without losing rows that a person typed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hop_tasks.database.activity import note_writes, written_since
from hop_tasks.database.locks import require_lock
from hop_tasks.database.sessions import Session
from hop_tasks.registry import RegistryState
from hop_tasks.snapshots import BEFORE_APPLY, find_undecided, keep_before_apply, put_in_place, replace_database
from hop_tasks.workflows.bases import Base
from hop_tasks.workflows.sessions import tell_ended
from hop_tasks.workflows.spares import clear_spares
from hop_tasks.workflows.workspace import Workspace

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


@dataclass(frozen=True)
class Replaced:
    """What became of a database that was replaced: the name it is kept under, None if it was dropped since nobody
    had written to it; and the sessions that had to end."""

    kept_as: str | None
    ended: tuple[Session, ...]


def replace_current(
    workspace: Workspace,
    admin: Connection,
    work: str,
    state: RegistryState | None,
    *,
    base: Base,
    kind: str = BEFORE_APPLY,
) -> Replaced | None:
    """Put the database `work` in the place of the development database; None if there was none.

    What was there is kept under another name if anything was written to it since hop made or copied it (`kind`
    BEFORE_APPLY), or in any case (another kind, or a base that was rebuilt from the schema, without its rows).
    """
    of = workspace.database.name
    # Counted before the swap: nobody but hop has been in the new one.
    note_writes(admin, workspace.database.beside(work))
    if state is None:
        put_in_place(admin, work, of)
        return None
    require_lock()
    release = state.last.version if state.last else None
    undecided = kind == BEFORE_APPLY and not base.rebuilt
    kept, ended = replace_database(admin, work, of, release=release, undecided=undecided)
    tell_ended(workspace.reporter, ended)
    if undecided:
        return Replaced(_decide(workspace, admin, kept), ended)
    workspace.reporter.note(f"the database as it was, with what was written to it by hand, is kept as {kept}")
    return Replaced(kept, ended)


def decide_leftovers(workspace: Workspace, admin: Connection) -> None:
    """Keep or drop what was replaced by a command that was killed before it came to that."""
    for name in find_undecided(admin, workspace.database.name):
        _decide(workspace, admin, name)


def _decide(workspace: Workspace, admin: Connection, kept: str) -> str | None:
    """Keep a database that was replaced if anything was written to it; its name then.

    Only once it is replaced can nobody come back to it and write.
    """
    if not written_since(admin, workspace.database.beside(kept)):
        workspace.drop(admin, kept)
        return None
    kept, dropped = keep_before_apply(admin, kept, workspace.database.name)
    if dropped:
        clear_spares(workspace, admin)
        workspace.reporter.note(f"the {kept} of last time was dropped")
    workspace.reporter.note(f"the database as it was, with what was written to it by hand, is kept as {kept}")
    return kept
