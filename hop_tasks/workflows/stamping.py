"""Declaring a database to be at a release and in production, once its catalog proves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hop_tasks.catalog import Catalog, read_catalog
from hop_tasks.database.admin import drop_database
from hop_tasks.errors import StateError
from hop_tasks.registry import create_registry, insert_release, read_releases, read_state, update_commit
from hop_tasks.snapshots import create_for_work
from hop_tasks.versions import Version
from hop_tasks.workflows.deploying import found_registry
from hop_tasks.workflows.reading import ReleaseReader
from hop_tasks.workflows.registering import registry_row
from hop_tasks.workflows.workspace import Workspace

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


def baseline_database(workspace: Workspace, admin: Connection, reader: ReleaseReader, version: Version) -> None:
    """Declare a database to be at a release, after its catalog has been found to be that of the release.

    Raises StateError that names the differences, with nothing changed, if it is another one.
    """
    repository, database = workspace.repository, workspace.database
    if version not in repository.refs().released:
        raise StateError(f"there is no release {version}; nothing was changed", hint="git fetch --tags origin")
    manifest = reader.manifest(version)
    require_catalog_of(workspace, admin, reader, version)
    with database.connect() as connection:
        has_release = read_state(connection).last is not None
        create_registry(connection, production=True)
        if not has_release:
            commit = repository.resolve(str(version))
            author = repository.author(str(version))
            row = registry_row(version, manifest.message, commit=commit, author=author, tag=str(version), seconds=0.0)
            insert_release(connection, row)
        commits = repository.refs().tags
        for known in read_releases(connection):
            # Until now it was a development database, whose rows may have the commits that were worked on.
            released = commits.get(str(known.version))
            if known.author and released not in (None, known.commit):
                update_commit(connection, known.version, str(released), repository.author(str(released)))
        connection.commit()
    workspace.reporter.step(f"database {database.name} is declared to be at {version}")


def require_catalog_of(workspace: Workspace, admin: Connection, reader: ReleaseReader, version: Version) -> None:
    """Raises StateError that names the differences if the database's catalog is not that of a release."""
    database = workspace.database
    with database.connect() as connection:
        found = read_catalog(connection)
    if found.fingerprint == reader.manifest(version).fingerprint:
        return
    # Servers of different versions spell some definitions differently, so that only a comparison on one tells.
    difference = _released_catalog(workspace, admin, reader, version).compare(found)
    if difference:
        raise StateError(
            f"database {database.name} is not at {version}: {difference.summary()}; nothing was changed",
            hint=f"make it so by hand, or name the release that it is at; {workspace.project.schema_path(version)} "
            f"at tag {version} is what was released",
        )


def _released_catalog(workspace: Workspace, admin: Connection, reader: ReleaseReader, version: Version) -> Catalog:
    """The catalog of a release, built on this server from the schema that was released."""
    scratch = create_for_work(admin, workspace.database.name)
    try:
        database = workspace.database.beside(scratch)
        schema = reader.schema(version, workspace.project.schema_path(version))
        found_registry(database, schema, version=version, message="", reporter=workspace.reporter)
        with database.connect() as connection:
            return read_catalog(connection)
    finally:
        drop_database(admin, scratch)
