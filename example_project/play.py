"""Plays the whole life of a project: from an existing database to production, on an embedded server.

`python3 example_project/play.py` needs Python 3.10 and Git and nothing else. It makes `.venv` beside this folder, plays
in `.play`, and leaves everything there for a person to go on. `--folder` plays elsewhere; `--stop` stops the server.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent
ROOT = EXAMPLE.parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
MARK = ".played-by-hop"
LAST_BEFORE_PRODUCTION = "0.0.2"


def main() -> None:
    arguments = parse_arguments()
    if Path(sys.prefix).resolve() != ENVIRONMENT:
        make_environment()
        os.execv(PYTHON, [str(PYTHON), str(Path(__file__).resolve()), *sys.argv[1:]])
    play = Play(arguments.folder.resolve())
    if arguments.stop:
        play.stop()
        return
    started = time.monotonic()
    play.begin()
    play.take_over()
    versions = sorted((EXAMPLE / "releases").iterdir(), key=lambda path: tuple(map(int, path.name.split("."))))
    for release in versions:
        play.release(release)
        if release.name == LAST_BEFORE_PRODUCTION:
            play.go_to_production()
    play.follow_up()
    play.end(time.monotonic() - started)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--folder", type=Path, default=ROOT / ".play", help="where to play (default: .play)")
    parser.add_argument("--stop", action="store_true", help="stop the server of the last play")
    return parser.parse_args()


def make_environment() -> None:
    """The virtual environment, with hop, the embedded server and all that the tests need."""
    if sys.version_info < (3, 10):  # noqa: UP036 -- the one file that any Python may be asked to run
        sys.exit("Python 3.10 or newer is needed; this is " + sys.version.split()[0])
    if not shutil.which("git"):
        sys.exit("git is needed, and there is none on the PATH")
    done = ENVIRONMENT / MARK
    if done.exists() and done.stat().st_mtime > (ROOT / "pyproject.toml").stat().st_mtime:
        return
    print(f"setting up {ENVIRONMENT} (once, about a minute)", flush=True)
    pip = [str(PYTHON), "-m", "pip"]
    if subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=False, capture_output=True).returncode:
        # Debian's Python comes without ensurepip: the system's own pip can install into the environment.
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(ENVIRONMENT)], check=True)
        pip = [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    options = ["install", "--quiet", "--disable-pip-version-check", "-e", f"{ROOT}[dev]"]
    environment = {**os.environ, "PIP_ROOT_USER_ACTION": "ignore"}
    if subprocess.run([*pip, *options], check=False, env=environment).returncode:
        sys.exit("the packages could not be installed; see above")
    done.touch()


class Play:
    """The folder of a play, and what a person types in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project = folder / "workshop"
        self.production = folder / "production"
        self.origin = folder / "origin.git"
        self.server_data = folder / "server" / "pgdata"
        self.environment = {key: value for key, value in os.environ.items() if not is_local(key)}
        self.environment["PATH"] = f"{PYTHON.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        self.environment["PYTHONDONTWRITEBYTECODE"] = "1"

    def begin(self) -> None:
        """An existing database: here with an embedded server, elsewhere with any."""
        from hop_tasks import LoggingReporter
        from hop_tasks.database import embedded

        self.remove_last()
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / MARK).touch()
        title("There is a database, with rows in it, and nothing else")
        server = embedded.start(self.server_data, LoggingReporter())
        self.url = plain(server.url("workshop"))
        self.production_url = plain(server.url("workshop_production"))
        psql = [str(embedded.binaries() / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1"]
        maintenance = plain(server.url("postgres"))
        encoding = "TEMPLATE template0 ENCODING 'UTF8'"
        self.quietly(*psql, "-c", f"CREATE DATABASE workshop {encoding}", maintenance)
        self.shown("psql -f database.sql workshop", *psql, "-1", "-f", str(EXAMPLE / "database.sql"), self.url)
        self.quietly(*psql, "-c", "CREATE DATABASE workshop_production TEMPLATE workshop", maintenance)
        counts = "SELECT count(*) AS tables, sum(n_live_tup) AS rows FROM pg_stat_user_tables"
        self.quietly(*psql, "-c", "ANALYZE", self.url)
        self.shown(f'psql -c "{counts}" workshop', *psql, "-c", counts, self.url)
        print("  a copy of it, workshop_production, is what the shop works with")
        self.psql = psql
        self.identify()

    def take_over(self) -> None:
        title("hop makes a project of it")
        self.type("hop", "new", "workshop", "--devel", "--url", self.url, at=self.folder)
        if "GIT_AUTHOR_NAME" in self.environment:
            self.type("git", "config", "user.name", self.environment["GIT_AUTHOR_NAME"])
            self.type("git", "config", "user.email", self.environment["GIT_AUTHOR_EMAIL"])
        self.copy(EXAMPLE / "tasks.py", "tasks.py")
        for folder in ("pre", "post"):
            for file in (EXAMPLE / folder).glob("*.sql"):
                self.copy(file, f"Patches/{folder}/{file.name}")
        for name in ("conftest.py", "test_base.py"):
            self.copy(EXAMPLE / "tests" / name, f"tests/{name}")
        settings = self.project / "pyproject.toml"
        settings.write_text(settings.read_text() + 'tests = "pytest -q --no-header"\n')
        self.quietly("git", "init", "--quiet", "--bare", "--initial-branch=hop_main", str(self.origin))
        self.type("git", "remote", "add", "origin", "../origin.git")
        self.commit("Add tasks, tests and what runs around every release")
        self.type("git", "push", "--quiet", "-u", "origin", "hop_main", "0.0.0")

    def release(self, release: Path) -> None:
        version = release.name
        message = (release / "message.txt").read_text().strip()
        title(f"Release {version}: {message}")
        self.type("hop", "prepare", "--level", level_of(version), "-m", message)
        patches = f"Patches/{version.replace('.', '/')}"
        if version == "0.0.1":
            self.try_wrong_patch(patches)
        for file in sorted(release.iterdir()):
            if file.name != "message.txt":
                self.copy(file, f"{patches}/{file.name}")
        print(f"  (the patch files are copied to {patches})")
        test = EXAMPLE / "tests" / f"test_{version.replace('.', '_')}.py"
        self.copy(test, f"tests/{test.name}")
        self.type("hop", "apply")
        self.commit(f"Write {version}")
        self.type("hop", "release", "--push")

    def try_wrong_patch(self, patches: str) -> None:
        """What a mistake looks like, and how to go back."""
        wrong = self.project / patches / "01_wrong.sql"
        wrong.write_text("CREATE TABLE shop.voucher (\n    code text PRIMARY KEY,\n    worth numeric NOT NUL\n);\n")
        self.type("hop", "apply", expected=1)
        print("  (the mistake is corrected)")
        wrong.write_text(wrong.read_text().replace("NOT NUL\n", "NOT NULL\n"))
        self.type("hop", "apply")
        print("  (nobody wants vouchers after all)")
        wrong.unlink()
        self.type("hop", "undo")

    def go_to_production(self) -> None:
        title("Production: a clone of the repository, and the shop's own database")
        self.type("git", "clone", "--quiet", "origin.git", "production", at=self.folder)
        print("$ cd production; export HOP_PRODUCTION=1 HOP_DATABASE_URL=…/workshop_production")
        self.type("hop", at=self.production)
        self.type("hop", "upgrade", "--baseline", "0.0.0", "--dry-run", at=self.production)
        self.type("hop", "upgrade", "--baseline", "0.0.0", at=self.production)

    def follow_up(self) -> None:
        title("Production follows")
        self.type("hop", "upgrade", at=self.production)
        title("… goes back, and returns")
        self.type("hop", "restore", LAST_BEFORE_PRODUCTION, at=self.production)
        self.type("hop", "upgrade", at=self.production)
        self.type("hop", "upgrade", at=self.production)
        self.type("hop", at=self.production)
        title("The project's own tasks")
        self.type("invoke", "notes", "--since", LAST_BEFORE_PRODUCTION)

    def end(self, seconds: float) -> None:
        title(f"Played in {seconds:.0f} s. To go on:")
        print(f"$ source {ENVIRONMENT}/bin/activate")
        print(f"$ cd {self.project} && hop")
        print(f"$ psql '{self.url}'")
        print(f"$ cd {self.production} && HOP_PRODUCTION=1 HOP_DATABASE_URL='{self.production_url}' hop")
        print(f"The server goes on running; to stop it: python3 {Path(__file__).resolve()} --stop")

    def stop(self) -> None:
        from hop_tasks.database import embedded

        print("the server was stopped" if embedded.stop(self.server_data) else "the server was not running")

    def remove_last(self) -> None:
        """Only a folder that this player has made is removed."""
        if not self.folder.exists():
            return
        if not (self.folder / MARK).exists() and any(self.folder.iterdir()):
            sys.exit(f"{self.folder} exists, and this player did not make it")
        from hop_tasks.database import embedded

        print(f"removing the last play in {self.folder}")
        embedded.stop(self.server_data)
        data = self.server_data.resolve()
        shutil.rmtree(self.folder)
        # As root the server's data lies elsewhere, behind a link.
        shutil.rmtree(data, ignore_errors=True)

    def identify(self) -> None:
        """Git wants a name for its commits; a machine that has none gets one for this play."""
        known = subprocess.run(["git", "config", "user.email"], check=False, capture_output=True, env=self.environment)
        if known.returncode:
            for role in ("AUTHOR", "COMMITTER"):
                self.environment |= {f"GIT_{role}_NAME": "Robin Spoke", f"GIT_{role}_EMAIL": "robin@example.com"}

    def copy(self, source: Path, target: str) -> None:
        path = self.project / target
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)

    def commit(self, message: str) -> None:
        self.type("git", "add", "--all")
        self.type("git", "commit", "--quiet", "-m", message)

    def type(self, *command: str, at: Path | None = None, expected: int = 0) -> None:
        """What a person types, and what it prints."""
        url = "…/workshop"
        self.shown(
            " ".join(quoted(word).replace(self.url, url) for word in command), *command, at=at, expected=expected
        )

    def shown(self, text: str, *command: str, at: Path | None = None, expected: int = 0) -> None:
        print(f"$ {text}", flush=True)
        folder = at or (self.project if self.project.exists() else self.folder)
        environment = dict(self.environment)
        if folder == self.production:
            environment |= {"HOP_PRODUCTION": "1", "HOP_DATABASE_URL": self.production_url}
        done = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, check=False
        )
        if done.returncode != expected:
            sys.exit(f"{text} ended with {done.returncode}; the state is left as it is in {self.folder}")

    def quietly(self, *command: str) -> None:
        subprocess.run(command, cwd=self.folder, env=self.environment, check=True, stdin=subprocess.DEVNULL)


def plain(url: object) -> str:
    """A URL as psql takes it."""
    return str(url.set(drivername="postgresql").render_as_string(hide_password=False)).replace("%2F", "/")  # type: ignore[attr-defined]


def is_local(name: str) -> bool:
    """Whether a variable would lead to a database of the machine."""
    return name.startswith(("HOP_", "PG")) or name == "DATABASE_URL"


def level_of(version: str) -> str:
    _, minor, patch = version.split(".")
    return "patch" if patch != "0" else "minor" if minor != "0" else "major"


def quoted(word: str) -> str:
    return f"'{word}'" if " " in word else word


def title(text: str) -> None:
    print(f"\n── {text}\n", flush=True)


if __name__ == "__main__":
    main()
