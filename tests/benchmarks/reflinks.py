"""A folder on a file system with reflinks, where PostgreSQL 18 clones a database without copying it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.measuring import BenchmarkError
from tests.benchmarks.options import Options

IMAGE_GIGABYTES = 16
"""Of a sparse file, which takes only what is written."""


@contextmanager
def reflink_folder(options: Options) -> Iterator[Path | None]:
    """The folder that the options name, or one on a loop device that is mounted meanwhile; None if neither is wanted.

    Raises BenchmarkError if it cannot be had.
    """
    if options.reflink is not None:
        _require_reflinks(options.reflink)
        yield options.reflink
    elif options.loop is not None:
        with _mounted(options.loop) as folder:
            _require_reflinks(folder)
            yield folder
    else:
        yield None


@contextmanager
def _mounted(file_system: str) -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="hop-bench-loop-"))
    place.chmod(0o755)
    image, folder = place / "image", place / "mounted"
    folder.mkdir()
    try:
        with image.open("wb") as file:
            file.truncate(IMAGE_GIGABYTES * 2**30)
        _run(f"mkfs.{file_system}", str(image))
        _run("mount", "-o", "loop", str(image), str(folder))
        try:
            yield folder
        finally:
            _run("umount", str(folder))
    finally:
        shutil.rmtree(place)


def _require_reflinks(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        source = Path(place, "source")
        source.write_bytes(bytes(4096))
        _run("cp", "--reflink=always", str(source), str(Path(place, "copy")))


def _run(*words: str) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise BenchmarkError(f"there is no {words[0]} on this machine") from error
    if done.returncode != 0:
        raise BenchmarkError(f"{' '.join(words)}: {done.stderr.strip() or done.returncode}")
