"""Git's own folder of a work tree, read without starting git, for those who look often."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hop_tasks.repository.git import GitRunner

BRANCH = "ref: refs/heads/"
NOT_IN_FILES = ".invalid"
"""What HEAD names in a repository that keeps its refs in a table (git 2.45 or newer, --ref-format=reftable)."""

AT_WORK = {
    "index.lock": "git is at work",
    "rebase-merge": "a rebase is under way",
    "rebase-apply": "a rebase is under way",
    "MERGE_HEAD": "a merge is under way",
    "CHERRY_PICK_HEAD": "a cherry-pick is under way",
}
"""What lies in the folder meanwhile."""


@dataclass(frozen=True)
class GitFolder:
    """The folder that has HEAD and the index of a work tree."""

    git: GitRunner
    path: Path

    @classmethod
    def of(cls, git: GitRunner) -> GitFolder:
        """The folder of the work tree that git runs in. Raises RepositoryError if there is none."""
        return cls(git, Path(git.lines("rev-parse", "--absolute-git-dir")[0]))

    def head(self) -> str:
        """The branch that is checked out, or the commit where HEAD is detached; empty if HEAD cannot be read."""
        try:
            text = (self.path / "HEAD").read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return ""
        if text == BRANCH + NOT_IN_FILES:
            text = self.git.ask("symbolic-ref", "--short", "--quiet", "HEAD") or self.git.ask("rev-parse", "HEAD") or ""
        return text.removeprefix(BRANCH)

    def at_work(self) -> str | None:
        """What git is in the middle of, when it is: the files are then on their way to another state."""
        return next((text for name, text in AT_WORK.items() if (self.path / name).exists()), None)
