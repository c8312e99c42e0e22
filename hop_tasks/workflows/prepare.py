"""Preparing a release: its branch, its folder of patch files, its manifest."""

from __future__ import annotations

from dataclasses import dataclass

from hop_tasks.checkpoints import checkpoint
from hop_tasks.errors import RepositoryError, StateError, UsageError
from hop_tasks.installed import hop_version
from hop_tasks.manifest import MANIFEST_NAME, Manifest
from hop_tasks.names import release_branch
from hop_tasks.project import Project
from hop_tasks.report import DEFAULT_REPORTER, Reporter
from hop_tasks.repository import Origin, Refs, Repository, branch_refspec, head_ref
from hop_tasks.versions import Level, Version


@dataclass(frozen=True)
class NextRelease:
    """The release that a level would lead to; `taken` is the one of that level in preparation, if there is one."""

    level: Level
    version: Version
    taken: Version | None


@dataclass(frozen=True)
class PreparedRelease:
    """A release that was prepared: its number, message, branch, base release, folder, and whether origin has it."""

    version: Version
    level: Level
    message: str
    branch: str
    base: Version
    folder: str
    pushed: bool


def next_releases(project: Project) -> tuple[NextRelease, ...]:
    """The release that each level would lead to, as far as is known here without asking origin."""
    refs = Repository.open(project.root).refs()
    return tuple(NextRelease(level, refs.last_released.bump(level), refs.prepared_at(level)) for level in Level)


def prepare_release(
    project: Project,
    level: Level | str,
    message: str | None = None,
    *,
    push: bool = False,
    reporter: Reporter = DEFAULT_REPORTER,
) -> PreparedRelease:
    """Prepare the next release of a level on a branch of its own, which is checked out at the end.

    Args:
        project: the project.
        level: patch, minor or major.
        message: what the release is about, one line; a plain text by default.
        push: also push the branch, which reserves the number at origin.
        reporter: told what is done.

    What an interrupted command has left of the same release is completed. Raises UsageError for an unknown level,
    RepositoryError for a dirty tree or an origin that refuses, StateError for a level or number that is taken. Nothing
    is changed then.
    """
    project.require_development("prepare")
    chosen = level if isinstance(level, Level) else Level.parse(level)
    repository = Repository.open(project.root)
    repository.require_branch("prepare")
    repository.require_clean("prepare")
    repository.require_identity()
    refs = repository.refs()
    main = project.settings.main_branch
    base_commit = refs.heads.get(main)
    if base_commit is None:
        raise RepositoryError(f"there is no branch {main}", hint=f"git switch {main}, or the setting main_branch")
    base = refs.last_released
    version = base.bump(chosen)
    branch = release_branch(version)
    origin = Origin.find(repository)
    if push and origin is None:
        raise RepositoryError("there is no origin to push to; nothing was changed", hint="git remote add origin URL")
    text = " ".join((message or f"Release {version}").split())
    if not text:
        raise UsageError("the message is empty", hint="hop prepare -l patch -m 'what the release is about'")
    subject = f"Prepare release {version}: {text}"
    begun = _begun(repository, refs.heads.get(branch) or refs.tracking.get(branch), branch, base_commit, subject)
    if begun is None:
        _require_free(refs, chosen, version, "here")
    there = None
    if origin is not None:
        there = _ask_origin(origin, main, base, chosen, must_answer=push, reporter=reporter)
    if there is not None:
        begun = begun or _begun(repository, there.heads.get(branch), branch, base_commit, subject)
        if begun is None or there.heads.get(branch, begun) != begun:
            _require_free(there, chosen, version, "at origin")
    manifest = Manifest(version=version, message=text, base=base, hop_version=hop_version())
    path = f"Patches/{version.folder}/{MANIFEST_NAME}"
    commit = begun or repository.write_commit(base_commit, {path: str(manifest).encode()}, f"{subject}\n")
    if push and origin is not None and there is not None and branch not in there.heads:
        checkpoint("prepare.before_push")
        origin.push([branch_refspec(commit, branch)], leases=[f"{branch}:"])
        checkpoint("prepare.after_push")
    checkpoint("prepare.before_refs")
    if branch not in refs.heads:
        repository.update_refs({head_ref(branch): (None, commit)}, f"prepare {version}")
    checkpoint("prepare.after_refs")
    try:
        repository.switch(branch)
    except RepositoryError:
        repository.update_refs({head_ref(branch): (commit, None)}, f"prepare {version} undone")
        raise
    checkpoint("prepare.after_switch")
    return PreparedRelease(version, chosen, text, branch, base, f"Patches/{version.folder}", push)


def _begun(repository: Repository, commit: str | None, branch: str, base: str, subject: str) -> str | None:
    """The commit of a branch if the same person prepared it with the same words, in a command that was interrupted.

    It is untouched, made here, on the same base, and not checked out. None for any other branch.
    """
    if commit is None or repository.head().branch == branch or repository.resolve(commit) is None:
        return None
    return commit if repository.is_own_commit(commit, parent=base, subject=subject) else None


def _require_free(refs: Refs, level: Level, version: Version, where: str) -> None:
    branch = release_branch(version)
    taken = refs.prepared_at(level)
    if version in refs.released:
        raise StateError(f"release {version} is already tagged {where}; nothing was changed", hint="git fetch origin")
    if taken is not None:
        raise StateError(
            f"a {level} release is already in preparation {where}: {taken}; nothing was changed",
            hint=f"git switch {release_branch(taken)}, or prepare another level",
        )
    if branch in refs.heads:
        raise StateError(f"branch {branch} already exists {where}; nothing was changed", hint=f"git switch {branch}")


def _ask_origin(
    origin: Origin, main: str, base: Version, level: Level, *, must_answer: bool, reporter: Reporter
) -> Refs | None:
    """What origin has; None if it does not answer and need not."""
    try:
        there = origin.look()
    except RepositoryError as error:
        if must_answer:
            raise
        reporter.warn(f"{error.message}; whether the {level} release is taken there is not known")
        return None
    if there.last_released > base:
        raise StateError(
            f"origin has release {there.last_released}, which is not here yet; nothing was changed",
            hint=f"git switch {main}; git pull --tags origin {main}; hop prepare --level={level}",
        )
    return there
