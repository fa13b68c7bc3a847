"""The command: `python -m benchmarks`.

It makes the peers' environments in benchmarks/.envs the first time, checks for every workload that
all sides compute the same, times them in turn, prints tables and writes JSON, a plot and a page.
A side that cannot be measured does not keep the others from it. If a side computes something else
than the others, the exit status is 1.

With `--busy N`, so many spinning processes run beside every system, and Thalweg takes part once
more with one thread: what it makes of more threads should not be slower than that.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import environments, machine, measure, plot, report, roofline
from benchmarks.errors import BenchmarkError
from benchmarks.measure import System
from benchmarks.neighbours import Neighbours
from benchmarks.peers import PEERS, SINGLE, THALWEG
from benchmarks.process import PATIENCE, ROOT, confine
from benchmarks.results import Report
from benchmarks.workloads import OVERHEADS, STARTED, WORKLOADS
from thalweg.base import settings

DOCS = ROOT / "docs" / "benchmarks.md"
DOCS_PLOT = DOCS.with_suffix(".svg")
RESULTS, JSON = ROOT / "benchmarks" / ".results", "latest.json"
IMPORT_RUNS, START_RUNS = 5, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; the process's exit status."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.write_docs and (options.only or options.peers or options.busy):
        parser.error("--write-docs: the page shows everything; leave --only, --peers, --busy out")
    options.json = options.json or RESULTS / (f"busy_{options.busy}.json" if options.busy else JSON)
    made = run(options)
    print(report.text(made))
    print(f"written: {options.json}")
    if options.plot:
        write(plot.draw(made.results), options.plot)
    if options.write_docs:
        write(plot.draw(made.results), DOCS_PLOT)
        write(report.page(made, DOCS_PLOT.name), DOCS)
    for line in made.wrong:
        print(f"benchmarks: wrong values: {line}", file=sys.stderr)
    return 1 if made.wrong else 0


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
    parser.add_argument(
        "--patience",
        type=positive,
        default=int(PATIENCE),
        metavar="SECONDS",
        help=f"for a worker's answer, after which it is killed (default: {PATIENCE:.0f})",
    )
    parser.add_argument(
        "--busy",
        type=not_negative,
        default=0,
        metavar="N",
        help="spinning processes beside every system (default: 0); without imports and starts",
    )
    parser.add_argument("--json", type=Path, help=f"default: {JSON} or busy_N.json in {RESULTS}")
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


def not_negative(text: str) -> int:
    """A whole number of at least 0.

    Raises:
        ValueError: it is not.
    """
    return positive(text) if text != "0" else 0


def run(options: argparse.Namespace) -> Report:
    """Measure what the options ask for. With `--only` or `--busy`, starts and imports are left out.

    What is measured so far is in the JSON file after each workload.
    """
    threads = options.threads
    cores = settings.cpu_count()
    confine(threads)
    usual = [name for name, peer in PEERS.items() if peer.is_usual]
    systems = [system(name, threads, options.patience) for name in options.peers or usual]
    there = [s for s in systems if not s.not_run]
    if options.busy and systems[0].peer is THALWEG:
        systems.insert(1, replace(systems[0], peer=SINGLE, threads=1))
    limits = roofline.measure(threads)
    versions = {s.peer.label: dict(s.versions) for s in there}
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    where = machine.describe(cores, threads, versions, limits)
    made = Report(date, options.rounds, where, [], busy=options.busy)
    for name in options.only or WORKLOADS:
        with Neighbours(options.busy):
            result = measure.measure(WORKLOADS[name], systems, options.rounds, limits, options.busy)
        if WORKLOADS[name] in OVERHEADS:
            made = replace(made, overheads=[*made.overheads, result])
        else:
            made = replace(made, results=[*made.results, result])
        save(made, options.json)
    for one in [] if options.only or options.busy else there:
        made = with_start(made, one)
        save(made, options.json)
    return made


def system(name: str, threads: int, patience: float = PATIENCE) -> System:
    """A system in its environment, or the reason why there is none."""
    peer = PEERS[name]
    try:
        python = environments.ensure(peer)
    except BenchmarkError as error:
        return System(peer, "", threads, not_run=f"no environment: {error}")
    return System(peer, python, threads, patience=patience).checked()


def with_start(made: Report, system: System) -> Report:
    """The report with how long a system takes to import and to begin, or why that is not known."""
    imports, notes = list(made.imports), list(made.notes)
    try:
        imports.append(measure.import_time(system, IMPORT_RUNS))
    except BenchmarkError as error:
        notes.append(f"import of {system.peer.label}: {error}")
    starts = list(made.starts)
    for workload in STARTED:
        new, failed = measure.starts(workload, system, START_RUNS)
        starts, notes = [*starts, *new], [*notes, *failed]
    return replace(made, imports=imports, starts=starts, notes=notes)


def save(made: Report, path: Path) -> None:
    """Write the JSON file: whole, whenever the command is stopped."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(report.json_text(made), encoding="utf-8")
    partial.replace(path)


def write(text: str, path: Path) -> None:
    """Write a file, and its folder if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(f"written: {path}")


if __name__ == "__main__":
    sys.exit(main())
