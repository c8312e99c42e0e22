"""Two versions of one file of a package that Git could not merge: what is hop's is made anew anyway."""

from __future__ import annotations

from collections.abc import Sequence

from hop_tasks.package.seals import Kind, kept_parts, kind_of, with_kept_parts

Versions = tuple[bytes, bytes, bytes]
"""The common ancestor of two versions, the one, and the other."""


def merge_versions(base: bytes | None, ours: bytes | None, theirs: bytes | None) -> Versions | bytes | None:
    """What to merge instead of three versions of a file of hop's; None where a person has to decide.

    Args:
        base: the common ancestor; None where the file was not there.
        ours: the version of the branch that is rebased on; None where the file is not there.
        theirs: the version of the commit that is rebased; None where the file is not there.

    Returns an empty text where the file can go, and otherwise three texts that differ in nothing but what is the
    user's: the rest is as in `theirs`, since hop writes it anew afterwards.
    """
    there = [content for content in (base, ours, theirs) if content is not None]
    kinds = {kind_of(content) for content in there}
    if kinds == {Kind.GENERATED}:
        return (theirs, theirs, theirs) if theirs is not None else b""
    if kinds != {Kind.KEPT}:
        return None
    parts = [kept_parts(content) for content in there]
    if theirs is None or ours is None:
        # Gone on one side: it can go if nobody has written anything in it.
        return None if _has_code(*parts) else b""
    if len({len(found) for found in parts}) > 1:
        return None
    old = kept_parts(base) if base is not None else [b""] * len(parts[0])
    return (
        with_kept_parts(theirs, old),
        with_kept_parts(theirs, kept_parts(ours)),
        theirs,
    )


def _has_code(*versions: Sequence[bytes]) -> bool:
    return any(part.strip() for version in versions for part in version)
