"""The only file that imports GitPython: running git in a folder, never at a prompt.

What changes a repository goes through GitPython. What only reads it does not, since GitPython takes longer to import
than git takes for all that a short command wants to know.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hop_tasks.errors import RepositoryError

if TYPE_CHECKING:
    from git import Git

CREDENTIALS = re.compile(r"://[^/\s@]+@")
"""User and password in a remote's URL, which git repeats in its messages."""


@dataclass(frozen=True)
class GitResult:
    """What a git command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def reason(self) -> str:
        """The line of the error output that says why: git's own `fatal:`, `error:` or rejection, else the last one."""
        lines = [line.strip() for line in (self.err or self.out).splitlines() if line.strip()]
        telling = [line for line in lines if line.startswith(("fatal:", "error:", "!", "CONFLICT", "remote: error"))]
        return CREDENTIALS.sub("://", (telling or lines or [f"git ended with code {self.code}"])[0])


@dataclass(frozen=True)
class GitRunner:
    """Runs git in one folder."""

    folder: Path

    def run(
        self,
        *arguments: str,
        stdin: bytes | None = None,
        check: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> GitResult:
        """Run a git command to its end. Raises RepositoryError for a failure, unless `check` is False."""
        git = self._git()
        options: dict[str, Any] = {
            "with_extended_output": True,
            "with_exceptions": False,
            "strip_newline_in_stdout": False,
            "env": {**quiet_environment(), **(environment or {})},
        }
        try:
            if stdin is None:
                code, out, err = git.execute(["git", *arguments], **options)
            else:
                import tempfile

                with tempfile.TemporaryFile() as file:
                    file.write(stdin)
                    file.seek(0)
                    code, out, err = git.execute(["git", *arguments], istream=file, **options)
        except OSError as error:
            raise self._not_run(error) from error
        result = GitResult(int(code), str(out), str(err))
        return self.checked(result, arguments) if check else result

    def read(self, *arguments: str, check: bool = True) -> GitResult:
        """The same for a git command that changes nothing; it takes no lock of Git's."""
        with self.start(*arguments) as running:
            return running.result(check=check)

    def start(self, *arguments: str) -> RunningGit:
        """Begin a git command that changes nothing, which goes on while others do; for a `with` statement."""
        return RunningGit(self, arguments, self._begin(arguments, subprocess.DEVNULL))

    def lines(self, *arguments: str) -> list[str]:
        """The lines that a git command prints which changes nothing."""
        return self.read(*arguments).out.splitlines()

    def ask(self, *arguments: str) -> str | None:
        """What a git command prints which changes nothing, less white space at the ends; None if it fails."""
        result = self.read(*arguments, check=False)
        return None if result.code else result.out.strip()

    def process(self, arguments: Sequence[str]) -> Any:
        """A git command that changes nothing and is asked again and again, with pipes for input, output and errors."""
        return self._begin(arguments, subprocess.PIPE)

    def checked(self, result: GitResult, arguments: Sequence[str]) -> GitResult:
        """The result of a git command. Raises RepositoryError if it failed."""
        if result.code:
            raise RepositoryError(f"git {arguments[0]} failed in {self.folder}: {result.reason}")
        return result

    def _begin(self, arguments: Sequence[str], stdin: int) -> subprocess.Popen[bytes]:
        environment = {**os.environ, **quiet_environment(), "LANGUAGE": "C", "GIT_OPTIONAL_LOCKS": "0"}
        pipe = subprocess.PIPE
        try:
            return subprocess.Popen(
                ["git", *arguments], cwd=self.folder, env=environment, stdin=stdin, stdout=pipe, stderr=pipe
            )
        except OSError as error:
            raise self._not_run(error) from error

    def _not_run(self, error: OSError) -> RepositoryError:
        return RepositoryError(f"git cannot be run in {self.folder}: {error}", hint="install git 2.28 or newer")

    def _git(self) -> Git:
        try:
            # Imported here, since it takes longer than the rest of the start-up, and fails where there is no git.
            from git import Git
        except ImportError as error:
            why = str(error).splitlines()[0]
            raise RepositoryError(f"git cannot be run: {why}", hint="install git 2.28 or newer") from error
        return Git(self.folder)


class RunningGit:
    """A git command that was begun. It is killed if the body of the `with` statement fails before it has ended."""

    def __init__(self, runner: GitRunner, arguments: Sequence[str], process: subprocess.Popen[bytes]) -> None:
        self._runner = runner
        self._arguments = arguments
        self._process = process

    def __enter__(self) -> RunningGit:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self._process.kill()
        self._process.communicate()

    def result(self, *, check: bool = True) -> GitResult:
        """What it printed, once it has ended. Raises RepositoryError for a failure, unless `check` is False."""
        out, err = (output.decode("utf-8", "surrogateescape") for output in self._process.communicate())
        result = GitResult(self._process.returncode, out, err)
        return self._runner.checked(result, self._arguments) if check else result


def quiet_environment() -> dict[str, str]:
    """Variables that keep git from asking anything where nobody can answer, from editors, and from translating."""
    variables = {"LC_ALL": "C", "GIT_EDITOR": "true", "GIT_SEQUENCE_EDITOR": "true", "GIT_MERGE_AUTOEDIT": "no"}
    if not sys.stdin or not sys.stdin.isatty():
        variables["GIT_TERMINAL_PROMPT"] = "0"
        variables["GIT_SSH_COMMAND"] = os.environ.get("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
    return variables
