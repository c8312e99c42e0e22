"""Apply and undo for a role that may not create databases: in the database itself, from a dump of the base.

The base is loaded and the patch files run in one transaction, so that a file that fails leaves everything as it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from hop_tasks.database.activity import note_writes, written_since
from hop_tasks.database.engines import driver_connection
from hop_tasks.database.interrupts import cancelled_by_signals
from hop_tasks.database.locks import require_lock
from hop_tasks.database.sessions import sessions_on
from hop_tasks.database.statements import execute, server_version
from hop_tasks.errors import DatabaseError, StateError
from hop_tasks.package import Synchronised, find_generator, synchronise
from hop_tasks.project import STATE_FOLDER
from hop_tasks.registry import RegistryState, complete_registry, insert_release
from hop_tasks.scripts import FileRun, TransactionStep, run_transaction
from hop_tasks.snapshots import BEFORE_APPLY, has_large_objects, load_dump, write_dump
from hop_tasks.versions import Version
from hop_tasks.workflows.bases import is_as_released, released_version
from hop_tasks.workflows.deploying import Deployed, deploy
from hop_tasks.workflows.manner import Manner
from hop_tasks.workflows.reading import Deployable, ReleaseReader
from hop_tasks.workflows.registering import registry_row
from hop_tasks.workflows.replacing import Replaced
from hop_tasks.workflows.sync_package import synchronise_database
from hop_tasks.workflows.workspace import Workspace

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

DUMPS = "snapshots"
LOCK_NOT_AVAILABLE = "55P03"
GRANT = "ALTER ROLE {} CREATEDB, by a superuser; or the embedded server, without HOP_DATABASE_URL"


def may_create_databases(admin: Connection) -> bool:
    """Whether the role can make copies of databases."""
    return bool(
        admin.exec_driver_sql("SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user").scalar_one()
    )


def require_databases(admin: Connection, verb: str) -> None:
    """Raises DatabaseError for a verb that needs a database of its own and a role that may not create one."""
    if not may_create_databases(admin):
        role = _role(admin)
        raise DatabaseError(
            f"{verb} needs a database of its own, and role {role} may not create one (CREATEDB); nothing was changed",
            hint=GRANT.format(role),
        )


def base_dump(
    workspace: Workspace, admin: Connection, reader: ReleaseReader, version: Version, state: RegistryState | None
) -> Path:
    """The dump of a released version, made if the database is at that release. Raises StateError if it is not."""
    commit = workspace.repository.resolve(str(version)) or ""
    folder = _folder(workspace) / f"{version}-{commit[:12]}"
    if folder.exists():
        return folder
    if released_version(state, reader, (version,)) != version or not is_as_released(workspace, reader, version):
        raise StateError(
            f"role {_role(admin)} may not create databases, and there is no dump of {version} in "
            f"{_folder(workspace)}: its state cannot be made here; nothing was changed",
            hint=GRANT.format(_role(admin)),
        )
    with workspace.database.connect() as connection:
        if has_large_objects(connection):
            raise DatabaseError(
                f"role {_role(admin)} may not create databases, and {workspace.database.name} has large objects, which "
                "a dump does not bring back within a transaction; nothing was changed",
                hint=GRANT.format(_role(admin)),
            )
    workspace.project.make_state_folder()
    workspace.reporter.note(
        f"role {_role(admin)} may not create databases (CREATEDB): {version} is dumped to {folder}, and loaded each "
        "time, which takes longer the more rows there are"
    )
    note_writes(admin, workspace.database)
    write_dump(workspace.database, folder, server=server_version(admin), programs=workspace.programs)
    return folder


def apply_in_place(
    workspace: Workspace, admin: Connection, base: Path, release: Deployable
) -> tuple[Deployed, Synchronised, Replaced]:
    """The base and a release in the database itself, as one transaction.

    A release that cannot be one comes after the base: where it fails, the steps before stay. Raises PatchError.
    """
    started_at, started = datetime.now(timezone.utc), time.perf_counter()
    kept = _keep_what_was_written(workspace, admin)
    manner = Manner.of(workspace)
    files: list[FileRun] = []

    def bring(connection: Connection) -> None:
        for step in release.scripts.steps:
            assert isinstance(step, TransactionStep)
            run = run_transaction(
                connection,
                step,
                root=release.root,
                lock_timeout=manner.lock_timeout,
                reporter=workspace.reporter,
                begun=True,
            )
            files.extend(run.files)
        row = registry_row(
            release.version,
            release.message,
            commit=release.commit,
            author=release.author,
            checksum=release.checksum,
            started_at=started_at,
            seconds=time.perf_counter() - started,
        )
        insert_release(connection, row)

    if release.scripts.is_one_transaction:
        package = _load(workspace, admin, base, release.version, bring)
        deployed = Deployed(release.version, release.message, tuple(files), time.perf_counter() - started)
    else:
        _load(workspace, admin, base, None, lambda _: None)
        deployed = deploy(workspace.database, release, manner, admin, workspace.reporter)
        package = synchronise_database(workspace.project, workspace.database, release.version)
    assert package is not None
    note_writes(admin, workspace.database)
    return deployed, package, Replaced(kept, ())


def undo_in_place(
    workspace: Workspace, admin: Connection, base: Path, version: Version, *, package: bool
) -> tuple[Synchronised | None, Replaced]:
    """The base alone in the database itself, as one transaction; and the package in step with it if that is asked."""
    kept = _keep_what_was_written(workspace, admin)
    synchronised = _load(workspace, admin, base, version if package else None, lambda _: None)
    note_writes(admin, workspace.database)
    return synchronised, Replaced(kept, ())


def _load(
    workspace: Workspace,
    admin: Connection,
    base: Path,
    version: Version | None,
    then: Callable[[Connection], None],
) -> Synchronised | None:
    """Load the base and do something more, in one transaction; before its end bring the package in step, for a
    release that is given."""
    from psycopg2 import Error

    project, name = workspace.project, workspace.database.name
    package = None
    with workspace.database.connect() as connection, cancelled_by_signals(connection):
        execute(
            connection, "SET LOCAL lock_timeout = {timeout}", timeout=f"{project.settings.lock_timeout * 1000:.0f}ms"
        )
        workspace.reporter.step(f"loading {base.name} into {name}")
        own = driver_connection(connection).info.backend_pid
        try:
            load_dump(connection, base)
        except Error as error:
            if error.pgcode != LOCK_NOT_AVAILABLE:
                raise
            others = ", ".join(str(session) for session in sessions_on(admin, name) if session.pid != own)
            raise DatabaseError(
                f"other sessions hold locks in {name}: {others}; rolled back, the database is as it was",
                hint="end their transactions, and try again",
            ) from error
        complete_registry(connection)
        then(connection)
        if version is not None:
            generator = find_generator(project.settings.generator)
            package = synchronise(project.package_folder, connection, generator, version)
        require_lock()
        connection.commit()
    return package


def _keep_what_was_written(workspace: Workspace, admin: Connection) -> str | None:
    """Dump the database if anybody wrote to it since hop did, which is taken for so while others are on it."""
    if not written_since(admin, workspace.database):
        return None
    folder = _folder(workspace) / BEFORE_APPLY
    if folder.exists():
        workspace.reporter.note(f"the {BEFORE_APPLY} of last time is replaced")
    write_dump(workspace.database, folder, server=server_version(admin), programs=workspace.programs)
    workspace.reporter.note(
        f"the database as it was, with what was written to it by hand, is kept as scripts in {folder}"
    )
    return str(folder)


def _folder(workspace: Workspace) -> Path:
    return workspace.project.root / STATE_FOLDER / DUMPS / quote(workspace.database.name, safe="")


def _role(admin: Connection) -> str:
    return str(admin.exec_driver_sql("SELECT current_user").scalar_one())
