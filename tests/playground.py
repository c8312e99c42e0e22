"""A place where a test does what a person would do: run hop, invoke, git and SQL, and read what they print."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from tests.database.connecting import connect
from tests.warm import STOVE, WarmProcess

SCRIPTS = Path(sys.executable).parent
HOP = str(SCRIPTS / "hop")
TIMEOUT_SECONDS = 120
NO_SPARE = {"HOP_SPARE": "0"}
"""No test but those about spares has a process of hop outlive its command."""


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    command: str
    code: int
    out: str
    err: str

    def succeeds(self) -> Finished:
        assert self.code == 0, f"{self.command} ended with {self.code}\n{self.out}\n{self.err}"
        return self

    def fails(self, code: int, *words: str) -> Finished:
        """It failed with that exit code and one line on standard error that begins with `hop: ` and has the words."""
        assert self.code == code, f"{self.command} ended with {self.code}\n{self.out}\n{self.err}"
        lines = [line for line in self.err.splitlines() if line.startswith("hop: ")]
        assert len(lines) == 1, f"{self.command} said\n{self.err}"
        assert self.err.splitlines()[-1] == lines[0]
        assert "Traceback" not in self.err
        for word in words:
            assert word in lines[0], f"{word!r} is not in {lines[0]!r}"
        return self


@dataclass(frozen=True)
class Playground:
    """A folder, a database URL, and variables."""

    folder: Path
    url: str
    variables: Mapping[str, str] = field(default_factory=dict)
    cold: bool = False

    def inside(self, name: str) -> Playground:
        return replace(self, folder=self.folder / name)

    def with_variables(self, **variables: str) -> Playground:
        return replace(self, variables={**self.variables, **variables})

    def production(self, url: str | None = None) -> Playground:
        return replace(self, url=url or self.url).with_variables(HOP_PRODUCTION="1")

    def from_cold(self) -> Playground:
        """The same, where hop is always the script."""
        return replace(self, cold=True)

    @property
    def _may_be_warm(self) -> bool:
        return not self.cold and STOVE.suits(self.environment)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **NO_SPARE, "HOP_DATABASE_URL": self.url, **self.variables}

    def run(self, *command: str, stdin: str | None = None) -> Finished:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL if stdin is None else None,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        return Finished(" ".join(command), done.returncode, done.stdout, done.stderr)

    def hop(self, *arguments: str) -> Finished:
        """Run hop, without its start-up where that makes no difference (see `tests.warm`)."""
        if not self._may_be_warm:
            return self.run(HOP, *arguments)
        with STOVE.start([HOP, *arguments], self.folder, self.environment) as process:
            try:
                out, err = process.communicate(TIMEOUT_SECONDS)
            except BaseException:
                process.kill()
                raise
        return Finished(" ".join([HOP, *arguments]), process.wait(), out, err)

    def invoke(self, *arguments: str) -> Finished:
        return self.run(str(SCRIPTS / "invoke"), *arguments)

    def git(self, *arguments: str) -> str:
        return self.run("git", *arguments).succeeds().out.strip()

    def start(self, *command: str) -> subprocess.Popen[str] | WarmProcess:
        """A command that goes on running; HOP as its first word is started as by `hop`."""
        if command[0] == HOP and self._may_be_warm:
            return STOVE.start(command, self.folder, self.environment)
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def write(self, path: str, text: str | bytes) -> Path:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text if isinstance(text, bytes) else text.encode())
        return target

    def read(self, path: str) -> str:
        return (self.folder / path).read_text("utf-8")

    def commit(self, message: str = "work") -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def sql(self, statement: str, url: str | None = None) -> list[tuple[Any, ...]]:
        """The rows of a statement, which is committed."""
        # By its parts: SQLAlchemy 2.0 writes no percent signs into the name of a database.
        with closing(connect(make_url(url or self.url))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []

    def databases(self) -> set[str]:
        """The databases of the server that begin with the name of this one."""
        name = str(make_url(self.url).database)
        rows = self.sql(
            "SELECT datname FROM pg_database", make_url(self.url).set(database="postgres").render_as_string(False)
        )
        return {row[0] for row in rows if row[0].startswith(name)}

    def releases(self, url: str | None = None) -> list[str]:
        """The releases that the registry has, lowest first."""
        rows = self.sql(
            "SELECT concat_ws('.', major, minor, patch) FROM half_orm_meta.hop_release ORDER BY major, minor, patch",
            url,
        )
        return [row[0] for row in rows]

    def release(self, level: str, files: Mapping[str, str], *flags: str) -> str:
        """A whole release: prepared, written, applied, committed, released without tests of its own; its version."""
        self.hop("prepare", "--level", level, "-m", f"a {level} release").succeeds()
        version = self.git("branch", "--show-current").removeprefix("hop_")
        for name, text in files.items():
            self.write(f"Patches/{version.replace('.', '/')}/{name}", text)
        self.hop("apply").succeeds()
        self.commit(f"write {version}")
        self.with_variables(HOP_TESTS="none").hop("release", *flags).succeeds()
        return version

    def refs(self) -> str:
        """All branches and tags with their commits, and what is checked out."""
        return self.git("for-each-ref") + "\n" + (self.folder / ".git/HEAD").read_text()
