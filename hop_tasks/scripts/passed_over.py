"""What is in the folders of a release and is not run, although somebody may well think so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hop_tasks.manifest import MANIFEST_NAME
from hop_tasks.scripts.files import KINDS, patch_folders
from hop_tasks.versions import Version

LIKENESS = 0.6
"""Of two suffixes that a slip of the finger has made different, as difflib measures it: `.slq` and `.sq` are that like
`.sql`; `.csv`, `.txt`, `.sh` and `.yml` are not."""


def passed_over(root: Path, version: Version) -> tuple[str, ...]:
    """Sentences about what is passed over in the folders of a release, below the project's root, in their order."""
    return tuple(_sentences(root, version))


def _sentences(root: Path, version: Version) -> Iterator[str]:
    for folder in patch_folders(version):
        if not (root / folder).is_dir():
            continue
        for path in sorted((root / folder).iterdir()):
            if path.name == MANIFEST_NAME or path.name.startswith((".", "_")) or path.name.endswith("~"):
                continue
            named_like_one = path.name.lower().endswith(KINDS)
            if named_like_one and path.is_dir():
                yield f"{folder}/{path.name} is a folder and not run: files are run that are directly in {folder}"
            elif named_like_one and not path.is_file():
                yield f"{folder}/{path.name} is not run: it is no file, and no link that leads to one"
            elif not named_like_one and _is_like_a_kind(path.suffix.lower()):
                yield f"{folder}/{path.name} is not run: {path.suffix} is none of {', '.join(KINDS)}"


def _is_like_a_kind(suffix: str) -> bool:
    # Imported here, since there is hardly ever such a file.
    from difflib import get_close_matches

    return bool(suffix) and bool(get_close_matches(suffix, KINDS, cutoff=LIKENESS))
