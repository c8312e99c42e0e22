"""Applying the release in preparation: base state plus its patch files, again and again."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hop_tasks.errors import StateError, hinting
from hop_tasks.manifest import MANIFEST_NAME, Manifest
from hop_tasks.names import version_of_branch
from hop_tasks.package import Synchronised, generated_files, merge_versions
from hop_tasks.project import Project
from hop_tasks.report import DEFAULT_REPORTER, Reporter
from hop_tasks.repository import Repository
from hop_tasks.scripts import FileRun, check_scripts, passed_over, read_folder
from hop_tasks.versions import Version
from hop_tasks.workflows.bases import ensure_base, require_known_state
from hop_tasks.workflows.deploying import Deployed, deploy
from hop_tasks.workflows.dumping import base_dump
from hop_tasks.workflows.in_place import apply_in_place
from hop_tasks.workflows.manner import Manner
from hop_tasks.workflows.reading import Deployable, release_reader
from hop_tasks.workflows.replacing import Replaced, decide_leftovers, replace_current
from hop_tasks.workflows.roles import may_create_databases
from hop_tasks.workflows.spares import clear_leftovers, sparing
from hop_tasks.workflows.sync_package import leaving_database, synchronise_database
from hop_tasks.workflows.workspace import Workspace

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


@dataclass(frozen=True)
class AppliedRelease:
    """A release that was applied.

    Attributes:
        version, base: the release and the one that it started from.
        files: the patch files that ran, with their times.
        rebased_on: the main branch, if the branch was rebased on it.
        package: what became of the Python package.
        replaced: what became of the database as it was before; None if there was none.
        seconds: the time of the whole.
    """

    version: Version
    base: Version
    files: tuple[FileRun, ...]
    rebased_on: str | None
    package: Synchronised
    replaced: Replaced | None
    seconds: float


def apply_release(project: Project, *, reporter: Reporter = DEFAULT_REPORTER) -> AppliedRelease:
    """Bring the development database to the base state plus the patch files of the release on this branch.

    The files run in a copy of the base, in one transaction with the registry's row, and the copy then takes the
    database's place: a patch that fails leaves the database, and the sessions on it, alone. With a clean work tree the
    branch is first rebased on the main branch.

    Raises PatchError for a file that fails, RepositoryError for a wrong branch or a rebase that conflicts, ModeError
    for production, StateError for a database that hop does not know.
    """
    project.require_development("apply")
    started = time.monotonic()
    repository = Repository.open(project.root)
    version = release_in_preparation(repository, "apply")
    rebased_on = None
    if repository.changes():
        _warn_of_stale_branch(repository, project.settings.main_branch, reporter)
    else:
        rebased_on = rebase_on_main(project, repository, reporter)
    with hinting("correct the file, then hop apply"):
        return _apply(project, repository, version, rebased_on, started, reporter)


def _apply(
    project: Project,
    repository: Repository,
    version: Version,
    rebased_on: str | None,
    started: float,
    reporter: Reporter,
) -> AppliedRelease:
    release = read_work_tree(project, repository, version)
    warn_of_passed_over(project, version, reporter)
    workspace = Workspace.open(project, reporter, repository)
    with (
        sparing(workspace) as spares,
        workspace.locked("apply") as admin,
        release_reader(repository) as reader,
    ):
        state = workspace.read_state(admin)
        require_known_state(workspace, state, "apply")
        clear_leftovers(workspace, admin)
        decide_leftovers(workspace, admin)
        base_version = merged_base(repository, version)
        replaced: Replaced | None
        if may_create_databases(admin):
            base = ensure_base(workspace, admin, reader, base_version, state)
            work = spares.copy(admin, base.database)
            try:
                deployed, package = _apply_to(workspace, admin, work, release)
                replaced = replace_current(workspace, admin, work, state, base=base)
            except BaseException:
                workspace.discard(work)
                raise
        else:
            dump = base_dump(workspace, admin, reader, base_version, state)
            deployed, package, replaced = apply_in_place(workspace, admin, dump, release)
    return AppliedRelease(
        version, base_version, deployed.files, rebased_on, package, replaced, time.monotonic() - started
    )


def release_in_preparation(repository: Repository, verb: str) -> Version:
    """The release that the branch checked out prepares. Raises RepositoryError or StateError if there is none."""
    branch = repository.require_branch(verb)
    version = version_of_branch(branch)
    refs = repository.refs()
    if version is None:
        there = " or ".join(f"hop_{known}" for known in refs.in_preparation)
        raise StateError(
            f"{branch} is not the branch of a release; {verb} changed nothing",
            hint=f"git switch {there}, or hop prepare" if there else "hop prepare --level=patch -m 'what it is about'",
        )
    if version in refs.released:
        raise StateError(f"{version} is already released; {verb} changed nothing", hint="hop prepare --level=patch")
    return version


def merged_base(repository: Repository, version: Version) -> Version:
    """The highest release below `version` that the commit checked out has in its history."""
    known = [released for released in repository.releases_in("HEAD") if released < version]
    if not known:
        raise StateError(
            f"no released version below {version} is in the history of this branch", hint="git fetch --tags origin"
        )
    return max(known)


def read_work_tree(project: Project, repository: Repository, version: Version) -> Deployable:
    """The release in preparation as it is in the work tree."""
    path = project.patch_folder(version) / MANIFEST_NAME
    shown = path.relative_to(project.root).as_posix()
    try:
        manifest = Manifest.parse(path.read_text("utf-8"), shown)
    except FileNotFoundError:
        raise StateError(f"there is no {shown}", hint=f"git restore {shown}") from None
    commit = repository.resolve("HEAD")
    return Deployable(
        version=version,
        message=manifest.message,
        scripts=check_scripts(read_folder(project.root, version)),
        commit=commit,
        author=None if commit is None else repository.author(commit),
        root=lambda: Path(project.root),
    )


def warn_of_passed_over(project: Project, version: Version, reporter: Reporter) -> None:
    """Name what is in the folders of a release in preparation and looks as if it were run, such as `02_x.slq`."""
    for said in passed_over(project.root, version):
        reporter.warn(said)


def rebase_on_main(project: Project, repository: Repository, reporter: Reporter) -> str | None:
    """Rebase the branch on the main branch if that has moved on; the main branch then, None otherwise.

    The generated modules of the package do not conflict: apply makes them anew.
    """
    main = project.settings.main_branch
    commit = repository.resolve(main)
    if commit is None or repository.is_ancestor(commit, "HEAD"):
        return None
    generated = [path.relative_to(project.root).as_posix() for path in generated_files(project.package_folder)]
    repository.rebase(main, generated=generated, reconcile=merge_versions)
    reporter.step(f"rebased on {main}")
    return main


def _warn_of_stale_branch(repository: Repository, main: str, reporter: Reporter) -> None:
    commit = repository.resolve(main)
    if commit is not None and not repository.is_ancestor(commit, "HEAD"):
        reporter.warn(f"{main} has moved on; the branch is rebased on it once the work tree is clean")


def _apply_to(workspace: Workspace, admin: Connection, work: str, release: Deployable) -> tuple[Deployed, Synchronised]:
    database = workspace.database.beside(work)
    deployed = deploy(database, release, Manner.of(workspace), admin, workspace.reporter)
    with leaving_database(workspace.database.name, "apply"):
        return deployed, synchronise_database(workspace.project, database, release.version)
