"""What is checked out, and what is changed in it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Head:
    """What is checked out: the branch, None when detached; and the commit, None before the first one."""

    branch: str | None
    commit: str | None


WORK_TREE = ("status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all")
"""The command that `WorkTree` is read from."""

FIELDS_BEFORE_PATH = {"1": 8, "2": 9, "u": 10, "?": 1}
"""By the first character of an entry in git's porcelain format, version 2: how many fields come before its path."""


@dataclass(frozen=True)
class WorkTree:
    """What is checked out, and the paths that are changed, staged or untracked: none when the tree is clean."""

    head: Head
    changes: tuple[str, ...]

    @classmethod
    def parse(cls, out: str) -> WorkTree:
        """From what WORK_TREE prints."""
        header: dict[str, str] = {}
        changes = []
        entries = iter(out.split("\0"))
        for entry in entries:
            kind, _, rest = entry.partition(" ")
            if kind == "#":
                name, _, value = rest.partition(" ")
                header[name] = value
            elif kind in FIELDS_BEFORE_PATH:
                changes.append(entry.split(" ", FIELDS_BEFORE_PATH[kind])[-1])
                if kind == "2":
                    next(entries)  # the path that it was renamed from
        branch, commit = header["branch.head"], header["branch.oid"]
        head = Head(None if branch == "(detached)" else branch, None if commit == "(initial)" else commit)
        return cls(head, tuple(changes))
