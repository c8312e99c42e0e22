"""Development: `hop release` over databases of several sizes."""

from __future__ import annotations

import shutil
import subprocess

from tests.benchmarks.bench import Bench
from tests.benchmarks.measuring import Command, measure
from tests.benchmarks.subjects import Hop
from tests.benchmarks.subjects.base import Patch
from tests.benchmarks.subjects.half_orm import PROJECT
from tests.histories import version_of

RELEASE = "release"
FLOOR = "psql: clone, patch; pg_dump of the schema (floor)"


def measure_releases(bench: Bench, megabytes: int) -> None:
    """A release is proved on a copy of the base and sealed, over so many megabytes; the project has no tests."""
    server = bench.server
    base, database = server.name("base"), server.name("dev", "release")
    server.fill(base, megabytes)
    server.create(database, base)
    folder = bench.folder / f"release-{megabytes}"
    project = folder / PROJECT
    folder.mkdir(parents=True)
    hop = Hop(server)
    measure(hop.command(folder, database, "new", PROJECT, "--devel"))
    for number in range(1, bench.options.repeat + 1):
        patch = Patch(number)
        measure(hop.command(project, database, "prepare", "--level=patch", f"--message={patch.message}"))
        (project / "Patches" / version_of(number).folder / "01_item.sql").write_text(patch.sql, "utf-8")
        measure(hop.command(project, database, "apply"), detached=True)
        for words in (["add", "."], ["commit", "--message=Items"]):
            subprocess.run(
                ["git", *words], cwd=project, env=server.variables(database), check=True, capture_output=True
            )
        server.execute("CHECKPOINT")
        release = hop.command(project, database, "release", "--no-fetch", settings={"HOP_TESTS": "none"})
        bench.take(RELEASE, megabytes, "hop", release, detached=True)
        server.execute("CHECKPOINT")
        bench.take(RELEASE, megabytes, FLOOR, _floor(bench, patch, base))
        server.drop(server.name("proof"))
    server.drop_all()
    shutil.rmtree(folder)


def _floor(bench: Bench, patch: Patch, base: str) -> Command:
    server = bench.server
    folder = bench.folder / "floor"
    folder.mkdir(exist_ok=True)
    proof = server.name("proof")
    (folder / "clone.sql").write_text(
        f"{server.clone(proof, base)};\n\\connect {proof}\nBEGIN;\n{patch.sql}COMMIT;\n",
        "utf-8",
    )
    script = f'"$1" -X -q -v ON_ERROR_STOP=1 -d {server.url.database} -f clone.sql && "$2" -s -f schema.sql'
    words = ("/bin/sh", "-c", script, "sh", server.program("psql"), server.program("pg_dump"))
    return Command(words, folder, server.variables(proof))
