"""Places to import migrations into, and to have their own tools run them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from sqlalchemy import make_url

from hop_tasks.catalog import Catalog, read_catalog
from hop_tasks.database.engines import Database
from tests.conftest import new_project
from tests.playground import Playground
from tests.workflows.shelf import Shelf, maintain


def importable(shelf: Shelf, play: Playground) -> Playground:
    """A project with an empty database and a release in preparation."""
    place = shelf.copy(new_project, play)
    place.hop("prepare", "-l", "minor", "-m", "what the other tool has made").succeeds()
    return place


def written(folder: Path, files: Mapping[str, str]) -> Path:
    """A folder with some files."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def made(place: Playground, url: str) -> str:
    """The URL of an empty database, without the driver's name."""
    maintain(place, f"CREATE DATABASE {make_url(url).database}")
    return url


def catalog_of(url: str) -> Catalog:
    """The catalog of a database."""
    with Database(make_url(url).set(drivername="postgresql+psycopg2")).connect() as connection:
        return read_catalog(connection)


def patch_files(place: Playground, version: str = "0/1/0") -> dict[str, str]:
    """Name -> text of the patch files of a release, in the order in which they run."""
    paths: Iterator[Path] = (path for path in (place.folder / "Patches" / version).iterdir() if path.suffix != ".json")
    return {path.name: path.read_text() for path in sorted(paths) if path.is_file()}


def set_aside(place: Playground, version: str = "0/1/0") -> list[str]:
    """The paths of what is not run."""
    folder = place.folder / "Patches" / version / "set_aside"
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
