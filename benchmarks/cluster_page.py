"""Writes what `benchmarks.cluster_model` has found: a page, and a picture for each network."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from benchmarks.process import ROOT

if TYPE_CHECKING:
    from benchmarks.cluster_model import Costs

__all__ = ["write"]

Tables = Mapping[str, Mapping[str, Sequence[float]]]
Checks = Sequence[tuple[str, float, float]]

WIDTH, HEIGHT, LEFT, TOP, LEGEND = 820, 330, 60, 40, 240
COLOURS = ("#0b6e99", "#d9662b", "#7a5aa6", "#e0a526", "#4f7f3f", "#b04a7a")

HEAD = """# How far each way of training scales

`python -m benchmarks.cluster_model --write` writes this page. It is a simulation: only the costs in
the first table and the two runs in the second were measured, on one machine with two cores. Thalweg
has all-reduce and local steps; parameter servers and pipelines are predictions alone. The network
is the tutorial's convolutional network, with 3.3 million variables (13.1 MB) and mini-batches of 50
a worker.

The simulation draws the time of each step from measured ones, so its stragglers are those of that
machine. It does not know that switches get congested, that machines fail, or how many more steps
stale gradients or larger batches need to reach the same accuracy. *Efficiency* is the steps a
second of all workers through the number of workers, relative to one worker alone. There is one
parameter server for four workers.
"""


def write(
    costs: Costs,
    here: Costs,
    checks: Checks,
    tables: Tables,
    workers: Sequence[int],
    to_docs: bool,
) -> None:
    """Print the page, or write it to `docs/` with its picture."""
    page = "\n".join(
        [HEAD, *_measured(costs, here), *_checked(checks), *_predicted(tables, workers)]
    )
    if not to_docs:
        print(page)
        return
    (ROOT / "docs" / "cluster_model.md").write_text(page)
    (ROOT / "docs" / "cluster_model.svg").write_text(picture(tables, workers))


def _measured(costs: Costs, here: Costs) -> list[str]:
    steps = costs.steps
    return [
        "## What was measured",
        "",
        "| cost | value |",
        "|---|---|",
        "| a step of one process of one thread, while another one trains: median | "
        f"{statistics.median(steps) * 1e3:.1f} ms |",
        f"| the same: mean and slowest | {statistics.mean(steps) * 1e3:.1f} and "
        f"{max(steps) * 1e3:.1f} ms |",
        f"| a small message between two processes | {costs.latency * 1e6:.0f} us |",
        f"| sending a byte between two processes | {costs.byte * 1e9:.2f} ns |",
        f"| copying a byte to shared memory | {here.byte * 1e9:.2f} ns |",
        f"| adding a byte of two gradients | {costs.adding * 1e9:.2f} ns |",
        f"| applying a byte of gradients | {costs.update * 1e9:.2f} ns |",
        "",
    ]


def _checked(checks: Checks) -> list[str]:
    lines = [
        "## Two workers of this machine, predicted and real",
        "",
        "| way | predicted | real | real / predicted |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {way} | {predicted:.1f} steps/s | {real:.1f} steps/s | {real / predicted:.2f} |"
        for way, predicted, real in checks
    ]
    return [
        *lines,
        "",
        "Local steps copy the variables in every step, which the simulation leaves out. "
        "Other ways were not run for this table.",
        "",
    ]


def _predicted(tables: Tables, workers: Sequence[int]) -> list[str]:
    lines = ["## Predictions", "", "![efficiency](cluster_model.svg)", ""]
    for network, ways in tables.items():
        lines += [f"### A network of {network}", ""]
        lines += ["| workers | " + " | ".join(ways) + " |", "|---" * (len(ways) + 1) + "|"]
        for n, count in enumerate(workers):
            row = [f"{100 * values[n]:.0f} %" for values in ways.values()]
            lines.append(f"| {count:,} | " + " | ".join(row) + " |")
        lines += ["", _winners(ways, workers), ""]
    return lines


def _winners(ways: Mapping[str, Sequence[float]], workers: Sequence[int]) -> str:
    """Where each way is the fastest, in words."""
    best = [max(ways, key=lambda way: ways[way][n]) for n in range(1, len(workers))]
    parts: list[str] = []
    begin = 0
    for n in range(1, len(best) + 1):
        if n == len(best) or best[n] != best[begin]:
            first, last = workers[begin + 1], workers[n]
            span = f"{first:,} to {last:,}" if first != last else f"{first:,}"
            parts.append(f"{best[begin]} with {span} workers")
            begin = n
    exact = {way: values for way, values in ways.items() if way == "all-reduce" or "sync" in way}
    exact = {way: values for way, values in exact.items() if "asynchronous" not in way}
    last_best = max(exact, key=lambda way: exact[way][-1])
    return (
        f"Most steps a second: {'; '.join(parts)}. Of the ways in which every step is that of one "
        f"large batch, {last_best} is the fastest with {workers[-1]:,} workers."
    )


# -- the picture


def picture(tables: Tables, workers: Sequence[int]) -> str:
    """Efficiency over the number of workers, one panel for each network, as an SVG."""
    panels = [
        _panel(network, ways, workers, TOP + n * (HEIGHT + TOP))
        for n, (network, ways) in enumerate(tables.items())
    ]
    height = len(panels) * (HEIGHT + TOP) + TOP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">'
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>'
    )
    return "\n".join([head, *panels, "</svg>"]) + "\n"


def _panel(
    network: str, ways: Mapping[str, Sequence[float]], workers: Sequence[int], top: int
) -> str:
    wide = WIDTH - LEFT - LEGEND
    tall = HEIGHT - TOP

    def x(count: int) -> float:
        return LEFT + wide * math.log(count) / math.log(workers[-1])

    def y(value: float) -> float:
        return top + tall * (1 - value / 1.1)

    parts = [f'<text x="{LEFT}" y="{top - 8}" font-weight="bold">Efficiency, {network}</text>']
    parts += [
        f'<line x1="{LEFT}" x2="{LEFT + wide}" y1="{y(share):.1f}" y2="{y(share):.1f}" '
        f'stroke="#ddd"/><text x="{LEFT - 8}" y="{y(share) + 4:.1f}" text-anchor="end">'
        f"{share:.0%}</text>"
        for share in (0, 0.25, 0.5, 0.75, 1)
    ]
    parts += [
        f'<text x="{x(count):.1f}" y="{top + tall + 16}" text-anchor="middle" '
        f'font-size="10">{count:,}</text>'
        for count in workers
    ]
    for n, (way, values) in enumerate(ways.items()):
        points = " ".join(f"{x(c):.1f},{y(v):.1f}" for c, v in zip(workers, values, strict=True))
        colour, label = COLOURS[n], top + 14 + 18 * n
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
            f'<rect x="{WIDTH - LEGEND + 16}" y="{label - 9}" width="12" height="4" '
            f'fill="{colour}"/><text x="{WIDTH - LEGEND + 34}" y="{label - 3}">{way}</text>'
        )
    return "\n".join(parts)
