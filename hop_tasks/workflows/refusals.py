"""Why a deployment is refused: what the registry of a database says against what this repository knows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from hop_tasks.errors import (
    AheadError,
    MovedTagError,
    RepositoryError,
    SkippedError,
    StateError,
    StrayTagError,
    UnknownReleaseError,
)
from hop_tasks.registry import RegistryState
from hop_tasks.repository import Repository, adopted_release, deployment_refspec
from hop_tasks.versions import Version
from hop_tasks.workflows.bases import require_same_project


@dataclass(frozen=True)
class KnownReleases:
    """What a repository knows of releases.

    Attributes:
        repository: the repository.
        main: the name of the main branch.
        commits: released version -> the commit of its tag, lowest first.
        tips: the commits of the main branch, here and as last seen at origin; none if that branch is not here.
        adopted: the release of another tool at which hop took the project over; None for a project of hop's own.
    """

    repository: Repository
    main: str
    commits: Mapping[Version, str]
    tips: frozenset[str]
    adopted: Version | None = None

    @classmethod
    def read(cls, repository: Repository, main: str) -> KnownReleases:
        """The releases of a repository, by its tags and by its main branch here and as last seen at origin."""
        refs = repository.refs()
        tips = frozenset(commit for commit in (refs.tracking.get(main), refs.heads.get(main)) if commit)
        commits = {version: refs.tags[str(version)] for version in refs.released}
        return cls(repository, main, commits, tips, adopted_release(repository, refs))

    @cached_property
    def on_main(self) -> frozenset[Version] | None:
        """The versions in the history of the main branch; None if that branch is not here."""
        # Git walks the whole history for that, which nobody needs where nothing is missing.
        merged = frozenset(version for tip in self.tips for version in self.repository.releases_in(tip))
        return merged if self.tips else None

    def between(self, low: Version, high: Version | None) -> tuple[Version, ...]:
        """The versions that have a tag, above the one and up to the other, lowest first."""
        return tuple(version for version in self.commits if low < version and (high is None or version <= high))

    def refusal(self, error: StateError) -> StateError | RepositoryError:
        """The error; or, in a clone that lacks a part of the history, what to fetch before that can be told."""
        if not self.repository.is_shallow():
            return error
        return RepositoryError(
            f"this clone is shallow and lacks what the upgrade needs: {error.message}",
            hint=f"git fetch --unshallow --tags origin {deployment_refspec(self.main)}",
        )


def require_known_release(known: KnownReleases, database: str, at: Version) -> None:
    """Raises AheadError or UnknownReleaseError for a database that is at a release which is not known here."""
    if at in known.commits:
        return
    newest = max(known.commits, default=None)
    if newest is not None and newest < at:
        raise known.refusal(
            AheadError(
                f"database {database} is at {at}, ahead of this repository, whose newest release is {newest}; "
                "nothing was changed",
                hint="git fetch --tags origin, or deploy the newer code",
            )
        )
    raise known.refusal(
        UnknownReleaseError(
            f"database {database} is at {at}, which this repository does not know; nothing was changed",
            hint="git fetch --tags origin; or check HOP_DATABASE_URL",
        )
    )


def require_since_adoption(known: KnownReleases, database: str, version: Version) -> None:
    """Raises StateError for a release from before hop took the project over, which hop neither builds nor deploys."""
    if known.adopted is None or version >= known.adopted:
        return
    raise StateError(
        f"release {version} is from before {known.adopted}, at which hop took the project over from half_orm's tool: "
        f"that tool brings database {database} to {known.adopted}; nothing was changed",
        hint=f"in this clone, with half-orm 0.13: git switch -C {known.main} {known.adopted} && hop upgrade; then with "
        f"hop-tasks: git pull --ff-only origin {known.main} && hop upgrade --baseline {known.adopted}",
    )


def require_tags_unmoved(
    known: KnownReleases, database: str, state: RegistryState, applied: Mapping[Version, str | None]
) -> None:
    """Raises MovedTagError if a release that the database has was applied from another commit than its tag's here.

    Raises StateError if none of them is this repository's. A release without a commit is none of hop's own.
    """
    own = {version: commit for version, commit in applied.items() if commit and version in known.commits}
    moved = {version: commit for version, commit in own.items() if commit != known.commits[version]}
    if not moved:
        return
    if len(moved) == len(own) and not any(known.repository.resolve(commit) for commit in moved.values()):
        require_same_project(known.repository, database, state)
    version = max(moved)
    raise MovedTagError(
        f"tag {version} is commit {known.commits[version][:12]} here, but database {database} had {version} from "
        f"commit {moved[version][:12]}: the tag was moved after it was applied; nothing was changed",
        hint=f"git ls-remote origin 'refs/tags/{version}*', and find out who moved it and why; if it was moved here "
        "only: git fetch --tags --force origin",
    )


def require_none_skipped(known: KnownReleases, database: str, versions: Collection[Version]) -> None:
    """Raises SkippedError if there is a release between the oldest and the newest of a database that it never had."""
    if not versions:
        return
    low, high = min(versions), max(versions)
    lacking = [version for version in known.commits if low < version < high and version not in versions]
    if lacking and known.on_main is not None:
        # A tag that was never released is nobody's to have.
        lacking = [version for version in lacking if version in known.on_main]
    if lacking:
        raise SkippedError(
            f"database {database} is at {high} and never had {', '.join(map(str, lacking))}: "
            f"{'it was' if len(lacking) == 1 else 'they were'} skipped; nothing was changed",
            hint=f"git show {lacking[0]}, and find out who released it, and how the database came to {high}",
        )


def require_released(known: KnownReleases, versions: Sequence[Version]) -> None:
    """Raises StrayTagError for a tag that is not in the history of the main branch: nobody released it."""
    if not versions:
        return
    if known.on_main is None:
        raise RepositoryError(
            f"there is no branch {known.main} here, so that nobody can tell whether {versions[0]} was released; "
            "nothing was changed",
            hint=f"git fetch --tags origin {deployment_refspec(known.main)}; the setting main_branch names it",
        )
    stray = [version for version in versions if version not in known.on_main]
    if stray:
        raise known.refusal(
            StrayTagError(
                f"tag {stray[0]} is not in the history of {known.main}: it is no release; nothing was changed",
                hint=f"git log --oneline {known.main}..{stray[0]}, and find out who made the tag",
            )
        )


def require_successor(
    known: KnownReleases, database: str, previous: Version, version: Version, base: Version | None
) -> None:
    """Raises SkippedError if a release was made on top of another one than the database has before it."""
    if base == previous:
        return
    raise known.refusal(
        SkippedError(
            f"release {version} was made on top of {base}, but comes after {previous} in database {database}: a "
            "release would be skipped; nothing was changed",
            hint=f"git fetch --tags origin, since there may be a tag missing; git log --oneline {previous}..{version}",
        )
    )
