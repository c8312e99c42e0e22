"""Taking over a project of half_orm's own tool `hop` 0.13, in place: one commit, and one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hop_tasks.catalog import normalise_dump, read_catalog
from hop_tasks.checkpoints import checkpoint
from hop_tasks.database.admin import drop_database
from hop_tasks.database.clients import find_client, run_client
from hop_tasks.database.statements import server_version
from hop_tasks.errors import DatabaseError, StateError
from hop_tasks.registry import read_state, stamp_as_development
from hop_tasks.report import DEFAULT_REPORTER, Reporter
from hop_tasks.repository import object_reader, tag_ref
from hop_tasks.snapshots import create_for_work, remove_leftovers
from hop_tasks.versions import Version
from hop_tasks.workflows.adopting_plan import AdoptionPlan, Findings, examine
from hop_tasks.workflows.founding import founding_texts
from hop_tasks.workflows.reading import release_reader
from hop_tasks.workflows.stamping import require_catalog_of
from hop_tasks.workflows.workspace import Workspace, locked_database

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

MESSAGE = "the release at which hop took the project over from half_orm's tool"
LOADING = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null")


@dataclass(frozen=True)
class Adopted:
    """A project that was taken over: what was done of the plan, and the commit; None if that was there already."""

    plan: AdoptionPlan
    commit: str | None

    @property
    def version(self) -> Version:
        """The release that hop starts from."""
        return self.plan.version


def plan_adoption(folder: Path | str | None = None, *, url: str | None = None, devel: bool = False) -> AdoptionPlan:
    """What `adopt_project` would do; changes nothing. The arguments, and what is raised, are those of that function."""
    return examine(folder, url=url, devel=devel, flags={}).plan


def adopt_project(
    folder: Path | str | None = None,
    *,
    url: str | None = None,
    devel: bool = False,
    lock_wait: float | None = None,
    reporter: Reporter = DEFAULT_REPORTER,
) -> Adopted:
    """Go on, in place, with a project that half_orm's own tool `hop` 0.13 has managed.

    One commit on the main branch has the settings, and the schema and sealed manifest of the last release: it gets the
    tag `baseline-X.Y.Z`, while all tags, branches, patch files and the package stay as they are. Then the registry of
    the development database is completed in one transaction. In a clone that has the commit, only that is done.

    Args:
        folder: the top of the repository; the current directory by default.
        url: the database's URL; otherwise that of the environment, or of half_orm's connection file.
        devel: the database is development, although no connection file says so.
        lock_wait: seconds to wait for another hop on the same database; otherwise the setting.
        reporter: told what is done.

    Raises ProjectError, RepositoryError, ModeError, DatabaseError or StateError for what does not fit, such as a
    database that is not at the last release or whose schema is not what was released. Nothing is changed then.
    """
    findings = examine(folder, url=url, devel=devel, flags={"lock_wait": lock_wait})
    plan, repository, database = findings.plan, findings.repository, findings.database
    workspace = Workspace(plan.project, repository, database, reporter)
    with locked_database(database, "init", wait=plan.project.settings.lock_wait, reporter=reporter) as admin:
        remove_leftovers(admin, database.name)
        if plan.tag is None:
            with release_reader(repository) as reader:
                require_catalog_of(workspace, admin, reader, plan.version)
            _complete_registry(workspace, plan.version)
            return Adopted(plan, None)
        _require_as_released(workspace, admin, plan.version)
        commit = _take_over(findings, workspace)
    return Adopted(plan, commit)


def _take_over(findings: Findings, workspace: Workspace) -> str:
    """Commit, tag, and complete the registry: in this order, so that whatever was interrupted is found and finished.

    All of it is undone if a part of it fails.
    """
    plan, repository = findings.plan, findings.repository
    before = str(repository.head().commit)
    commit = findings.begun or _write_commit(findings, before)
    checkpoint("adopt.before_tag")
    if findings.begun is None:
        # That tool makes no tag for 0.0.0.
        names = [str(plan.tag), *([] if str(plan.version) in repository.refs().tags else [str(plan.version)])]
        objects = {name: repository.write_tag(name, commit, f"{name}: {MESSAGE}") for name in names}
        repository.update_refs({tag_ref(name): (None, made) for name, made in objects.items()}, "take over")
    try:
        checkpoint("adopt.after_tag")
        repository.fast_forward(commit)
        checkpoint("adopt.after_commit")
        _complete_registry(workspace, plan.version)
    except BaseException:
        if repository.resolve("HEAD") == commit:
            repository.reset_keep(before)
        made = {name for name, at in repository.refs().tags.items() if at == commit}
        repository.update_refs(
            {tag_ref(name): (repository.tag_object(name), None) for name in made}, "take over undone"
        )
        raise
    return commit


def _write_commit(findings: Findings, parent: str) -> str:
    """The commit, which no branch has yet."""
    plan = findings.plan
    tool = f"half_orm's tool {plan.tool}"
    founding = founding_texts(plan.project, findings.database, plan.version, MESSAGE, tool=tool)
    texts = {**findings.texts, **founding}
    files: dict[str, bytes | None] = {path: text.encode() for path, text in texts.items()}
    files[str(plan.removed)] = None
    message = f"Go on with hop after {plan.version}, which half_orm's tool released\n"
    return findings.repository.write_commit(parent, files, message)


def _complete_registry(workspace: Workspace, version: Version) -> None:
    """Add what hop needs to the registry, in one transaction; the rows of half_orm's tool stay as they are."""
    database = workspace.database
    with database.connect() as connection:
        at = read_state(connection).version
        if at != version:
            raise StateError(
                f"database {database.name} was brought from {version} to {at} meanwhile; nothing was changed",
                hint="hop",
            )
        stamp_as_development(connection)
        checkpoint("adopt.before_registry")
        connection.commit()
    checkpoint("adopt.after_registry")


def _require_as_released(workspace: Workspace, admin: Connection, version: Version) -> None:
    """Raises StateError if the catalog is not that of the dump which half_orm's tool made as it released the version.

    A dump that is not there, as for 0.0.0, or that cannot be loaded here, proves nothing; that is told.
    """
    path, database, reporter = workspace.project.schema_path(version), workspace.database, workspace.reporter
    with object_reader(workspace.repository.git) as objects:
        dump = objects.read(f"HEAD:{path}")
    if dump is None:
        reporter.note(f"there is no {path}: the database is taken as it is")
        return
    reporter.step(f"comparing database {database.name} with {path}")
    scratch = create_for_work(admin, database.name)
    try:
        copy = database.beside(scratch)
        program = find_client("psql", server_version(admin), folder=workspace.programs)
        # As hop keeps it: pg_dump's own text has commands that an older server does not know.
        text = normalise_dump(dump[2].decode("utf-8", "surrogateescape"))
        run_client(program, LOADING, copy.address, stdin=text.encode("utf-8", "surrogateescape"))
        with copy.connect() as expected, database.connect() as found:
            difference = read_catalog(expected).compare(read_catalog(found))
    except DatabaseError as error:
        reporter.warn(f"{path} cannot be loaded, so that the database is taken as it is: {error.message}")
        return
    finally:
        drop_database(admin, scratch)
    if difference:
        raise StateError(
            f"database {database.name} is not what {version} was released with: {difference.summary()}; "
            "nothing was changed",
            hint=f"compare it with {path}, and undo by hand what was done by hand",
        )
