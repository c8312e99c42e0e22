"""The dumps that stand for snapshots and kept databases where the role may not create databases."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from hop_tasks.database.activity import note_writes, written_since, wrote_itself
from hop_tasks.database.statements import server_version
from hop_tasks.errors import DatabaseError, StateError
from hop_tasks.registry import RegistryState, begun_release, read_state
from hop_tasks.repository import Repository
from hop_tasks.snapshots import (
    BEFORE_APPLY,
    SNAPSHOT,
    Dump,
    clear_half_done,
    dumps_place,
    find_dumps,
    has_large_objects,
    is_whole,
    remove_dumps,
    set_aside,
    write_dump,
)
from hop_tasks.versions import Version
from hop_tasks.workflows.bases import is_as_released, released_version
from hop_tasks.workflows.pruning import needed_releases
from hop_tasks.workflows.reading import ReleaseReader
from hop_tasks.workflows.roles import GRANT, role_of
from hop_tasks.workflows.workspace import Workspace

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

COMMIT_LENGTH = 12


def base_dump(
    workspace: Workspace, admin: Connection, reader: ReleaseReader, version: Version, state: RegistryState | None
) -> Path:
    """The dump of a released version, made if the database is at that release. Raises StateError if it is not."""
    place, role = dumps_place(workspace.project.root, workspace.database.name), role_of(admin)
    clear_half_done(place)
    folder = place / _name_of(workspace.repository, version)
    if is_whole(folder):
        return folder
    if released_version(state, reader, (version,)) != version or not is_as_released(workspace, reader, version):
        there = f"the dump {folder} is not whole" if folder.exists() else f"there is no dump of {version} in {place}"
        raise StateError(
            f"role {role} may not create databases, and {there}: its state cannot be made here; nothing was changed",
            hint=GRANT.format(role),
        )
    with workspace.database.connect() as connection:
        begun = begun_release(connection)
        if begun is not None:
            raise StateError(
                f"{workspace.database.name} is at {version} and some steps of {begun.version}, and there is no dump of "
                f"{version} in {place}: its state cannot be made here; nothing was changed",
                hint=GRANT.format(role),
            )
        if has_large_objects(connection):
            raise DatabaseError(
                f"role {role} may not create databases, and {workspace.database.name} has large objects, which "
                "a dump does not bring back within a transaction; nothing was changed",
                hint=GRANT.format(role),
            )
    workspace.project.make_state_folder()
    workspace.reporter.note(
        f"role {role} may not create databases (CREATEDB): {version} is dumped to {folder}, and loaded each "
        "time, which takes longer the more rows there are"
    )
    note_writes(admin, workspace.database)
    _write(workspace, admin, folder, version)
    _prune_superseded(workspace, version)
    return folder


def keep_what_was_written(workspace: Workspace, admin: Connection, connection: Connection, own: int) -> str | None:
    """Dump the database if anybody wrote to it since hop did, which is taken for so while others are on it.

    Args:
        workspace: what the command works with.
        admin: the maintenance connection.
        connection: one to the database, in a transaction that keeps others from writing.
        own: its backend.

    After a hop that ended before it could note what it wrote itself nobody knows: then what it had kept, with rows that
    are nowhere else, is kept on, beside what is there now. Returns the folder.
    """
    if not written_since(admin, workspace.database, but=own):
        return None
    place = dumps_place(workspace.project.root, workspace.database.name)
    folder = place / BEFORE_APPLY
    earlier = [dump for dump in find_dumps(place) if dump.kind == BEFORE_APPLY]
    last = read_state(connection).last
    if wrote_itself(connection):
        earlier = []
        if folder.exists():
            workspace.reporter.note(f"the {BEFORE_APPLY} of the hop that was interrupted stays as {set_aside(folder)}")
    elif earlier:
        workspace.reporter.note(f"the {BEFORE_APPLY} of last time is replaced")
    _write(workspace, admin, folder, last.version if last else None)
    remove_dumps(dump for dump in earlier if dump.folder != folder)
    workspace.reporter.note(
        f"the database as it was, with what was written to it by hand, is kept as scripts in {folder}"
    )
    return str(folder)


def names_of_dumps(repository: Repository, versions: Collection[Version]) -> frozenset[str]:
    """The names of the dumps of released versions."""
    return frozenset(_name_of(repository, version) for version in versions)


def superfluous_dumps(place: Path, needed: Collection[str], *, keep: int = 0) -> tuple[Dump, ...]:
    """The dumps of releases that are not needed, less the newest `keep` of them; lowest release first."""
    found = [
        (version, dump)
        for dump in find_dumps(place)
        if dump.kind == SNAPSHOT and dump.folder.name not in needed and (version := Version.find(dump.release or ""))
    ]
    found.sort(key=lambda one: one[0])
    return tuple(dump for _, dump in found[: max(len(found) - keep, 0)])


def _prune_superseded(workspace: Workspace, also: Version) -> None:
    """Remove the dumps beyond the setting snapshots_keep; those needed, and that of the release `also`, stay."""
    project = workspace.project
    keep, place = project.settings.snapshots_keep, dumps_place(project.root, workspace.database.name)
    # Most of the time there are few, and Git need not be asked.
    if not keep or len(find_dumps(place)) <= keep:
        return
    needed = names_of_dumps(workspace.repository, {also, *needed_releases(workspace.repository)})
    gone = superfluous_dumps(place, needed, keep=keep)
    remove_dumps(gone)
    for dump in gone:
        workspace.reporter.note(f"dump {dump.folder} is removed: no release in preparation needs it")


def _write(workspace: Workspace, admin: Connection, folder: Path, release: Version | None) -> None:
    server = server_version(admin)
    write_dump(workspace.database, folder, release=release, server=server, programs=workspace.programs)


def _name_of(repository: Repository, version: Version) -> str:
    return f"{version}-{(repository.resolve(str(version)) or '')[:COMMIT_LENGTH]}"
