"""The tasks of the workshop: those of hop, and some of our own that are put together from its functions."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from hop_tasks import Project, Version, apply_release, release_prepared
from hop_tasks.manifest import MANIFEST_NAME, Manifest
from hop_tasks.tasks import *


@task
def slowest(c: Context, most: int = 5) -> None:
    """Apply the release in preparation, and show which of its files take longest."""
    applied = apply_release(Project.find())
    for run in sorted(applied.files, key=lambda run: run.seconds, reverse=True)[:most]:
        print(f"{run.seconds:8.3f} s  {run.rows:8d} rows  {run.path}")


@task
def finish(c: Context, push: bool = False) -> None:
    """Apply the release in preparation, commit what is not committed yet, and release it."""
    project = Project.find()
    applied = apply_release(project)
    if c.run("git status --porcelain", hide=True).stdout:
        c.run("git add --all")
        c.run(f"git commit --quiet -m 'Finish {applied.version}'")
    published = release_prepared(project, push=push)
    print(f"{published.version} is out: {published.message}")


@task
def notes(c: Context, since: str = "0.0.0") -> None:
    """Print release notes, from the manifests, of everything after a release."""
    project = Project.find()
    after = Version.parse(since)
    manifests = [Manifest.parse(path.read_text(), str(path)) for path in project.patches.glob(f"*/*/*/{MANIFEST_NAME}")]
    for manifest in sorted(manifests, key=lambda found: found.version, reverse=True):
        if manifest.sealed and manifest.version > after:
            print(f"{manifest.version} ({manifest.version.level}): {manifest.message}")
