"""The repository's origin: what is there, fetching from it, pushing to it. Its URL is neither stored nor shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hop_tasks.errors import MovedTagError, RepositoryError
from hop_tasks.repository.git import GitResult
from hop_tasks.repository.refs import HEADS, ORIGIN, TRACKING, Refs
from hop_tasks.repository.repository import Repository

KEEP_TAGS = ("-c", "fetch.pruneTags=false", "-c", f"remote.{ORIGIN}.pruneTags=false")
"""A release that is not pushed yet has a tag that origin lacks."""

FETCH_HINT = "see whether git fetch origin works; where it is not needed, give --no-fetch"


@dataclass(frozen=True)
class Origin:
    """The remote called origin."""

    repository: Repository

    @classmethod
    def find(cls, repository: Repository) -> Origin | None:
        """The origin of a repository, or None."""
        return cls(repository) if repository.git.ask("config", "--get", f"remote.{ORIGIN}.url") else None

    def look(self) -> Refs:
        """Its branches and tags as they are there now. Raises RepositoryError if it does not answer."""
        result = self.repository.git.read("ls-remote", "--quiet", ORIGIN, check=False)
        if result.code:
            raise RepositoryError(f"origin does not answer: {result.reason}", hint="git ls-remote origin")
        return Refs.of_listing(result.out)

    def fetch(self) -> None:
        """Fetch its branches and tags.

        Raises RepositoryError if it does not answer, MovedTagError if a tag was moved there.
        """
        self._require_fetched(self.repository.git.run(*KEEP_TAGS, "fetch", "--prune", "--tags", ORIGIN, check=False))

    def fetch_releases(self, main: str) -> None:
        """Fetch what a deployment needs, in whatever kind of clone: all tags, and the main branch with its history.

        Raises RepositoryError if it does not answer or has no such branch, MovedTagError if a tag was moved there.
        """
        deeper = ["--unshallow"] if self.repository.is_shallow() else []
        result = self.repository.git.run(
            *(*KEEP_TAGS, "fetch", "--no-prune", "--no-recurse-submodules", "--tags"),
            *(*deeper, ORIGIN, deployment_refspec(main)),
            check=False,
        )
        if result.code and f"couldn't find remote ref {HEADS}{main}" in result.err:
            raise RepositoryError(
                f"origin has no branch {main}; nothing was changed",
                hint="git ls-remote --heads origin; the setting main_branch names it",
            )
        self._require_fetched(result)

    def _require_fetched(self, result: GitResult) -> None:
        if result.code == 0:
            return
        if "would clobber existing tag" not in result.err:
            raise RepositoryError(f"origin does not answer: {result.reason}", hint=FETCH_HINT)
        # A tag that was checked out by its commit alone, as CI does it, is another object of the same commit.
        require_same_tags(self.repository.refs(), self.look())

    def push(self, refspecs: Sequence[str], *, leases: Sequence[str] = ()) -> None:
        """Push all refspecs or none. Raises RepositoryError if origin refuses one of them.

        Args:
            refspecs: as git writes them, such as `<commit>:refs/heads/hop_main`.
            leases: `<ref>:<expected commit>` that must hold on origin, an empty commit for a ref that is not there.
        """
        options = [f"--force-with-lease={lease}" for lease in leases]
        result = self.repository.git.run("push", "--quiet", "--atomic", *options, ORIGIN, *refspecs, check=False)
        if result.code:
            lines = [line.strip() for line in result.err.splitlines()]
            rejected = [line for line in lines if line.startswith("!") and "atomic push fail" not in line.lower()]
            said = [line.removeprefix("remote:").strip() for line in lines if line.startswith("remote:")]
            reason = "; ".join([*(line.lstrip("! ") for line in rejected[:1]), *said[:2]]) or result.reason
            raise RepositoryError(f"origin refused the push: {reason}", hint="git fetch origin, then try again")


def branch_refspec(commit: str, branch: str) -> str:
    """The refspec that pushes a commit to a branch."""
    return f"{commit}:{HEADS}{branch}"


def deployment_refspec(main: str) -> str:
    """The refspec that fetches the main branch to where origin's branches are kept, in whatever kind of clone."""
    return f"+{HEADS}{main}:{TRACKING}{main}"


def require_same_tags(here: Refs, there: Refs) -> None:
    """Raises MovedTagError if both places have a tag of a release at different commits."""
    for version in there.released:
        tag = str(version)
        if here.tags.get(tag, there.tags[tag]) != there.tags[tag]:
            raise MovedTagError(
                f"tag {tag} of origin is not the one here: a released tag was moved; nothing was changed",
                hint=f"git ls-remote origin 'refs/tags/{tag}*', and find out who moved it and why",
            )
