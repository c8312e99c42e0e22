"""What `new` and `init` share: a database becomes the first release of a project."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hop_tasks.catalog import has_user_objects, read_catalog
from hop_tasks.database.admin import create_database, database_exists, drop_database
from hop_tasks.database.engines import Database
from hop_tasks.database.statements import server_version
from hop_tasks.database.urls import parse_url, read_address, without_password
from hop_tasks.errors import DatabaseError, StateError
from hop_tasks.foreign import read_histories
from hop_tasks.installed import hop_version
from hop_tasks.manifest import MANIFEST_NAME, Manifest
from hop_tasks.project import Project
from hop_tasks.registry import read_state
from hop_tasks.report import Reporter
from hop_tasks.repository import Repository, tag_ref
from hop_tasks.versions import ORIGIN_VERSION, Version
from hop_tasks.workflows.deploying import found_registry
from hop_tasks.workflows.schemas import released_schema
from hop_tasks.workflows.sync_package import synchronise_database
from hop_tasks.workflows.workspace import locked_database, programs_folder, reach_database, registry_of

ORIGIN_MESSAGE = "the database as hop took it over"


@dataclass(frozen=True)
class Founded:
    """A project that was begun.

    Attributes:
        project: the project.
        database: its URL with the password masked.
        created_database: whether the database had to be created.
        files: the files that were written, from the project's root.
        commit: the first commit, tagged with the release; None without version tracking.
        notes: what a person has to know or to do.
        version: the first release, 0.0.0 or another one.
    """

    project: Project
    database: str
    created_database: bool
    files: tuple[str, ...]
    commit: str | None
    notes: tuple[str, ...] = ()
    version: Version = ORIGIN_VERSION


def stored_url(text: str | None, name: str) -> tuple[str | None, bool]:
    """A URL as it may stand in a settings file: without its password; and whether it had one."""
    if text is None:
        return None, False
    url = parse_url(text, "--url", default_database=name)
    return without_password(url), url.password is not None


def meant_database(project: Project, url: str | None, reporter: Reporter) -> Database:
    """The database of a project that is being made: the URL given on the command line comes first."""
    if url is None:
        return reach_database(project, reporter)
    return Database(read_address(url, "--url", default_database=project.name), project.settings.maintenance_database)


@contextmanager
def founding_database(
    project: Project, database: Database, *, verb: str, in_use: bool = False, reporter: Reporter
) -> Iterator[bool]:
    """A database that exists and that no project has yet, and whether it was created; dropped again on a failure.

    With version tracking, its lock is held meanwhile; without, it is only looked at. One that is to be in use already
    is not created, and must hold something.
    """
    if not project.settings.devel:
        with database.administer() as admin:
            if not database_exists(admin, database.name):
                raise DatabaseError(
                    f"there is no database {database.name} on {database.shown}; nothing was changed",
                    hint="give --devel to have an empty one created, or name another one with --url",
                )
        _require_free(database)
        yield False
        return
    state = registry_of(database)
    if state is not None and state.production:
        state.require_development(database.name, verb)
    with locked_database(database, verb, wait=project.settings.lock_wait, reporter=reporter) as admin:
        created = not database_exists(admin, database.name)
        if in_use:
            _require_in_use(database, exists=not created)
        if created:
            create_database(admin, database.name)
        try:
            if not created:
                _require_free(database)
            yield created
        except BaseException:
            if created:
                # On a connection of its own, for the other may be lost.
                with database.administer() as other:
                    drop_database(other, database.name)
            raise


def write_founding_release(project: Project, database: Database, version: Version = ORIGIN_VERSION) -> tuple[str, ...]:
    """Write the package, and with version tracking the first release's schema and sealed manifest; what was written."""
    devel = project.settings.devel
    package = synchronise_database(project, database, version if devel else None, anew=True)
    written = [path.relative_to(project.root).as_posix() for path in package.written]
    init = project.package_folder / "__init__.py"
    if init.exists() and init not in package.written:
        written.append(init.relative_to(project.root).as_posix())
    if not devel:
        return tuple(written)
    texts = founding_texts(project, database, version, ORIGIN_MESSAGE)
    for path, text in texts.items():
        (project.root / path).parent.mkdir(parents=True, exist_ok=True)
        (project.root / path).write_text(text, "utf-8")
    return (*written, *texts)


def founding_texts(
    project: Project, database: Database, version: Version, message: str, *, tool: str | None = None
) -> dict[str, str]:
    """Path -> text of the schema and the sealed manifest of a first release, which may have been another tool's."""
    with database.connect() as connection:
        fingerprint = read_catalog(connection).fingerprint
    with database.administer() as admin:
        schema = released_schema(
            database,
            server_version(admin),
            programs=programs_folder(project),
            reference_data=project.settings.reference_data,
        )
    manifest = Manifest(version, message, None, hop_version(), fingerprint=fingerprint, taken_over_from=tool)
    return {
        project.schema_path(version): schema,
        f"Patches/{version.folder}/{MANIFEST_NAME}": str(manifest),
    }


def history_notes(database: Database) -> tuple[str, ...]:
    """What a person has to know about other tools that have managed a database."""
    with database.connect() as connection:
        histories = read_histories(connection)
    return tuple(
        f"{one.name} has migrated this database, as {one.table} says: that is part of the first release; hop releases "
        f"what changes from now on, so take {one.name} out of what deploys"
        for one in histories
    )


def begin_history(
    repository: Repository,
    database: Database,
    commit: str,
    reporter: Reporter,
    version: Version = ORIGIN_VERSION,
) -> None:
    """Begin the registry at the first release and tag its commit; the tag goes if the registry cannot be made."""
    tag = repository.write_tag(str(version), commit, f"Release {version}: {ORIGIN_MESSAGE}")
    name = tag_ref(str(version))
    repository.update_refs({name: (None, tag)}, "begin")
    try:
        found_registry(
            database,
            None,
            version=version,
            message=ORIGIN_MESSAGE,
            commit=commit,
            author=repository.author(commit),
            reporter=reporter,
        )
    except BaseException:
        repository.update_refs({name: (tag, None)}, "begin undone")
        raise


def _require_in_use(database: Database, *, exists: bool) -> None:
    """Raises DatabaseError if there is no such database, StateError if it is empty: a mistake in its URL, then."""
    hint = "check the database's URL; without --baseline, hop init --devel begins with an empty database"
    if not exists:
        raise DatabaseError(f"there is no database {database.name} on {database.shown}; nothing was changed", hint=hint)
    with database.connect() as connection:
        if not has_user_objects(connection):
            raise StateError(f"database {database.name} is empty; --baseline changed nothing", hint=hint)


def _require_free(database: Database) -> None:
    with database.connect() as connection:
        state = read_state(connection)
    if state.production:
        state.require_development(database.name, "taking it over")
    if state.exists:
        at = f", at release {state.last.version}" if state.last else ""
        raise StateError(
            f"database {database.name} belongs to a project of hop already{at}; nothing was changed",
            hint="clone that project's repository, or name another database with --url",
        )
