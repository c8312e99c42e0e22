"""Releasing: the release in preparation proved on a scratch copy, then sealed, tagged and, if asked, pushed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hop_tasks.catalog import Catalog, read_catalog
from hop_tasks.checks import ChecksRun, run_checks
from hop_tasks.database.engines import Database
from hop_tasks.database.statements import server_version
from hop_tasks.errors import RepositoryError, StateError, hinting
from hop_tasks.manifest import MANIFEST_NAME, Manifest
from hop_tasks.names import baseline_tag, release_branch
from hop_tasks.project import Project
from hop_tasks.registry import read_releases
from hop_tasks.report import DEFAULT_REPORTER, Reporter
from hop_tasks.repository import Origin, Repository, adopted_release, object_reader
from hop_tasks.scripts import PatchFile, order_files, patch_folders
from hop_tasks.versions import Version
from hop_tasks.workflows.apply import (
    merged_base,
    read_work_tree,
    rebase_on_main,
    release_in_preparation,
    warn_of_passed_over,
)
from hop_tasks.workflows.bases import are_as_released, ensure_base, require_known_state
from hop_tasks.workflows.deploying import deploy
from hop_tasks.workflows.finishing import finish_release, interrupted_release, note_commit
from hop_tasks.workflows.manner import Manner
from hop_tasks.workflows.publishing import bring_main_up_to_date, publish, remove_branch, require_nothing_unseen
from hop_tasks.workflows.reading import Deployable, release_reader
from hop_tasks.workflows.roles import require_databases
from hop_tasks.workflows.schemas import released_schema
from hop_tasks.workflows.spares import Spares, clear_leftovers, sparing
from hop_tasks.workflows.sync_package import package_differences, variables_for_tests
from hop_tasks.workflows.workspace import Workspace

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


@dataclass(frozen=True)
class PublishedRelease:
    """A release that was published: number, message, commit, schema file, what the tests came to, whether pushed.

    `resumed` if a command that was interrupted had published it, so that only the rest was done, without the tests.
    """

    version: Version
    message: str
    commit: str
    schema: str
    checks: ChecksRun | None
    pushed: bool
    resumed: bool = False


@dataclass(frozen=True)
class Proof:
    """What a scratch copy showed: the catalog after the release, its schema, and the tests."""

    catalog: Catalog
    schema: str
    checks: ChecksRun | None


def release_prepared(
    project: Project, *, push: bool = False, fetch: bool = True, reporter: Reporter = DEFAULT_REPORTER
) -> PublishedRelease:
    """Release what is prepared on this branch.

    The branch is rebased on the main branch. The patch files are applied from the base on a scratch copy, which must
    agree with the development database and the committed package; the project's tests run against the copy. Then one
    commit with the schema and the sealed manifest, the main branch and an annotated tag are made, and pushed first if
    that is asked, so that a push that is refused leaves nothing behind. What an interrupted command has left of a
    release that it published is done instead, on its branch or on the main branch.

    Args:
        project: the project.
        push: push main branch and tag, both or none.
        fetch: ask origin for releases that were published meanwhile; it must then answer, if there is one.
        reporter: told what is done.

    Raises StateError if a lower release is in preparation or the release is not applied as it is in the tree,
    RepositoryError for a dirty tree, a conflict or a refused push, ChecksError for failing tests. Tags, branches,
    tree and database are then as before.
    """
    project.require_development("release")
    repository = Repository.open(project.root)
    main = project.settings.main_branch
    version = interrupted_release(repository, main) or release_in_preparation(repository, "release")
    repository.require_clean("release", hint="hop apply, git add, git commit, then hop release")
    repository.require_identity()
    origin = Origin.find(repository)
    if push and origin is None:
        raise RepositoryError("there is no origin to push to; nothing was changed", hint="git remote add origin URL")
    repository.require_not_elsewhere(main)
    if origin is not None and fetch:
        origin.fetch()
    bring_main_up_to_date(repository, main)
    if interrupted_release(repository, main) == version:
        return _finished(Workspace.open(project, reporter), version, origin if push else None)
    _require_lowest(repository, version)
    require_nothing_unseen(repository, version)
    with (
        _branch_restored_on_failure(repository),
        hinting("correct the file, then hop apply, git commit and hop release"),
    ):
        rebase_on_main(project, repository, reporter)
        base_version = merged_base(repository, version)
        _require_history_untouched(repository, base_version)
        release = read_work_tree(project, repository, version)
        warn_of_passed_over(project, version, reporter)
        _require_committed(repository, release)
        workspace = Workspace.open(project, reporter)
        with sparing(workspace, again=False) as spares, workspace.locked("release") as admin:
            require_databases(admin, "release")
            _require_applied(workspace, admin, release, base_version)
            proof = _prove(workspace, admin, spares, release, base_version)
            repository.require_clean("release, after the tests,")
            schema_path = project.schema_path(version)
            commit = _seal(repository, release, base_version, proof, schema_path)
            publish(repository, version, release.message, commit, main=main, push_to=origin if push else None)
            note_commit(workspace, version, commit)
            remove_branch(repository, version)
    return PublishedRelease(version, release.message, commit, schema_path, proof.checks, push)


def _finished(workspace: Workspace, version: Version, push_to: Origin | None) -> PublishedRelease:
    """The rest of a release that an interrupted command has published, done."""
    repository, main = workspace.repository, workspace.project.settings.main_branch
    workspace.reporter.note(f"{version} was published by a command that was interrupted: what was left is done")
    with release_reader(repository) as reader, workspace.locked("release") as admin:
        finish_release(workspace, admin, reader, version, push_to)
        message = reader.manifest(version).message
    commit, there = repository.refs().tags[str(version)], repository.refs().tracking.get(main)
    pushed = there is not None and repository.is_ancestor(commit, there)
    return PublishedRelease(
        version, message, commit, workspace.project.schema_path(version), None, pushed, resumed=True
    )


def _require_lowest(repository: Repository, version: Version) -> None:
    refs = repository.refs()
    if refs.last_released > version:
        raise StateError(
            f"{refs.last_released} is released already, {version} would come after a higher one; nothing was changed",
            hint=f"hop prepare the next release and move the files of Patches/{version.folder} there",
        )
    if version in refs.released:
        raise StateError(f"{version} is already released at origin; nothing was changed", hint="hop prepare")
    lowest = min(refs.in_preparation, default=version)
    if lowest < version:
        raise StateError(
            f"{lowest} is in preparation and lower than {version}: it is released first; nothing was changed",
            hint=f"git switch {release_branch(lowest)}",
        )


def _require_history_untouched(repository: Repository, base: Version) -> None:
    """The patch files of released versions stay as they were tagged."""
    adopted = adopted_release(repository)
    with object_reader(repository.git) as objects:
        for released in repository.releases_in("HEAD"):
            if released > base or (adopted is not None and released < adopted):
                continue
            folder = f"Patches/{released.folder}"
            tag = baseline_tag(released) if released == adopted else str(released)
            if objects.tree(f"{tag}:{folder}") != objects.tree(f"HEAD:{folder}"):
                raise StateError(
                    f"the files of {released}, which is released, were changed in {folder}; nothing was changed",
                    hint=f"git restore --source={tag} -- {folder}, and change it in a new release",
                )


def _require_committed(repository: Repository, release: Deployable) -> None:
    """What is sealed is what is committed: no file that Git ignores, none whose line ends Git converts."""
    with object_reader(repository.git) as objects:
        files = [
            PatchFile(path, content)
            for folder in patch_folders(release.version)
            for path, content in (objects.files("HEAD", folder) or {}).items()
        ]
    committed, here = order_files(release.version, files).checksums, release.scripts.scripts.checksums
    wrong = sorted(path for path in {*committed, *here} if committed.get(path) != here.get(path))
    if wrong:
        raise StateError(
            f"the patch files here are not those that are committed: {', '.join(wrong)}; nothing was changed",
            hint="take them out of .gitignore, or keep Git from converting them: * -text in Patches/.gitattributes",
        )


def _require_applied(workspace: Workspace, admin: Connection, release: Deployable, base: Version) -> None:
    state = workspace.read_state(admin)
    require_known_state(workspace, state, "release")
    if state is None or state.last is None or state.last.version != release.version:
        at = "missing" if state is None or state.last is None else f"at {state.last.version}"
        raise StateError(
            f"{release.version} is not applied: database {workspace.database.name} is {at}; nothing was changed",
            hint="hop apply",
        )
    with workspace.database.connect() as connection:
        before = read_releases(connection)[1:]
    if not before or before[0].version != base:
        raise StateError(
            f"{base} was released meanwhile, and {release.version} is not applied on top of it; nothing was released",
            hint="hop apply, git commit, hop release",
        )
    with release_reader(workspace.repository) as reader:
        known = are_as_released(workspace.repository, reader, before)
    if not known:
        raise StateError(
            f"{release.version} is applied on top of other releases than those that are tagged here; nothing was "
            "changed",
            hint="hop apply",
        )
    if state.last.checksum != release.checksum:
        raise StateError(
            f"the patch files of {release.version} are not those that were applied last; nothing was changed",
            hint="hop apply",
        )


def _prove(
    workspace: Workspace, admin: Connection, spares: Spares, release: Deployable, base_version: Version
) -> Proof:
    """Apply the release from its base on a scratch copy, compare, dump the schema, and run the tests."""
    project, reporter = workspace.project, workspace.reporter
    clear_leftovers(workspace, admin)
    with release_reader(workspace.repository) as reader:
        base = ensure_base(workspace, admin, reader, base_version, workspace.read_state(admin))
    scratch = spares.copy(admin, base.database)
    try:
        reporter.step(f"applying {release.version} to a scratch copy of {base_version}")
        database = workspace.database.beside(scratch)
        deploy(database, release, Manner.of(workspace), admin, reporter)
        catalog = _compare(workspace.database, database, release.version)
        stale = package_differences(project, database, release.version)
        if stale:
            raise StateError(
                f"the package is not in step with the database: {', '.join(stale)}; nothing was changed",
                hint="hop apply, then git commit",
            )
        schema = released_schema(
            database,
            server_version(admin),
            programs=workspace.programs,
            reference_data=project.settings.reference_data,
        )
        checks = None
        if project.settings.tests:
            reporter.step("running the tests against the scratch copy")
            with variables_for_tests(project, database.address) as variables:
                checks = run_checks(project.settings.tests, project.root, database.address.text, reporter, variables)
        return Proof(catalog, schema, checks)
    finally:
        workspace.discard(scratch)


def _compare(current: Database, scratch: Database, version: Version) -> Catalog:
    """The catalog of the scratch copy, which must be that of the development database."""
    with scratch.connect() as connection:
        proved = read_catalog(connection)
    with current.connect() as connection:
        difference = proved.compare(read_catalog(connection))
    if difference:
        raise StateError(
            f"database {current.name} is not what the patch files of {version} make: {difference.summary()}; "
            "nothing was changed",
            hint="put the change into a patch file, or hop apply to leave it out",
        )
    return proved


def _seal(repository: Repository, release: Deployable, base: Version, proof: Proof, schema_path: str) -> str:
    """The commit that makes the release: sealed manifest and schema. No branch has it yet."""
    manifest_path = f"Patches/{release.version.folder}/{MANIFEST_NAME}"
    manifest = Manifest.parse((repository.root / manifest_path).read_text("utf-8"), manifest_path)
    scripts = release.scripts.scripts
    sealed = manifest.seal(base=base, checksums=scripts.checksums, fingerprint=proof.catalog.fingerprint)
    files = {manifest_path: str(sealed).encode(), schema_path: proof.schema.encode()}
    message = f"Release {release.version}: {release.message}\n"
    return repository.write_commit(str(repository.resolve("HEAD")), files, message)


@contextmanager
def _branch_restored_on_failure(repository: Repository) -> Iterator[None]:
    """Puts the branch that is checked out back to its commit if the body fails before the release is there."""
    before = repository.head()
    try:
        yield
    except BaseException:
        now = repository.head()
        if before.commit and now.branch == before.branch and now.commit != before.commit:
            repository.reset_keep(before.commit)
        raise
