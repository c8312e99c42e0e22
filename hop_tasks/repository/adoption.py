"""Whether hop has taken a project over from another tool: a tag says so, and what is at that tag proves it."""

from __future__ import annotations

from contextlib import suppress

from hop_tasks.errors import StateError
from hop_tasks.manifest import MANIFEST_NAME, Manifest
from hop_tasks.names import baseline_tag
from hop_tasks.repository.objects import object_reader
from hop_tasks.repository.refs import Refs
from hop_tasks.repository.repository import Repository, tag_ref
from hop_tasks.versions import Version


def adopted_release(repository: Repository, refs: Refs | None = None) -> Version | None:
    """The release of another tool at which hop took the project over; None for a project of hop's own.

    Its commit has a tag `baseline-X.Y.Z`, and a manifest that says so: anybody may have a tag that is only called so.

    Args:
        repository: the repository.
        refs: its refs, if they are known already.
    """
    baselines = (refs or repository.refs()).baselines
    if not baselines:
        return None
    with object_reader(repository.git) as objects:
        for version in reversed(baselines):
            path = f"Patches/{version.folder}/{MANIFEST_NAME}"
            found = objects.read(f"{tag_ref(baseline_tag(version))}:{path}")
            with suppress(StateError):
                if found is not None and Manifest.parse(found[2].decode("utf-8", "replace"), path).is_taken_over:
                    return version
    return None
