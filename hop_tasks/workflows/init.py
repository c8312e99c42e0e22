"""Version tracking in an existing Git repository with code of its own."""

from __future__ import annotations

from pathlib import Path

from hop_tasks.errors import HopError, ProjectError, RepositoryError, StateError, UsageError
from hop_tasks.foreign import find_half_orm_project
from hop_tasks.names import check_package_name, check_project_name, package_for
from hop_tasks.project import SETTINGS_FILE, Project
from hop_tasks.report import DEFAULT_REPORTER, Reporter
from hop_tasks.repository import Repository
from hop_tasks.versions import ORIGIN_VERSION, Version
from hop_tasks.workflows.founding import (
    Founded,
    begin_history,
    founding_database,
    history_notes,
    meant_database,
    stored_url,
    write_founding_release,
)
from hop_tasks.workflows.new import PASSWORD_NOTE
from hop_tasks.workflows.project_files import TASKS, HopTable, patch_folder_files, read_settings_text, with_table


def initialise_project(
    folder: Path | str | None = None,
    *,
    name: str | None = None,
    devel: bool = False,
    baseline: bool = False,
    first: Version | str | None = None,
    package: str | None = None,
    url: str | None = None,
    generator: str | None = None,
    lock_wait: float | None = None,
    reporter: Reporter = DEFAULT_REPORTER,
) -> Founded:
    """Make an existing Git repository a project.

    `[tool.hop]` is added to its pyproject.toml; the package, the folders of patch files and, if there is none, a
    tasks.py are written; nothing else is touched. With `devel` this is one commit, tagged as the first release, on the
    branch that is checked out, which becomes the project's main branch.

    Args:
        folder: the top of the repository; the current directory by default.
        name: the project, and its database where no URL names one; the folder's name by default.
        devel: track versions; a database that does not exist is then created.
        baseline: the same for a database that is in use: it must be there and hold something.
        first: the version of the first release, X.Y.Z, with version tracking; 0.0.0 by default.
        package: the Python package; by default made from the name.
        url: the database's URL; otherwise as in any project.
        generator: what writes the package; `tables` by default.
        lock_wait: seconds to wait for another hop on the same database; otherwise the setting.
        reporter: told what is done.

    Raises RepositoryError for a folder that is no repository, a dirty tree or a detached HEAD; StateError for a
    repository whose tags would be taken for releases. Nothing is changed then.
    """
    devel = devel or baseline
    version = _first_version(first, devel=devel)
    root = Path(folder or Path.cwd()).resolve()
    _require_no_other_tool(root)
    name = check_project_name(name if name is not None else root.name)
    package = check_package_name(package if package is not None else package_for(name))
    repository = Repository.open(root)
    branch = repository.require_branch("init")
    repository.require_clean("init")
    if repository.head().commit is None:
        raise RepositoryError("the repository has no commit yet; nothing was changed", hint="git commit first")
    if devel:
        repository.require_identity()
    kept_url, had_password = stored_url(url, name)
    before = read_settings_text(root)
    texts = {SETTINGS_FILE: with_table(before, HopTable(name, package, devel, kept_url, branch, generator))}
    notes = [PASSWORD_NOTE] if had_password else []
    if devel:
        _require_no_release_tags(repository)
        texts.update(patch_folder_files())
    if (root / "tasks.py").exists():
        notes.append("tasks.py was left as it is: add `from hop_tasks.tasks import *` to have hop's tasks in invoke")
    else:
        texts["tasks.py"] = TASKS
    if before is not None and "setuptools" in before and "packages" not in before:
        notes.append("setuptools finds more than one folder now: name yours in [tool.setuptools] packages")
    texts = {path: text for path, text in texts.items() if path == SETTINGS_FILE or not (root / path).exists()}
    written: tuple[str, ...] = tuple(texts)
    ignored = _ignored(repository)
    commit = None
    try:
        for path, text in texts.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, "utf-8")
        project = Project.find(root, lock_wait=lock_wait)
        project.require_not_production("init")
        database = meant_database(project, url, reporter)
        with founding_database(project, database, verb="init", in_use=baseline, reporter=reporter) as created:
            if created:
                reporter.step(f"created the empty database {database.name}")
            written = (*written, *write_founding_release(project, database, version))
            if devel:
                notes += history_notes(database)
                # The tree was clean: what is gone was generated in an earlier form.
                gone = repository.git.lines("ls-files", "--deleted")
                commit = repository.commit_files((*written, *gone), f"Manage the database with hop, at {version}\n")
                begin_history(repository, database, commit, reporter, version)
    except BaseException:
        _undo(repository, commit, ignored)
        raise
    return Founded(project, database.shown, created, tuple(sorted(set(written))), commit, tuple(notes), version)


def _first_version(given: Version | str | None, *, devel: bool) -> Version:
    version = Version.parse(given) if isinstance(given, str) else given or ORIGIN_VERSION
    if given is not None and not devel:
        raise UsageError(
            f"--as {version} is for a project that tracks versions; nothing was changed",
            hint=f"hop init --baseline --as {version}",
        )
    return version


def _require_no_other_tool(root: Path) -> None:
    if find_half_orm_project(root) is not None:
        raise ProjectError(
            f"{root} is a project of half_orm's own tool, which adopt_project goes on with; nothing was changed",
            hint="hop init",
        )


def _require_no_release_tags(repository: Repository) -> None:
    released = repository.refs().released
    if released:
        raise StateError(
            f"the repository has tags that would be taken for releases of the database: "
            f"{', '.join(map(str, released[-3:]))}; nothing was changed",
            hint="rename them, for example to v1.2.3, or keep the database's project in a repository of its own",
        )


def _ignored(repository: Repository) -> set[str]:
    """The files that Git ignores."""
    return set(repository.git.read("ls-files", "-z", "--others", "--ignored", "--exclude-standard").out.split("\0"))


def _undo(repository: Repository, commit: str | None, ignored: set[str]) -> None:
    """The tree was clean: what is changed or untracked now, or ignored and new, was written here."""
    try:
        if commit is not None:
            repository.git.run("reset", "--quiet", "--keep", f"{commit}^")
        repository.git.run("reset", "--quiet")
        tracked = repository.git.lines("ls-files", "--modified")
        if tracked:
            repository.git.run("restore", "--", *tracked)
        for path in (*repository.changes(), *(_ignored(repository) - ignored)):
            (repository.root / path).unlink(missing_ok=True)
            _remove_empty(repository.root, Path(path).parent)
    except HopError as error:
        raise ProjectError(f"init could not be undone: {error.message}", hint="git status") from error


def _remove_empty(root: Path, folder: Path) -> None:
    while folder != Path() and not any((root / folder).iterdir()):
        (root / folder).rmdir()
        folder = folder.parent
