"""Writes what was measured: tables, a page of the documentation, JSON."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence

from benchmarks.results import Report, Result, Side, Start, digits

PAGE = """\
<!-- Written by `python -m benchmarks --write-docs`; changes made by hand are lost. -->

# Benchmarks

Thalweg and its peers on the machine below, in the same run: the median of {rounds} rounds of each.
A step is one of training, on a batch, unless the workload says otherwise; all numbers are float32.

{summary}

*Times faster* compares with the fastest variant of any peer. *Of the limit* is the least time in
which this machine could do the step's work, as a share of the time that Thalweg takes.

![Time of every system relative to Thalweg]({plot})

## Every system

{details}

## Overheads

{overheads}

{starts}

- *Constant* and *add*: a call that returns a constant, and one that adds one to a vector of 8
  floats, from NumPy to NumPy.
- *Import*: of the package, in a fresh process where NumPy is loaded.
- *Start* and *start, cached*: to build a network and make its first step in a fresh process,
  without the import; with empty caches, and with what an earlier process left on disk.
- *New batch*: how much longer the first step at another batch size takes than the next ones.
- *Memory*: the most that a process held that trains the network, all its libraries included.

## How it was measured

    python -m benchmarks --rounds {rounds} --threads {threads} --write-docs

- The systems take turns, round by round. Each is a process of its own that does nothing while
  another runs. All may use the same {threads} CPUs, and are told to use {threads} threads.
- A round starts from the same weights, makes some steps to warm up, and then a fixed number of
  timed ones. Where steps are fed, each takes its batch from NumPy arrays in memory and the loss is
  not read; a prediction ends with NumPy's array in the caller's hands.
- All start from the same weights and see the same batches. Before anything is timed, three steps
  without dropout must give the same losses (predictions: the same probabilities), as far as
  rounding goes, and the two usual places for Adam's epsilon; the largest difference is below.
- Each peer is run in its documented best practice: PyTorch eager and through torch.compile, with
  its fused optimisers where they are faster; TensorFlow as a tf.function without and with XLA, and
  as a graph that a session of TensorFlow 1 runs, with its own optimiser kernels; JAX as one jitted
  step that donates its state, or `lax.scan` over steps. Where a variant can be run in several ways
  (memory layouts, a loop unrolled or not), trials choose the fastest. Thalweg's kernels are
  measured by `Session.tune` before. NumPy takes part where a person would write the gradients by
  hand. ONNX Runtime and OpenVINO, which only predict, are given the network as an ONNX model of one
  batch size, and compute in float32 as all others do.

{checks}

The limit: {peak:.0f} GFLOP/s of multiply-adds in registers, and memory that moves
{bandwidths}. A step's work is that of its contractions (matrix products, convolutions and their
gradients), and one read and one write of each weight and of what the optimiser keeps of it. The
multiplications are those of the formulas: who convolves with fewer, as Thalweg does, can be beyond
the limit.

## Where and when

{machine}
"""


def text(report: Report) -> str:
    """What the terminal shows."""
    tables = [details(report.results), overheads(report), starts(report), checks(report)]
    if any(result.ratio for result in report.results):
        tables.insert(0, summary(report.results))
    if any(result.by_threads for result in report.results):
        tables.insert(0, threads(report.results))
    limits = f"- limits: {_peak(report):.0f} GFLOP/s; {_bandwidths(report)}"
    parts = [*tables, notes(report), machine_text(report) + "\n" + limits]
    return "\n\n".join(filter(None, parts))


def page(report: Report, plot: str) -> str:
    """The documentation's page.

    Args:
        report: what was measured.
        plot: the address of the plot.
    """
    page = PAGE.format(
        rounds=report.rounds,
        threads=report.machine.threads,
        summary=summary(report.results),
        plot=plot,
        details=details(report.results),
        overheads=overheads(report),
        starts=starts(report),
        checks=checks(report),
        peak=_peak(report),
        bandwidths=_bandwidths(report),
        machine=machine_text(report),
    )
    return page + (f"\n## What went wrong\n\n{notes(report)}\n" if notes(report) else "")


def summary(results: Sequence[Result]) -> str:
    """A line for each workload: Thalweg and the fastest peer."""
    headings = ("Workload", "Thalweg ms", "fastest peer ms", "", "times faster", "of the limit")
    rows = []
    for result in results:
        ours, peer = result.thalweg, result.fastest_peer
        rows.append(
            (
                result.title,
                _ms(ours),
                _ms(peer),
                peer.name if peer else "-",
                f"{result.ratio:.2f}" if result.ratio else "-",
                _share(result, ours),
            )
        )
    return _markdown(headings, rows)


def threads(results: Sequence[Result]) -> str:
    """A line for each workload: Thalweg, and Thalweg with one thread."""
    headings = ("Workload", "Thalweg ms", "one thread ms", "x one thread")
    rows = [
        (r.title, _ms(r.thalweg), _ms(r.single), f"{r.by_threads:.2f}" if r.by_threads else "-")
        for r in results
    ]
    return _markdown(headings, rows)


def details(results: Sequence[Result]) -> str:
    """A line for each side of each workload."""
    headings = ("Workload", "System", "ms", "rounds", "x Thalweg", "of the limit", "way")
    rows = [_detail(result, side) for result in results for side in result.sides]
    return _markdown(headings, rows) if rows else ""


def overheads(report: Report) -> str:
    """A line for each system and variant."""
    calls = {
        result.name: {side.name: side.median * 1e3 for side in result.measured}
        for result in report.overheads
    }
    imports = {each.system: each.median for each in report.imports}
    systems = dict.fromkeys(name for times in calls.values() for name in times)
    rows = []
    for name in systems:
        imported = next((ms for label, ms in imports.items() if name.startswith(label)), None)
        cells = [calls.get("empty", {}).get(name), calls.get("add", {}).get(name), imported]
        rows.append((name, *map(_number, cells)))
    return _markdown(("System", "constant us", "add us", "import ms"), rows) if rows else ""


def starts(report: Report) -> str:
    """A line for each workload that is started, and each system and variant."""
    headings = ("Workload", "System", "start s", "start, cached s", "new batch ms", "memory MB")
    rows = [(start.workload, start.name, *_start(start)) for start in report.starts]
    return _markdown(headings, rows) if rows else ""


def checks(report: Report) -> str:
    """How far the sides were apart."""
    rows = [
        (r.name, f"{r.difference:.1e}", f"{r.tolerance:.0e}", str(len(r.measured)))
        for r in (*report.results, *report.overheads)
    ]
    return _markdown(("Workload", "Values differ by (relative)", "Allowed", "Sides"), rows)


def notes(report: Report) -> str:
    """What went wrong: wrong values first. The table of all sides has no overheads."""
    lines = [f"- **Wrong values**: {line}" for line in report.wrong]
    absent = [
        f"{result.name}: {side.name}: {side.not_run}"
        for result in report.overheads
        for side in result.sides
        if side.not_run
    ]
    return "\n".join([*lines, *(f"- not measured: {note}" for note in (*absent, *report.notes))])


def machine_text(report: Report) -> str:
    """The machine, its software, the date, and a warning if something else was running."""
    m = report.machine
    lines = [
        f"- {m.cpu}, {m.cores} cores; {m.threads} threads used; {m.system}",
        *([f"- spinning processes beside every system: {report.busy}"] if report.busy else []),
        *(f"- {name}: {_versions(v)}" for name, v in m.versions.items()),
        f"- {report.date}",
    ]
    return "\n".join(lines + _warning(report))


def json_text(report: Report) -> str:
    """Everything as JSON."""
    return json.dumps(report.to_json(), indent=2, ensure_ascii=False) + "\n"


def _detail(result: Result, side: Side) -> tuple[str, ...]:
    if side.missing:
        return (result.name, side.name, "-", "-", "-", "-", side.missing)
    spread = f"{digits(min(side.ms_per_step))} to {digits(max(side.ms_per_step))}"
    ratio = f"{side.median / result.thalweg.median:.2f}" if result.thalweg else "-"
    return (result.name, side.name, _ms(side), spread, ratio, _share(result, side), side.way or "-")


def _start(start: Start) -> tuple[str, ...]:
    cold, warm, new, peak = map(
        statistics.median,
        (start.cold_seconds, start.warm_seconds, start.new_batch_seconds, start.peak_bytes),
    )
    return (f"{cold:.2f}", f"{warm:.2f}", digits(max(new, 0.0) * 1e3), f"{peak / 1e6:.0f}")


def _ms(side: Side | None) -> str:
    return digits(side.median) if side else "-"


def _share(result: Result, side: Side | None) -> str:
    share = result.share_of_limit(side) if side else None
    return "-" if share is None else f"{share:.0%}"


def _number(value: float | None) -> str:
    return "-" if value is None else digits(value)


def _peak(report: Report) -> float:
    return report.machine.limits.flops / 1e9


def _bandwidths(report: Report) -> str:
    return ", ".join(
        f"{speed / 1e9:.0f} GB/s in {size >> 20} MiB"
        for size, speed in report.machine.limits.bandwidths.items()
    )


def _warning(report: Report) -> list[str]:
    if not report.disturbed:
        return []
    return [
        f"- **Disturbed**: between the rounds, other programs kept {report.others:.1f} cores busy. "
        "Take these figures for a trial, not for a comparison."
    ]


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{package} {version}" for package, version in versions.items())


def _markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose columns line up in plain text as well: words to the left, numbers right."""
    rows = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    columns = list(zip(headings, *rows, strict=True))
    widths = [max(3, *map(len, column)) for column in columns]
    left = [not any(c[:1].isdigit() for c in column[1:]) for column in columns]
    rule = [
        "-" * w if to_left else "-" * (w - 1) + ":" for w, to_left in zip(widths, left, strict=True)
    ]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(w) if to_left else cell.rjust(w)
            for cell, w, to_left in zip(cells, widths, left, strict=True)
        ]
        return f"| {' | '.join(padded)} |"

    return "\n".join(line(cells) for cells in (headings, rule, *rows))
