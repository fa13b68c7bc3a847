"""Writes what was measured: a table, a page of the documentation, JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.results import Report, Side

HEADINGS = ("Workload", "Thalweg ms/step", "PyTorch ms/step", "times faster")

PAGE = """\
<!-- Written by `python -m benchmarks --write-docs`; changes made by hand are lost. -->

# Benchmarks

One training step of Thalweg and of PyTorch, on the machine below: the median of {rounds} rounds.

{table}

The smallest and the largest round, in ms/step:

{spread}

Time to import, beyond NumPy, the median of fresh processes:

{imports}

## How it was measured

    python -m benchmarks --rounds {rounds} --threads {threads} --write-docs

- The two take turns, round by round, in the same minutes. Each is a process of its own that does
  nothing while the other runs, and each is told to use {threads} threads.
- A round starts from the same weights, makes some steps to warm up, and then a fixed number of
  timed ones. Each step is fed its batch from memory; the loss is not read.
- Both sides start from the same weights and see the same batches. Before anything is timed, three
  steps without dropout must give the same losses, as far as rounding goes; the difference is below.
- PyTorch runs in eager mode, in the fastest of the ways that its worker knows for the workload
  (memory layout, fused optimiser), chosen by trials.

{checks}

## Where and when

{machine}
"""


def table(report: Report) -> str:
    """The workloads and who is how fast."""
    rows = [
        (r.title, f"{r.thalweg.median:.3g}", f"{r.peer.median:.3g}", f"{r.ratio:.2f}")
        for r in report.results
    ]
    return _markdown(HEADINGS, rows)


def imports_table(report: Report) -> str:
    """How long the packages take to import."""
    rows = [(f"`import {i.package}`", f"{i.median:.0f}") for i in report.imports]
    return _markdown(("Import", "ms"), rows)


def page(report: Report) -> str:
    """The documentation's page."""
    return PAGE.format(
        rounds=report.rounds,
        threads=report.machine.threads,
        table=table(report),
        spread=_spread(report),
        imports=imports_table(report),
        checks=_checks(report),
        machine=machine_text(report),
    )


def machine_text(report: Report) -> str:
    """The machine, its software, the date, and a warning if something else was running."""
    m = report.machine
    lines = [
        f"- {m.cpu}, {m.cores} cores; {m.threads} threads used; {m.system}",
        *(f"- {name}: {_versions(v)}" for name, v in m.versions.items()),
        f"- {report.date}",
    ]
    return "\n".join(lines + _warning(report))


def write_json(report: Report, path: Path) -> None:
    """Write everything as JSON, with the folder for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report.to_json(), indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _warning(report: Report) -> list[str]:
    if not report.disturbed:
        return []
    return [
        f"- **Disturbed**: between the rounds, other programs kept {report.others:.1f} cores busy. "
        "Take these figures for a trial, not for a comparison."
    ]


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{package} {version}" for package, version in versions.items())


def _spread(report: Report) -> str:
    rows = [(r.name, _range(r.thalweg), _range(r.peer)) for r in report.results]
    return _markdown(("Workload", "Thalweg", "PyTorch"), rows)


def _range(side: Side) -> str:
    return f"{min(side.ms_per_step):.3g} to {max(side.ms_per_step):.3g}"


def _checks(report: Report) -> str:
    rows = [
        (r.name, f"{r.difference:.1e}", f"{r.tolerance:.0e}", r.peer.variant or "-")
        for r in report.results
    ]
    headings = ("Workload", "Losses differ by (relative)", "Allowed", "PyTorch's way")
    return _markdown(headings, rows)


def _markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose columns line up in plain text as well: the first to the left."""
    columns = list(zip(headings, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    rule = ["-" * widths[0], *("-" * (w - 1) + ":" for w in widths[1:])]

    def line(cells: Sequence[str]) -> str:
        padded = [cells[0].ljust(widths[0])]
        padded += [c.rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True)]
        return f"| {' | '.join(padded)} |"

    return "\n".join(line(cells) for cells in (headings, rule, *rows))
