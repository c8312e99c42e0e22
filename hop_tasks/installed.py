"""Which version of a distribution is installed, found without the parsers of e-mail and archives that come with
`importlib.metadata`."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def installed_version(distribution: str) -> str:
    """The version of an installed distribution, as `importlib.metadata.version` gives it.

    It stands in the name of the folder that every installer writes, `NAME-VERSION.dist-info` (PyPA's specification
    "Recording installed projects"). Where that does not say it plainly, `importlib.metadata` is asked.
    Raises its PackageNotFoundError.
    """
    prefix = distribution.lower().replace("-", "_") + "-"
    for folder in sys.path:
        try:
            names = [path.name for path in Path(folder or os.curdir).iterdir()]
        except OSError:
            continue
        found = [
            name for name in names if name.lower().startswith(prefix) and name.endswith((".dist-info", ".egg-info"))
        ]
        if len(found) == 1 and found[0].endswith(".dist-info"):
            return found[0][len(prefix) : -len(".dist-info")]
        if found:
            break
    from importlib.metadata import version

    return version(distribution)


def hop_version() -> str:
    """The version of this hop."""
    try:
        return installed_version("hop-tasks")
    except ModuleNotFoundError:  # importlib.metadata's PackageNotFoundError is one
        return "unknown"
