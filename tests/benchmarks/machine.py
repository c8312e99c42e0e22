"""What the figures depend on: the machine, and the versions."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.peers import Environment


def machine_facts(peers: Mapping[str, Environment]) -> dict[str, str]:
    """Name -> value, for people."""
    versions = [f"hop_tasks {_described()}"]
    versions += [f"{name} {version(name)}" for name in ("SQLAlchemy", "psycopg2-binary", "invoke", "GitPython")]
    return {
        "machine": f"{_processor()}, {len(_cores())} cores, {_memory()}",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}, {_git('--version')}",
        "load before": load(),
        "hop": ", ".join(versions),
        "peers": ", ".join(peer.versions for peer in peers.values()) or "none",
    }


def load() -> str:
    """How many processes were ready to run, on average over one, five and fifteen minutes."""
    return " ".join(f"{number:.2f}" for number in os.getloadavg())


def file_system(folder: Path | None) -> str:
    """The kind of file system that a folder is on, such as ext4, or tmpfs, which has no disk below it."""
    words = ["findmnt", "--noheadings", "--output=FSTYPE", "--target", str(folder)]
    try:
        found = subprocess.run(words, capture_output=True, text=True, check=False).stdout.split()
    except OSError:
        found = []
    # Of file systems mounted on one another the last is seen.
    return found[-1] if found else "an unknown file system"


def _cores() -> set[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def _described() -> str:
    commit = _git("-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD")
    return f"{version('hop-tasks')} ({commit})" if commit else version("hop-tasks")


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], capture_output=True, text=True, check=False).stdout.strip()
