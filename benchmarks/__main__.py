"""The command: `python -m benchmarks`.

It makes the peer's environment in benchmarks/.envs the first time, checks for every workload that
both sides compute the same, times them in turn, prints a table and writes JSON.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import environments, machine, report
from benchmarks.errors import BenchmarkError
from benchmarks.measure import import_time, measure
from benchmarks.process import ROOT, Worker
from benchmarks.results import Report
from benchmarks.workloads import WORKLOADS
from thalweg.base import settings

DOCS = ROOT / "docs" / "benchmarks.md"
JSON = ROOT / "benchmarks" / ".results" / "latest.json"
IMPORT_RUNS = 9


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; the process's exit status."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.write_docs and options.only:
        parser.error("--write-docs: the page shows all workloads; leave --only out")
    try:
        made = run(options.only or list(WORKLOADS), options.rounds, options.threads)
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    print(report.table(made), report.imports_table(made), report.machine_text(made), sep="\n\n")
    report.write_json(made, options.json)
    print(f"\nwritten: {options.json}")
    if options.write_docs:
        DOCS.parent.mkdir(exist_ok=True)
        DOCS.write_text(report.page(made), encoding="utf-8")
        print(f"written: {DOCS}")
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Time Thalweg and PyTorch, side by side."
    )
    parser.add_argument("--rounds", type=positive, default=7, help="of each side (default: 7)")
    parser.add_argument(
        "--threads",
        type=positive,
        default=settings.cpu_count(),
        help="of each side (default: all that this process may use)",
    )
    parser.add_argument("--only", nargs="+", choices=list(WORKLOADS), metavar="WORKLOAD")
    parser.add_argument("--json", type=Path, default=JSON, help=f"default: {JSON}")
    parser.add_argument("--write-docs", action="store_true", help=f"write {DOCS}")
    return parser


def positive(text: str) -> int:
    """A whole number of at least 1.

    Raises:
        ValueError: it is not.
    """
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


def run(names: Sequence[str], rounds: int, threads: int) -> Report:
    """Measure these workloads and the imports.

    Raises:
        BenchmarkError: the peer cannot be set up, a worker failed, or the two sides disagree.
    """
    peer_python = environments.ensure("torch")
    imports = [
        import_time("thalweg", sys.executable, IMPORT_RUNS),
        import_time("torch", peer_python, max(1, IMPORT_RUNS // 3)),
    ]
    with (
        Worker("Thalweg", sys.executable, "benchmarks.peers.thalweg_worker", threads) as ours,
        Worker("PyTorch", peer_python, "benchmarks.peers.torch_worker", threads) as peer,
    ):
        versions = {w.name: w.ask("hello")["versions"] for w in (ours, peer)}
        results = [measure(WORKLOADS[name], ours, peer, rounds) for name in names]
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Report(date, rounds, machine.describe(threads, versions), results, imports)


if __name__ == "__main__":
    sys.exit(main())
