"""The files that a new project begins with."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from hop_tasks.errors import ProjectError
from hop_tasks.names import MAIN_BRANCH, distribution_for
from hop_tasks.project import SETTINGS_FILE


@dataclass(frozen=True)
class HopTable:
    """What `[tool.hop]` of a new project says."""

    name: str
    package: str
    devel: bool
    url: str | None = None
    main_branch: str = MAIN_BRANCH
    generator: str | None = None

    def __str__(self) -> str:
        # JSON's texts and booleans are TOML's too, but for DEL, which no name has.
        lines = ["[tool.hop]", f"name = {json.dumps(self.name, ensure_ascii=False)}"]
        lines += [f"package = {json.dumps(self.package)}", f"devel = {json.dumps(self.devel)}"]
        if self.main_branch != MAIN_BRANCH:
            lines.append(f"main_branch = {json.dumps(self.main_branch, ensure_ascii=False)}")
        if self.generator is not None:
            lines.append(f"generator = {json.dumps(self.generator, ensure_ascii=False)}")
        if self.url:
            lines.append(f"url = {json.dumps(self.url, ensure_ascii=False)}")
        return "\n".join(lines) + "\n"


def new_files(table: HopTable) -> dict[str, str]:
    """Path -> text of all that a new project begins with, besides what comes from its database."""
    files = {
        "pyproject.toml": PYPROJECT.format(
            distribution=distribution_for(table.name),
            package=table.package,
            dependencies=json.dumps(DEPENDENCIES.get(table.generator or "", SQLALCHEMY)),
            table=table,
        ),
        "tasks.py": TASKS,
        ".gitignore": GITIGNORE,
    }
    return {**files, **patch_folder_files()} if table.devel else files


def patch_folder_files() -> dict[str, str]:
    """Path -> text of the folders of patch files."""
    return {
        "Patches/README.md": PATCHES_README,
        "Patches/.gitattributes": GITATTRIBUTES,
        "Releases/.gitattributes": GITATTRIBUTES,
        "Patches/pre/.gitkeep": "",
        "Patches/post/.gitkeep": "",
    }


def read_settings_text(root: Path) -> str | None:
    """The text of a folder's pyproject.toml, with line ends as they are; None if there is none. Raises ProjectError."""
    path = root / SETTINGS_FILE
    try:
        return path.read_bytes().decode("utf-8") if path.exists() else None
    except UnicodeDecodeError as error:
        raise ProjectError(f"{SETTINGS_FILE} is not UTF-8; nothing was changed", hint=f"correct {path}") from error


def with_table(pyproject: str | None, table: HopTable) -> str:
    """The text of a pyproject.toml with `[tool.hop]` added at its end, or with version tracking switched on in it.

    Raises ProjectError if there is a table already that is not to be changed so.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    if pyproject is None:
        return str(table)
    try:
        present = tomllib.loads(pyproject).get("tool", {}).get("hop")
    except tomllib.TOMLDecodeError as error:
        raise ProjectError(f"pyproject.toml is not valid TOML: {error}; nothing was changed") from error
    if present is None:
        text = f"{pyproject.rstrip()}\n\n{table}" if pyproject.strip() else str(table)
        if "\r\n" in pyproject:
            text = re.sub(r"\r?\n", "\r\n", text)
    elif table.devel and present.get("devel") is False:
        text = re.sub(r"(?m)^devel\s*=\s*false\b", "devel = true", pyproject, count=1)
        if table.main_branch != MAIN_BRANCH and "main_branch" not in present:
            branch = json.dumps(table.main_branch, ensure_ascii=False)
            text = re.sub(r"(?m)^\[tool\.hop\]\s*$", f"[tool.hop]\nmain_branch = {branch}", text, count=1)
    else:
        raise ProjectError("this is a project already: pyproject.toml has [tool.hop]; nothing was changed", hint="hop")
    try:
        done = tomllib.loads(text)["tool"]["hop"].get("devel") is table.devel
    except (tomllib.TOMLDecodeError, KeyError):
        done = False
    if not done:
        raise ProjectError(
            "[tool.hop] cannot be added to this pyproject.toml; nothing was changed",
            hint="write its tables as [tool.other] and not inline",
        )
    return text


def with_subpackages(pyproject: str, package: str) -> str:
    """A pyproject.toml of an earlier version of hop, which named one package, with those in it named too."""
    earlier = f'\n[tool.setuptools]\npackages = ["{package}"]\n'
    return pyproject.replace(earlier, f'\n[tool.setuptools]\npackages.find.include = ["{package}", "{package}.*"]\n', 1)


SQLALCHEMY = ("sqlalchemy>=2.0", "psycopg2-binary>=2.9")
DEPENDENCIES = {
    "sqlmodel": (*SQLALCHEMY, "sqlmodel>=0.0.24"),
    "half_orm": ("half_orm>=1.1,<2",),
}
"""What the package of a new project needs, by its generator."""

PYPROJECT = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "{distribution}"
version = "0.0.0"
requires-python = ">=3.10"
dependencies = {dependencies}

[project.optional-dependencies]
dev = ["hop-tasks"]

[tool.setuptools]
packages.find.include = ["{package}", "{package}.*"]

{table}"""

TASKS = '''\
"""The tasks of this project: those of hop, and room for its own below. `invoke --list` shows them."""

from hop_tasks.tasks import *
'''

GITIGNORE = """\
__pycache__/
.pytest_cache/
.venv/
*.egg-info/
build/
dist/
.hop/
Backups/
"""

GITATTRIBUTES = """\
# What is released is checked to the byte: no line ends are converted.
* -text
"""

PATCHES_README = """\
# Patch files

`X/Y/Z/` holds the files of release X.Y.Z: `.sql` files, and `.py` files that define `def apply(connection)`.
They run in the order of their names, in one transaction. `pre/` and `post/` hold files that run before and after
every release. Files whose names begin with `_` are not run: Python patches import them.
"""
