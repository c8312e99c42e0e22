"""`python -m tests.benchmarks`: measure, and write report and plots."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hop_tasks.errors import HopError
from tests.benchmarks.bench import Bench
from tests.benchmarks.machine import load, machine_facts
from tests.benchmarks.measuring import BenchmarkError
from tests.benchmarks.options import Options
from tests.benchmarks.peers import Environment, find_environment
from tests.benchmarks.readme import write_readme
from tests.benchmarks.reflinks import reflink_folder
from tests.benchmarks.report import markdown, plots
from tests.benchmarks.results import Results
from tests.benchmarks.server import running_server
from tests.benchmarks.workloads.reapplying import ON_REFLINKS, measure_reapplying
from tests.benchmarks.workloads.releasing import measure_releases
from tests.benchmarks.workloads.starting import measure_starts
from tests.benchmarks.workloads.upgrading import measure_upgrades


def main(arguments: Sequence[str]) -> int:
    """Run the bench; the report goes to standard output and, with plots and JSON, into the work folder."""
    options = Options.parse(arguments)
    # The server and the loop device are to end with the bench, also when it is ended from elsewhere.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        results = Results.parse(options.render.read_text("utf-8")) if options.render else measured(options)
    except (BenchmarkError, HopError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    text = markdown(results)
    options.work.mkdir(parents=True, exist_ok=True)
    (options.work / "report.json").write_text(str(results), "utf-8")
    (options.work / "report.md").write_text(text, "utf-8")
    for name, plot in plots(results).items():
        (options.work / name).write_text(plot, "utf-8")
    if options.readme:
        write_readme(results)
    print(text)
    return 0


def measured(options: Options) -> Results:
    """Measure everything that the options ask for."""
    results = Results()
    peers = _installed(options, results)
    results.facts |= machine_facts(peers)
    with running_server(options.url) as server, tempfile.TemporaryDirectory(prefix="hop-bench-") as folder:
        results.facts |= server.facts()
        bench = Bench(options, server, Path(folder), peers, results)
        if "upgrade" in options.workloads:
            for releases in options.releases:
                measure_upgrades(bench, releases)
        if "start" in options.workloads:
            for releases in options.releases:
                measure_starts(bench, releases)
        if "reapply" in options.workloads:
            for megabytes in options.sizes:
                measure_reapplying(bench, megabytes)
            _measure_on_reflinks(bench)
        if "release" in options.workloads:
            for megabytes in options.sizes:
                measure_releases(bench, megabytes)
    results.facts["load after"] = load()
    return results


def _installed(options: Options, results: Results) -> dict[str, Environment]:
    found = {}
    for peer in options.peers:
        environment = find_environment(peer, options.work / "peers", install=options.install)
        if isinstance(environment, Environment):
            found[peer] = environment
        else:
            results.missing[peer] = environment
    return found


def _measure_on_reflinks(bench: Bench) -> None:
    """Re-applying on a file system with reflinks; where it cannot be had, a line says why."""
    if bench.options.url is not None:
        return
    try:
        with reflink_folder(bench.options) as folder:
            if folder is None:
                bench.results.missing["reflinks"] = "not asked for: --reflink FOLDER, or --loop xfs as root"
                return
            with running_server(None, folder) as server:
                bench.results.facts["reflinks"] = f"on {bench.options.loop or folder}, with file_copy_method = clone"
                server.execute("ALTER SYSTEM SET file_copy_method = 'clone'", "SELECT pg_reload_conf()")
                for megabytes in bench.options.sizes:
                    measure_reapplying(bench, megabytes, ending=ON_REFLINKS, server=server)
    except BenchmarkError as error:
        bench.results.missing["reflinks"] = str(error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
