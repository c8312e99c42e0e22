"""Copies of the state of a release, from a template that is made once."""

from __future__ import annotations

from hop_tasks.database.engines import INVALID_CATALOG_NAME
from hop_tasks.database.locks import locked
from hop_tasks.database.sessions import end_orphans
from hop_tasks.errors import DatabaseError, LockedError, StateError
from hop_tasks.templates import (
    copy_for_tests,
    create_for_tests,
    discard_test,
    find_template,
    keep_as_template,
    prune_templates,
    template_name,
)
from hop_tasks.versions import Version
from hop_tasks.workflows.apply import merged_base, read_work_tree
from hop_tasks.workflows.bases import buildable_lineage, found_first_release, lineage_of
from hop_tasks.workflows.benches import VERB, Bench
from hop_tasks.workflows.deploying import deployer
from hop_tasks.workflows.manner import Manner
from hop_tasks.workflows.reading import ReleaseReader, release_reader
from hop_tasks.workflows.recipes import Recipe, current_version, recipe_of

PATIENCE = 3600.0
"""Seconds to wait for another process that makes the same template: as long as patch files may take."""

ATTEMPTS = 5
"""How often it is tried, while patch files change, or others drop templates, at the same time."""


def copy_of_release(bench: Bench, version: Version) -> str:
    """The name of a new database for tests, at a release.

    Raises StateError for a version that is neither released nor in preparation here, PatchError for a file that fails.
    """
    from psycopg2 import Error

    project, repository = bench.workspace.project, bench.workspace.repository
    released = version in repository.refs().released
    if not released and version != current_version(project, repository):
        raise StateError(f"there is no release {version} here", hint="git fetch --tags origin")
    with release_reader(repository) as reader:
        for _ in range(ATTEMPTS):
            recipe = recipe_of(bench.workspace, bench.admin, reader, bench.of, version, released=released)
            if not _has_template(bench, recipe) and not _make_template(bench, reader, recipe):
                continue
            note = {"release": str(version), "run": bench.run, "kept": bench.keep}
            try:
                return copy_for_tests(bench.admin, bench.leases, template_name(bench.of, recipe.key), bench.of, note)
            except Error as error:
                if error.pgcode != INVALID_CATALOG_NAME:
                    raise
    raise DatabaseError(
        f"the template of {version} for tests is made again and again: its files, or the templates, change meanwhile",
        hint="run the tests again",
    )


def _has_template(bench: Bench, recipe: Recipe) -> bool:
    template = find_template(bench.admin, bench.of, recipe.key)
    if template is None:
        return False
    return not bench.fresh or (template.extra or {}).get("run") == bench.run


def _make_template(bench: Bench, reader: ReleaseReader, recipe: Recipe) -> bool:
    """Make the template of a state, unless another process has just done so; False if the files have changed."""
    workspace = bench.workspace
    # Its own lock: hop's commands on the development database go on meanwhile, and so may `hop release`, our caller.
    template = workspace.database.beside(template_name(bench.of, recipe.key))
    try:
        with locked(template, VERB, wait=PATIENCE, tell=workspace.reporter.note):
            end_orphans(bench.admin, template.name)
            if _has_template(bench, recipe):
                return True
            workspace.reporter.step(f"making the template of {recipe.version} for tests")
            return _make_locked(bench, reader, recipe)
    except LockedError as error:
        error.hint = "wait for it, then run the tests again"
        raise


def _make_locked(bench: Bench, reader: ReleaseReader, recipe: Recipe) -> bool:
    admin, leases = bench.admin, bench.leases
    if recipe.source is None:
        made = create_for_tests(admin, leases, bench.of)
    else:
        made = copy_for_tests(admin, leases, recipe.source.database, bench.of, {"run": bench.run})
    try:
        _bring_to(bench, reader, made, recipe)
        version, released = recipe.version, not recipe.is_prepared
        if recipe_of(bench.workspace, admin, reader, bench.of, version, released=released).key != recipe.key:
            discard_test(admin, leases, made)
            return False
        keep_as_template(
            admin,
            leases,
            made,
            bench.of,
            key=recipe.key,
            release=version,
            prepared=recipe.is_prepared,
            run=bench.run,
        )
    except BaseException:
        discard_test(admin, leases, made)
        raise
    prune_templates(admin, bench.of)
    return True


def _bring_to(bench: Bench, reader: ReleaseReader, made: str, recipe: Recipe) -> None:
    """Bring the copy of the source, or an empty database, to the release."""
    workspace = bench.workspace
    if recipe.source is not None:
        at = recipe.source.version
    else:
        at = buildable_lineage(reader, recipe.base)[0]
        found_first_release(workspace, workspace.database.beside(made), reader, at)
    deploy_between(bench, reader, made, at, recipe.version)


def deploy_between(bench: Bench, reader: ReleaseReader, name: str, at: Version, to: Version) -> None:
    """Bring a database for tests from one release to another: by the tags, and by the work tree if that is in
    preparation there.

    Raises StateError if the one is not among the releases that the other was made on top of.
    """
    workspace = bench.workspace
    project, repository = workspace.project, workspace.repository
    prepared = None
    newest = to
    if to not in repository.refs().released:
        prepared = read_work_tree(project, repository, to)
        newest = merged_base(repository, to)
    lineage = lineage_of(reader, newest)
    if at != to and at not in lineage:
        raise StateError(f"release {to} was not made on top of {at}", hint=f"git log --oneline {at}..{newest}")
    manner = Manner.of(workspace)
    with deployer(workspace.database.beside(name), manner, bench.admin, workspace.reporter) as one:
        for missing in lineage:
            if missing > at:
                one.deploy(reader.read(missing))
        if prepared is not None:
            one.deploy(prepared)
