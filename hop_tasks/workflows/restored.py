"""What every kind of restore has in common: its result, and taking the place of the database that serves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hop_tasks.checkpoints import checkpoint
from hop_tasks.database.locks import require_lock
from hop_tasks.database.privileges import missing_for_ending, missing_for_replacing, require
from hop_tasks.database.properties import Properties, apply_properties
from hop_tasks.database.sessions import await_end_of_sessions, sessions_on
from hop_tasks.errors import StateError
from hop_tasks.registry import RegistryState, begun_release
from hop_tasks.snapshots import is_kept, put_in_place, replace_database
from hop_tasks.versions import Version
from hop_tasks.workflows.sessions import tell_ended
from hop_tasks.workflows.workspace import Workspace

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


@dataclass(frozen=True)
class Restored:
    """A database that was brought back.

    Attributes:
        database: its name.
        version: the release that it is at now.
        source: where it came from, in a person's words.
        kept_as: the name that the replaced state has now; None if there was none, or it was dropped.
        dropped: the replaced state that was dropped at once, since that was asked.
    """

    database: str
    version: Version
    source: str
    kept_as: str | None
    dropped: str | None = None


def require_able_to_replace(
    workspace: Workspace, admin: Connection, *, kept: str | None = None, force: bool, again: str
) -> None:
    """Raises before a restore changes anything, for missing privileges, and for open sessions unless `force`.

    Args:
        workspace: the workspace of the restore.
        admin: in autocommit to the maintenance database.
        kept: the kept database that is to take the place, if it is one.
        force: whether the sessions will be ended.
        again: what to type to have them ended.
    """
    of = workspace.database.name
    names = [of] if kept is None else [of, kept]
    open_on = {}
    for name in names:
        # Hop's own, which has just been closed, may be there for a moment.
        await_end_of_sessions(admin, name, seconds=1.0)
        open_on[name] = sessions_on(admin, name)
    missing = missing_for_replacing(admin, of)
    if force:
        missing += missing_for_ending(admin, [session for sessions in open_on.values() for session in sessions])
    require(admin, missing, f"replace {of}")
    for name, sessions in open_on.items():
        if sessions and not force:
            listed = "; ".join(str(session) for session in sessions[:5])
            count = "1 session is" if len(sessions) == 1 else f"{len(sessions)} sessions are"
            raise StateError(
                f"{count} open on {name}: {listed}; nothing was changed",
                hint=f"stop the programs that use it, or {again} to end them",
            )


def take_place(
    workspace: Workspace,
    admin: Connection,
    ready: str,
    state: RegistryState | None,
    properties: Properties | None,
    *,
    force: bool,
    again: str,
) -> str | None:
    """Give a database that is ready the place of the one that serves, with owner, privileges, settings and comment.

    Args:
        workspace: the workspace of the restore.
        admin: in autocommit to the maintenance database.
        ready: the database that is ready.
        state: the registry of the one that serves; None if there is none.
        properties: what the ready one gets; None to leave it as it is.
        force: end sessions that came meanwhile; otherwise they are a StateError.
        again: what to type to have them ended.

    Returns the name that the replaced database has now; None if there was none.
    """
    of = workspace.database.name
    if properties is not None:
        # In production nothing that belongs to the database may be missing; a privilege that lacks is an error.
        apply_properties(admin, ready, properties, strict=True)
    if state is None:
        checkpoint("restore.before_swap")
        require_lock()
        ended = put_in_place(admin, ready, of, comment=properties.comment if properties else None, end=force)
        checkpoint("restore.after_swap")
        tell_ended(workspace.reporter, ended)
        return None
    with workspace.database.connect() as connection:
        begun = begun_release(connection)
    was_kept = ready if is_kept(admin, ready, of) else None
    require_able_to_replace(workspace, admin, kept=was_kept, force=force, again=again)
    checkpoint("restore.before_swap")
    require_lock()
    kept, ended = replace_database(
        admin,
        ready,
        of,
        release=state.last.version if state.last else None,
        begun=begun.version if begun else None,
        end=force,
    )
    checkpoint("restore.after_swap")
    tell_ended(workspace.reporter, ended)
    return kept
