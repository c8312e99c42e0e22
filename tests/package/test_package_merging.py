"""Files of hop's of which Git has two versions."""

from __future__ import annotations

import pytest

from hop_tasks.package import GENERATED_MARK, KEPT_MARK, ONCE_MARK, merge_versions
from hop_tasks.package.seals import seal_of, sealed, with_kept_parts
from tests.package.support import BEGIN, END, KEPT_MODULE

OLD, MAIN, BRANCH = (f'"""{GENERATED_MARK}"""\nX = {number}\n'.encode() for number in range(3))
KEPT = sealed(KEPT_MODULE, "a.py")


def kept(number: int, first: str = "", second: str = "", third: str = "") -> bytes:
    """A version of a module of which hop wrote a number and a person what is between the markers."""
    content = sealed(KEPT_MODULE.replace("X = 1", f"X = {number}"), "a.py")
    return with_kept_parts(content, [text.encode() for text in (first, second, third)])


def test_what_is_generated_is_as_in_the_commit_and_made_anew_later() -> None:
    assert merge_versions(OLD, MAIN, BRANCH) == (BRANCH, BRANCH, BRANCH)
    assert merge_versions(None, MAIN, BRANCH) == (BRANCH, BRANCH, BRANCH)
    assert merge_versions(OLD, None, BRANCH) == (BRANCH, BRANCH, BRANCH)
    assert merge_versions(OLD, MAIN, None) == b""


def test_only_what_a_person_wrote_is_merged() -> None:
    versions = merge_versions(kept(1), kept(2, first="a\n"), kept(3, third="c\n"))
    assert versions == (kept(3), kept(3, first="a\n"), kept(3, third="c\n"))
    assert {seal_of(version, "a.py").name for version in versions} == {"INTACT"}
    assert merge_versions(None, kept(2, first="a\n"), kept(3)) == (kept(3), kept(3, first="a\n"), kept(3))


def test_what_one_side_removed_goes_only_without_code_of_a_person() -> None:
    assert merge_versions(kept(1), kept(2), None) == b""
    assert merge_versions(kept(1), None, kept(2)) == b""
    assert merge_versions(kept(1), kept(2, second="mine\n"), None) is None
    assert merge_versions(kept(1), None, kept(2, second="mine\n")) is None


@pytest.mark.parametrize(
    "versions",
    [
        (b"X = 1\n", b"X = 2\n", b"X = 3\n"),
        (OLD, b"X = 2\n", BRANCH),
        (OLD, MAIN, KEPT),
        (KEPT, KEPT, f'"""{KEPT_MARK}"""\n{BEGIN}\n{END}\n'.encode()),
        (None, f"# {ONCE_MARK}\n".encode(), f"# {ONCE_MARK}\n# mine\n".encode()),
        (b"<<<<<<< \xff", OLD, MAIN),
    ],
)
def test_a_person_decides_about_all_else(versions: tuple[bytes | None, bytes, bytes]) -> None:
    assert merge_versions(*versions) is None
