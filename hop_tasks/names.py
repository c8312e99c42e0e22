"""Names that hop makes or accepts: projects, packages, branches, and databases beside the project's own."""

from __future__ import annotations

import hashlib
import keyword
import re
import unicodedata

from hop_tasks.errors import UsageError
from hop_tasks.versions import Version

BRANCH_PREFIX = "hop_"
MAIN_BRANCH = "hop_main"
BASELINE_PREFIX = "baseline-"

HALF_ORM_CONFIG = ".hop/config"
"""The file by which half_orm's own tool `hop` 0.13 knows its projects."""

GENERATOR_NAMES = ("tables", "declarative", "dataclasses", "sqlmodel", "half_orm", "none")
"""The names that a setting can give to what writes the package; the service `package` has one generator for each."""

GENERATOR_ENTRY_POINTS = "hop_tasks.generators"
"""The group of entry points by which other distributions bring generators."""

OWN_GENERATOR = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
"""A generator of the project itself: `module:function`."""

DATABASE_NAME_BYTES = 63
"""PostgreSQL's NAMEDATALEN - 1: longer identifiers are cut by the server."""


def check_project_name(name: str) -> str:
    """`name` itself if a folder and a database can be called so.

    Raises UsageError for an empty name, one that begins with `-` or `.`, has a slash, a backslash or a control
    character, or is longer than PostgreSQL's 63 bytes. Capitals, spaces and quotes are welcome.
    """
    problem = None
    if not name.strip() or name != name.strip():
        problem = "it is empty or has white space at an end"
    elif name[0] in "-.":
        problem = f"it begins with {name[0]!r}"
    elif "/" in name or "\\" in name:
        problem = "it has a slash"
    elif any(unicodedata.category(character) in {"Cc", "Cs"} for character in name):
        problem = "it has a control character"
    elif len(name.encode()) > DATABASE_NAME_BYTES:
        problem = f"it is longer than the {DATABASE_NAME_BYTES} bytes of a PostgreSQL name"
    if problem:
        raise UsageError(f"{name!r} cannot be a project's name: {problem}", hint="hop new workshop --devel")
    return name


def check_package_name(name: str) -> str:
    """`name` itself if Python can import it. Raises UsageError otherwise."""
    if not name.isidentifier() or keyword.iskeyword(name):
        raise UsageError(f"{name!r} cannot be a Python package's name", hint="choose one with --package")
    return name


def package_for(name: str) -> str:
    """A Python package name for a project: lower case, every run of other characters an underscore."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    package = re.sub(r"[^a-z0-9]+", "_", ascii_name.lower()).strip("_")
    if not package or package[0].isdigit():
        package = f"package_{package}".rstrip("_")
    return f"{package}_" if keyword.iskeyword(package) else package


def distribution_for(name: str) -> str:
    """A distribution name (PEP 508) for a project."""
    return package_for(name).strip("_").replace("_", "-")


def release_branch(version: Version) -> str:
    """The branch on which a release is prepared: hop_X.Y.Z."""
    return f"{BRANCH_PREFIX}{version}"


def version_of_branch(branch: str) -> Version | None:
    """The version that `branch` prepares, or None if it is not a release branch."""
    return Version.find(branch[len(BRANCH_PREFIX) :]) if branch.startswith(BRANCH_PREFIX) else None


def baseline_tag(version: Version) -> str:
    """The tag of the commit at which hop took over a project whose release has a tag already: baseline-X.Y.Z."""
    return f"{BASELINE_PREFIX}{version}"


def version_of_baseline(tag: str) -> Version | None:
    """The version that `tag` is the baseline of, or None if it is another tag."""
    return Version.find(tag[len(BASELINE_PREFIX) :]) if tag.startswith(BASELINE_PREFIX) else None


def database_beside(database: str, suffix: str) -> str:
    """The name of a database that belongs to `database`, at most 63 bytes long, different for different originals."""
    name = f"{database}_{suffix}"
    if len(name.encode()) <= DATABASE_NAME_BYTES:
        return name
    ending = f"_{hashlib.sha256(database.encode()).hexdigest()[:8]}_{suffix}"
    room = DATABASE_NAME_BYTES - len(ending.encode())
    return database.encode()[:room].decode(errors="ignore") + ending
