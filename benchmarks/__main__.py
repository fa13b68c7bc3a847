"""The command: `python -m benchmarks`.

It makes the peers' environments in benchmarks/.envs the first time, checks for every workload that
all sides compute the same, times them in turn, prints tables and writes JSON, a plot and a page.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import environments, machine, measure, plot, report, roofline
from benchmarks.errors import BenchmarkError
from benchmarks.measure import System
from benchmarks.peers import PEERS
from benchmarks.process import ROOT, confine
from benchmarks.results import Report
from benchmarks.workloads import OVERHEADS, STARTED, WORKLOADS
from thalweg.base import settings

DOCS = ROOT / "docs" / "benchmarks.md"
DOCS_PLOT = DOCS.with_suffix(".svg")
JSON = ROOT / "benchmarks" / ".results" / "latest.json"
IMPORT_RUNS, START_RUNS = 5, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; the process's exit status."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.write_docs and (options.only or options.peers):
        parser.error("--write-docs: the page shows everything; leave --only and --peers out")
    try:
        made = run(options)
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    print(report.text(made))
    write(report.json_text(made), options.json)
    if options.plot:
        write(plot.draw(made.results), options.plot)
    if options.write_docs:
        write(plot.draw(made.results), DOCS_PLOT)
        write(report.page(made, DOCS_PLOT.name), DOCS)
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Time Thalweg and its peers, side by side."
    )
    parser.add_argument("--rounds", type=positive, default=7, help="of each side (default: 7)")
    parser.add_argument(
        "--threads",
        type=positive,
        default=settings.cpu_count(),
        help="of each side (default: all that this process may use)",
    )
    parser.add_argument(
        "--only", nargs="+", choices=list(WORKLOADS), metavar="WORKLOAD", help=", ".join(WORKLOADS)
    )
    parser.add_argument(
        "--peers", nargs="+", choices=list(PEERS), metavar="PEER", help=", ".join(PEERS)
    )
    parser.add_argument("--json", type=Path, default=JSON, help=f"default: {JSON}")
    parser.add_argument("--plot", type=Path, help="write an SVG")
    parser.add_argument("--write-docs", action="store_true", help=f"write {DOCS} and its plot")
    return parser


def positive(text: str) -> int:
    """A whole number of at least 1.

    Raises:
        ValueError: it is not.
    """
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


def run(options: argparse.Namespace) -> Report:
    """Measure what the options ask for. With `--only`, starts and imports are left out.

    Raises:
        BenchmarkError: a worker failed, or the sides disagree.
    """
    threads, rounds = options.threads, options.rounds
    cores = settings.cpu_count()
    confine(threads)
    systems = [system(name, threads) for name in options.peers or PEERS]
    there = [s for s in systems if not s.not_run]
    limits = roofline.measure(threads)
    chosen = [WORKLOADS[name] for name in options.only or WORKLOADS]
    results = [measure.measure(workload, systems, rounds, limits) for workload in chosen]
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    small = {workload.name for workload in OVERHEADS}
    return Report(
        date,
        rounds,
        machine.describe(cores, threads, {s.peer.label: versions(s) for s in there}, limits),
        [result for result in results if result.name not in small],
        [result for result in results if result.name in small],
        [] if options.only else [measure.import_time(s, IMPORT_RUNS) for s in there],
        []
        if options.only
        else [row for s in there for row in measure.starts(STARTED, s, START_RUNS)],
    )


def system(name: str, threads: int) -> System:
    """A system in its environment, or the reason why there is none."""
    try:
        return System(PEERS[name], environments.ensure(PEERS[name]), threads)
    except BenchmarkError as error:
        return System(PEERS[name], "", threads, not_run=f"no environment: {error}")


def versions(system: System) -> dict[str, str]:
    """What it runs on."""
    with system.start() as worker:
        found: dict[str, str] = worker.ask("hello")["versions"]
    return found


def write(text: str, path: Path) -> None:
    """Write a file, and its folder if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(f"written: {path}")


if __name__ == "__main__":
    sys.exit(main())
