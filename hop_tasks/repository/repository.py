"""The Git repository of a project: its state, its releases, and the changes that hop makes to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hop_tasks.errors import RepositoryError
from hop_tasks.repository.git import GitRunner
from hop_tasks.repository.objects import write_commit, write_tag
from hop_tasks.repository.rebasing import Reconcile, settle_conflicts
from hop_tasks.repository.refs import HEADS, TAGS, Refs
from hop_tasks.repository.switching import put_back
from hop_tasks.repository.work_tree import WORK_TREE, Head, WorkTree
from hop_tasks.versions import Version, in_order

TOP = ("rev-parse", "--show-toplevel")
"""The command that says where a work tree begins."""

REFS = ("show-ref", "--head", "--dereference")
"""The command that lists HEAD and all refs as `Refs.of_listing` takes it; it fails where there are none."""


@dataclass(frozen=True)
class Repository:
    """A Git repository with a work tree, rooted where the project is."""

    root: Path
    git: GitRunner

    @classmethod
    def open(cls, root: Path) -> Repository:
        """The repository whose work tree begins at `root`. Raises RepositoryError if there is none."""
        git = GitRunner(root)
        return cls.at_top(git, git.ask(*TOP))

    @classmethod
    def at_top(cls, git: GitRunner, top: str | None) -> Repository:
        """The repository in the folder of `git`, if `top`, what the command TOP says, is that folder."""
        root = git.folder
        if top is None:
            raise RepositoryError(f"{root} is not a Git repository", hint="git init, or a clone of the project")
        if Path(top).resolve() != root.resolve():
            raise RepositoryError(f"{root} is not the top of its Git repository, which is {top}", hint=f"cd {top}")
        return cls(root, git)

    @classmethod
    def create(cls, root: Path, branch: str) -> Repository:
        """A new repository in an existing folder, on a branch without commits."""
        git = GitRunner(root)
        git.run("init", "--quiet", f"--initial-branch={branch}")
        return cls(root, git)

    def head(self) -> Head:
        """What is checked out."""
        found = self.git.ask("rev-parse", "HEAD^{commit}", "--symbolic-full-name", "HEAD")
        if found is None:
            # Before the first commit.
            return Head(self.git.ask("symbolic-ref", "--short", "--quiet", "HEAD"), None)
        commit, name = found.split("\n")
        return Head(name.removeprefix(HEADS) if name.startswith(HEADS) else None, commit)

    def resolve(self, name: str) -> str | None:
        """The commit of a branch, tag or other name of git's, or None."""
        return self.git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")

    def releases_in(self, commit: str) -> tuple[Version, ...]:
        """The released versions in the history of a commit, lowest first."""
        tags = self.git.lines("for-each-ref", f"--merged={commit}", "--format=%(refname:strip=2)", "refs/tags")
        return in_order(version for tag in tags if (version := Version.find(tag)))

    def author(self, commit: str) -> str:
        """The author of a commit: name and e-mail."""
        return self.git.read("log", "-1", "--format=%an <%ae>", commit).out.strip()

    def is_own_commit(self, commit: str, *, parent: str, subject: str) -> bool:
        """Whether a commit has this one parent and this subject, and was made by whoever commits here now."""
        committer = self.git.read("var", "GIT_COMMITTER_IDENT").out.rpartition(">")[0] + ">"
        told = self.git.read("log", "-1", "--format=%P%n%s%n%cn <%ce>", "--end-of-options", commit).out.splitlines()
        return told == [parent, subject, committer]

    def changes(self) -> tuple[str, ...]:
        """The paths that are changed, staged or untracked; none of them when the tree is clean. Writes nothing."""
        return self.work_tree().changes

    def work_tree(self) -> WorkTree:
        """What is checked out and what is changed in it, in one go. Writes nothing."""
        return WorkTree.parse(self.git.read(*WORK_TREE).out)

    def refs(self) -> Refs:
        """All branches and tags."""
        return Refs.of_listing(self.git.read(*REFS, check=False).out)

    def tag_object(self, name: str) -> str | None:
        """The id of the tag itself, not of its commit."""
        return self.git.ask("rev-parse", "--verify", "--quiet", f"{TAGS}{name}")

    def is_shallow(self) -> bool:
        """Whether commits before some are missing here, as in a clone made with --depth."""
        return self.git.ask("rev-parse", "--is-shallow-repository") == "true"

    def is_ancestor(self, ancestor: str, of: str) -> bool:
        """Whether one commit is in the history of another."""
        return self.git.read("merge-base", "--is-ancestor", ancestor, of, check=False).code == 0

    def require_identity(self) -> None:
        """Raises RepositoryError if Git does not know whose commits it would make."""
        if self.git.ask("var", "GIT_COMMITTER_IDENT") is None or self.git.ask("var", "GIT_AUTHOR_IDENT") is None:
            raise RepositoryError(
                "Git does not know who you are; nothing was changed",
                hint="git config --global user.name 'Ann Author'; git config --global user.email ann@example.com",
            )

    def require_clean(self, verb: str, *, hint: str = "git commit, or git stash -u") -> None:
        """Raises RepositoryError that names the files if the tree is dirty."""
        changed = self.changes()
        if changed:
            listed = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
            raise RepositoryError(f"the work tree is not clean ({listed}); {verb} changed nothing", hint=hint)

    def require_branch(self, verb: str) -> str:
        """The branch that is checked out. Raises RepositoryError on a detached HEAD or in the middle of a rebase."""
        branch = self.head().branch
        if branch is None:
            rebasing = (self.root / self.git.lines("rev-parse", "--git-path", "rebase-merge")[0]).exists()
            raise RepositoryError(
                f"HEAD is detached{', in the middle of a rebase' if rebasing else ''}; {verb} needs a branch and "
                "changed nothing",
                hint="git rebase --abort" if rebasing else "git switch BRANCH",
            )
        return branch

    def require_not_elsewhere(self, branch: str) -> None:
        """Raises RepositoryError if another work tree has the branch checked out, which would move under it."""
        here = str(self.root.resolve())
        for entry in self.git.read("worktree", "list", "--porcelain").out.split("\n\n"):
            lines = entry.splitlines()
            if f"branch {head_ref(branch)}" in lines and lines[0].removeprefix("worktree ") != here:
                raise RepositoryError(
                    f"branch {branch} is checked out in {lines[0].removeprefix('worktree ')}; nothing was changed",
                    hint="git switch --detach there, or git worktree remove it",
                )

    def commit_files(self, paths: Sequence[str], message: str) -> str:
        """Commit some files of the work tree and nothing else; the new commit."""
        self.git.run("add", "--force", "--", *paths)
        self.git.run("commit", "--quiet", "--no-verify", "-F", "-", "--", *paths, stdin=message.encode())
        return str(self.resolve("HEAD"))

    def write_commit(self, parent: str, files: Mapping[str, bytes | None], message: str) -> str:
        """A commit on top of `parent` with some files added or changed, or removed where there is None.

        No ref, index or work tree is touched.
        """
        return write_commit(self.git, parent, files, message)

    def write_tag(self, name: str, commit: str, message: str) -> str:
        """An annotated tag object that no ref names yet."""
        return write_tag(self.git, name, commit, message)

    def update_refs(self, changes: Mapping[str, tuple[str | None, str | None]], reason: str) -> None:
        """Change refs in one transaction: full name -> (expected, new); None is a ref that is not there.

        Raises RepositoryError, with nothing changed, if one of them is not as expected.
        """
        lines = []
        for name, (expected, new) in changes.items():
            if new is None:
                lines.append(f"delete {name} {expected}")
            elif expected is None:
                lines.append(f"create {name} {new}")
            else:
                lines.append(f"update {name} {new} {expected}")
        text = "\n".join(["start", *lines, "prepare", "commit", ""])
        self.git.run("update-ref", "-m", f"hop: {reason}", "--stdin", stdin=text.encode())

    def switch(self, branch: str) -> None:
        """Check a branch out; changes in the tree that are in its way make it fail, with nothing changed.

        A hook that fails after the branch has been checked out does not count.
        """
        changed = self.changes()
        result = self.git.run("switch", "--quiet", "--no-guess", branch, check=False)
        if result.code and self.head().branch != branch:
            put_back(self.git, self.root, head="HEAD", to=branch, changed_before=changed)
            raise RepositoryError(f"branch {branch} cannot be checked out: {result.reason}", hint="git status")

    def fast_forward(self, commit: str) -> None:
        """Bring the branch that is checked out, and its work tree, forward to a commit of its future."""
        changed = self.changes()
        try:
            self.git.run("merge", "--quiet", "--ff-only", commit)
        except RepositoryError:
            put_back(self.git, self.root, head="HEAD", to=commit, changed_before=changed)
            raise

    def rebase(self, onto: str, *, generated: Sequence[str] = (), reconcile: Reconcile | None = None) -> None:
        """Rebase the branch that is checked out. A conflict is undone and raises RepositoryError with the files.

        Args:
            onto: a branch or commit.
            generated: paths of files that are made anew anyway: the branch's side is taken, without a conflict.
            reconcile: what can be done with a conflict that this leaves.
        """
        import tempfile

        before = self.head()
        state = self.root / self.git.lines("rev-parse", "--git-path", "rebase-merge")[0]
        was_there = state.exists()
        with tempfile.NamedTemporaryFile("w", prefix="hop-attributes-", encoding="utf-8") as attributes:
            attributes.writelines(f"{_quoted(path)} merge=hop-generated\n" for path in generated)
            attributes.flush()
            options = [
                "-c",
                "rebase.updateRefs=false",
                "-c",
                f"core.attributesFile={attributes.name}",
                "-c",
                "merge.hop-generated.driver=cp -f %B %A",
            ]
            result = self.git.run(*options, "rebase", "--quiet", "--no-autostash", onto, check=False)
            while result.code and reconcile and settle_conflicts(self.git, self.root, reconcile):
                result = self.git.run(*options, "rebase", "--continue", check=False)
        if result.code == 0:
            return
        conflicts = self.git.read("diff", "--name-only", "--diff-filter=U", "-z", check=False).out.split("\0")
        aborted = self.git.run("rebase", "--abort", check=False)
        if aborted.code and not was_there:
            self._abort_rebase(before, onto, state)
        put_back(self.git, self.root, head="HEAD", to=onto, changed_before=())
        if self.head() != before or self.changes():
            raise RepositoryError(
                f"branch {before.branch} cannot be rebased on {onto}: {result.reason}; nor could the rebase be undone: "
                f"{aborted.reason}",
                hint=f"git status; git switch --force {before.branch}, once that works",
            )
        files = ", ".join(path for path in conflicts if path)
        why = f"conflicts in {files}" if files else result.reason
        raise RepositoryError(
            f"branch {before.branch} cannot be rebased on {onto}: {why}; the rebase was undone, nothing was changed",
            hint=f"git rebase {onto}, resolve the conflicts, and try again" if files else f"git rebase {onto}",
        )

    def _abort_rebase(self, before: Head, onto: str, state: Path) -> None:
        """What `git rebase --abort` does, where Git could not write enough for that; the work tree was clean before."""
        import shutil

        shutil.rmtree(state, ignore_errors=True)
        put_back(self.git, self.root, head=str(before.commit), to=onto, changed_before=())
        if self.head().branch is None:
            self.git.run("symbolic-ref", "HEAD", head_ref(str(before.branch)), check=False)
        self.git.run("reset", "--quiet", "--hard", str(before.commit), check=False)

    def reset_keep(self, commit: str) -> None:
        """Put the branch that is checked out back to a commit; local changes stay, or make it fail."""
        self.git.run("reset", "--quiet", "--keep", commit)


def head_ref(branch: str) -> str:
    """The full name of a branch."""
    return HEADS + branch


def tag_ref(tag: str) -> str:
    """The full name of a tag."""
    return TAGS + tag


def _quoted(path: str) -> str:
    """A path as a pattern of gitattributes: from the root, in C's quotes, with nothing in it special."""
    escaped = "".join(f"\\{character}" if character in "*?[]\\" else character for character in f"/{path}")
    return '"' + escaped.replace("\\", "\\\\").replace('"', '\\"') + '"'
