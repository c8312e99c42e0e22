"""Projects of Sqitch: the order of `sqitch.plan`, scripts below `deploy`, `revert` and `verify`, run by psql."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from hop_tasks.errors import UsageError
from hop_tasks.foreign.migrations import NOTHING, Migration, MigrationSet, SetAside, Tool, files_below, read_text

PLAN = "sqitch.plan"
CONFIGURATION = "sqitch.conf"
SETTING = re.compile(
    r"^\s*(?P<key>top_dir|plan_file|deploy_dir|revert_dir|verify_dir)\s*=\s*(?P<value>.+?)\s*$", re.MULTILINE
)
CHANGE = re.compile(
    r"(?:(?P<operator>[+-])\s*)?(?P<name>[^\s@#%\[\]:]+)\s+(?:\[(?P<needs>[^\]]*)\]\s+)?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\s.*"
)
TAG = re.compile(r"@(?P<name>\S+)\s.*")
META_COMMAND = re.compile(r"^\s*\\(?!\.\s*$)", re.MULTILINE)
ASIDE = {"revert": "goes back", "verify": "proves a change: a test of the project could do that"}


@dataclass
class _Change:
    """A change of the plan, and the tags that come after it, before it is made anew."""

    name: str
    tags: list[str] = field(default_factory=list)
    again: bool = False


def plan_of(folder: Path) -> Path | None:
    """The plan of a project, from the folder that has the configuration or the plan; None if there is none."""
    settings = _settings(folder)
    top = folder / settings.get("top_dir", ".")
    for path in (folder / settings.get("plan_file", PLAN), top / PLAN):
        if path.is_file():
            return path
    return None


def read_sqitch(folder: Path) -> MigrationSet:
    """The deploy scripts in the plan's order, those of reworked changes as they were.

    A script with commands of psql's own is to be run by psql. Raises UsageError for a plan that cannot be read, and for
    scripts that are missing.
    """
    plan = plan_of(folder)
    if plan is None:
        raise UsageError(f"there is no {PLAN} in {folder}; {NOTHING}", hint="name the folder that has it")
    settings, top = _settings(folder), plan.parent
    changes, notes = _read_plan(plan)
    deploy = folder / settings["deploy_dir"] if "deploy_dir" in settings else top / "deploy"
    migrations = []
    for change in changes:
        path = _script(deploy, change)
        shown = path.relative_to(deploy).as_posix()
        text = read_text(path, f"deploy/{shown}")
        by_psql = META_COMMAND.search(text) is not None
        # Sqitch opens no transaction: its scripts do, or want none.
        migrations.append(Migration(f"deploy/{shown}", change.name, text, by_psql=by_psql))
    aside = []
    for part, why in ASIDE.items():
        scripts = folder / settings[f"{part}_dir"] if f"{part}_dir" in settings else top / part
        if scripts.is_dir():
            for name in files_below(scripts):
                aside.append(SetAside(f"{part}/{name}", read_text(scripts / name, f"{part}/{name}"), why))
    return MigrationSet(Tool.SQITCH, tuple(migrations), tuple(aside), tuple(notes))


def _settings(folder: Path) -> dict[str, str]:
    path = folder / CONFIGURATION
    if not path.is_file():
        return {}
    return {found["key"]: found["value"] for found in SETTING.finditer(read_text(path, CONFIGURATION))}


def _read_plan(plan: Path) -> tuple[list[_Change], list[str]]:
    changes: list[_Change] = []
    latest: dict[str, int] = {}
    notes = []
    for number, line in enumerate(read_text(plan, PLAN).splitlines(), 1):
        text = line.strip()
        if not text or text.startswith(("#", "%")):
            continue
        tag, change = TAG.fullmatch(f"{text} "), CHANGE.fullmatch(text)
        if tag:
            for known in latest.values():
                changes[known].tags.append(tag["name"])
        elif change and change["operator"] != "-":
            name = change["name"]
            if name in latest:
                changes[latest[name]].again = True
            latest[name] = len(changes)
            changes.append(_Change(name))
            others = [need for need in (change["needs"] or "").split() if ":" in need]
            if others:
                notes.append(f"{name} needs {', '.join(others)} of another project, which has to come before it")
        else:
            raise UsageError(f"{plan.name}:{number}: {text!r} is no change to deploy; {NOTHING}", hint="sqitch plan")
    return changes, notes


def _script(deploy: Path, change: _Change) -> Path:
    """The script of a change; that of one which was made anew later has the name of a tag that came in between."""
    names = [f"{change.name}@{tag}.sql" for tag in change.tags] if change.again else [f"{change.name}.sql"]
    for name in names:
        if (deploy / name).is_file():
            return deploy / name
    told = " or ".join(names) or "it was reworked without a tag"
    raise UsageError(f"there is no deploy script of {change.name} ({told}); {NOTHING}", hint="sqitch check")
