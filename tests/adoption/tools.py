"""The tools that people come from, real ones: each in a virtual environment of its own, made once a session."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import venv
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

PIP_SECONDS = 120

Install = Callable[..., Path]


@pytest.fixture(scope="session")
def install(tmp_path_factory: pytest.TempPathFactory) -> Install:
    """Gives the folder of programs of an environment with the named distributions; skips where no registry answers."""
    # Beside the folders of xdist's workers, which share what is made there.
    shared = tmp_path_factory.getbasetemp()
    if shared.name.startswith("popen-"):
        shared = shared.parent

    def make(*requirements: str) -> Path:
        folder = shared / ("venv-" + "-".join(requirements).replace("=", "").replace("[", "").replace("]", ""))
        with (shared / f"{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "made").exists():
                venv.create(folder, symlinks=True)
                _pip(folder, requirements)
                (folder / "made").touch()
        return folder / "bin"

    return make


def _pip(folder: Path, requirements: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "pip", "--python", str(folder / "bin/python"), "install", "--quiet"]
    options = ["--disable-pip-version-check", "--retries=1", *requirements]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=PIP_SECONDS, check=False)
    if done.returncode:
        told = f"{', '.join(requirements)} cannot be installed, so that nothing is shown about it: {done.stderr[-500:]}"
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(told, stacklevel=2)
        pytest.skip(told)
