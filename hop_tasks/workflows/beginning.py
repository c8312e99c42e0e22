"""Beginning an empty database at a release, by the schema file that was released with it."""

from __future__ import annotations

from hop_tasks.repository import tag_ref
from hop_tasks.versions import Version
from hop_tasks.workflows.committing import Finish
from hop_tasks.workflows.deploying import found_registry
from hop_tasks.workflows.reading import ReleaseReader
from hop_tasks.workflows.workspace import Workspace


def begin_database(
    workspace: Workspace, reader: ReleaseReader, version: Version, *, finish: Finish | None = None
) -> None:
    """Load the schema file of a release, as it is at its tag, into an empty database that is to be production.

    The registry begins with that release. Raises IncompleteError if there is no such file, PatchError if it cannot be
    loaded; the database is then as it was. `finish` is done in the same transaction.
    """
    tag = tag_ref(str(version))
    workspace.reporter.step(f"the database is empty: loading the schema of {version}")
    found_registry(
        workspace.database,
        reader.schema(version, workspace.project.schema_path(version)),
        version=version,
        message=reader.manifest(version).message,
        commit=workspace.repository.resolve(tag),
        author=workspace.repository.author(tag),
        tag=str(version),
        production=True,
        lock_timeout=workspace.project.settings.lock_timeout,
        finish=finish,
        reporter=workspace.reporter,
    )
