"""Projects with long histories, made in a moment: what hundreds of `hop release` leave behind, by `git fast-import`."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from hop_tasks.manifest import MANIFEST_NAME, Manifest
from hop_tasks.versions import Version
from hop_tasks.workflows.project_files import HopTable, new_files

MAIN = "refs/heads/hop_main"
PERSON = "Ann Author <ann@example.com>"
BEGAN = 1_767_323_045
"""The time of the first commit, in seconds since 1970; each release comes an hour after the one before."""

SCHEMA = "-- The shop began with an empty database.\nSET check_function_bodies = false;\n"

Patch = Callable[[int], Mapping[str, str]]
"""The number of a release, from 1 -> names of its patch files -> their texts."""


def a_table(number: int) -> Mapping[str, str]:
    """One small table a release."""
    text = f"CREATE TABLE item_{number} (\n    id integer PRIMARY KEY,\n    name text NOT NULL\n);\n"
    return {"01_table.sql": text}


def a_row(number: int) -> Mapping[str, str]:
    """One row a release, in the table of the first."""
    if number == 1:
        return {"01_table.sql": "CREATE TABLE item (id integer PRIMARY KEY, name text NOT NULL);\n"}
    return {"01_row.sql": f"INSERT INTO item (id, name) VALUES ({number}, 'item {number}');\n"}


def a_function(number: int) -> Mapping[str, str]:
    """A table, an index, a comment and a function with a body, in two files."""
    return {
        "01_table.sql": f"-- Items of kind {number}\n"
        f"CREATE TABLE item_{number} (id integer PRIMARY KEY, name text NOT NULL, price numeric(10, 2) DEFAULT 0);\n"
        f"CREATE INDEX item_{number}_name ON item_{number} (name);\n"
        f"COMMENT ON TABLE item_{number} IS 'items; of kind {number}';\n",
        "02_function.sql": f"CREATE FUNCTION dear_{number}(lowest numeric) RETURNS bigint LANGUAGE plpgsql AS $$\n"
        f"BEGIN\n    RETURN (SELECT count(*) FROM item_{number} WHERE price >= lowest);\nEND\n$$;\n",
    }


def version_of(number: int) -> Version:
    """The version of a release, from 0 for the origin: ten patches to a minor, a hundred minors to a major release."""
    return Version(number // 1000, number // 10 % 100, number % 10)


def write_history(
    folder: Path,
    releases: int,
    *,
    patch: Patch = a_table,
    shared: Mapping[str, str] | None = None,
    message: str = "release number {}",
    object_format: str = "sha1",
) -> Path:
    """A project with its Git repository, on hop_main at the newest release: what production clones.

    Args:
        folder: made; it must not exist, or be empty.
        releases: how many there are on top of 0.0.0, the empty database.
        patch: the patch files of each.
        shared: name -> text of files in `Patches/pre` and `Patches/post`, such as `pre/01_role.sql`, there from 0.0.0.
        message: of each release, with its number.
        object_format: how Git makes its ids, sha1 or sha256.

    Manifests are sealed and tags annotated as `hop release` does it, so that `hop upgrade` takes all of them. Only
    0.0.0 has a schema file, and the fingerprints are made up: what compares catalogs finds another one.
    Dates are fixed: the same arguments give the same commits. Returns the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    git = ("git", "-C", str(folder))
    subprocess.run(
        [*git, "init", "--quiet", "--initial-branch=hop_main", f"--object-format={object_format}"], check=True
    )
    stream = b"".join(_stream(releases, patch, shared or {}, message))
    subprocess.run([*git, "fast-import", "--quiet", "--done"], input=stream, check=True)
    # As a clone has them, not thousands of files.
    subprocess.run([*git, "pack-refs", "--all"], check=True)
    subprocess.run([*git, "reset", "--quiet", "--hard", "hop_main"], check=True)
    return folder


def _stream(releases: int, patch: Patch, shared: Mapping[str, str], message: str) -> Iterator[bytes]:
    common = {f"Patches/{path}": text for path, text in shared.items()}
    checksums = {path: _checksum(text) for path, text in common.items()}
    previous: Version | None = None
    for number in range(releases + 1):
        version = version_of(number)
        at = f"{PERSON} {BEGAN + 3600 * number} +0000"
        where = f"Patches/{version.folder}"
        said = message.format(number) if number else "the database as hop took it over"
        manifest = Manifest(version, said, previous, "0.1.0")
        if number == 0:
            files = {**new_files(HopTable("shop", "shop", devel=True)), "shop/__init__.py": "", **common}
            files["Releases/shop-0.0.0.sql"] = SCHEMA
            own: dict[str, str] = {}
        else:
            files = {}
            own = {f"{where}/{name}": text for name, text in patch(number).items()}
        sealed = {**checksums, **{path: _checksum(text) for path, text in own.items()}} if number else {}
        text = str(manifest.seal(base=previous, checksums=sealed, fingerprint=_checksum(f"catalog of {version}")))
        yield from _commit(f"Release {version}: {said}\n", at, {**files, **own, f"{where}/{MANIFEST_NAME}": text})
        yield f"tag {version}\nfrom {MAIN}\ntagger {at}\n".encode() + _data(f"Release {version}: {said}\n")
        previous = version
    yield b"done\n"


def _commit(message: str, at: str, files: Mapping[str, str]) -> Iterator[bytes]:
    """A commit on top of the one before, with some files added or changed."""
    yield f"commit {MAIN}\nauthor {at}\ncommitter {at}\n".encode() + _data(message)
    for path, text in files.items():
        yield f"M 100644 inline {path}\n".encode() + _data(text)


def _data(text: str) -> bytes:
    content = text.encode()
    return b"data %d\n%s\n" % (len(content), content)


def _checksum(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
