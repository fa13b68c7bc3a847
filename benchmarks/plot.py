"""Draws every side's time relative to Thalweg's as an SVG: a group of bars for each workload."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.results import Result, Side, digits

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 860, 150, 250, 56, 30
BAR, GAP = 13, 16  # heights: of a bar, and between groups
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
LEAST, MOST = 0.8, 3.0  # the axis shows at least this range of ratios
COLOURS = {
    "Thalweg": "#0b6e99",
    "Thalweg, one thread": "#6ba7c2",
    "PyTorch": "#d9662b",
    "TensorFlow": "#e0a526",
    "JAX": "#7a5aa6",
    "NumPy": "#8a9aa5",
    "ONNX Runtime": "#4f7f3f",
    "OpenVINO": "#b04a7a",
}
TITLE = "Time relative to Thalweg (less is faster)"


class Axis:
    """Maps ratios to the drawing, on a log scale.

    Args:
        ratios: all that are shown.
    """

    def __init__(self, ratios: Sequence[float]) -> None:
        self.low = math.log(min([LEAST, *ratios]) / 1.08)
        self.high = math.log(max([MOST, *ratios]) * 1.08)

    def x(self, ratio: float) -> float:
        """Where a ratio is, from left to right."""
        share = (math.log(ratio) - self.low) / (self.high - self.low)
        return LEFT + (WIDTH - LEFT - RIGHT) * share

    def ticks(self) -> list[float]:
        """The round ratios that are on it."""
        return [t for t in TICKS if self.low <= math.log(t) <= self.high]


def draw(results: Sequence[Result]) -> str:
    """The whole SVG. Workloads that Thalweg did not take part in are left out."""
    shown = [result for result in results if result.thalweg]
    axis = Axis([ratio(result, side) for result in shown for side in result.measured])
    groups, y = [], float(TOP)
    for result in shown:
        groups += group(result, axis, y)
        y += BAR * len(result.sides) + GAP
    height = y - GAP + BOTTOM
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        f'width="{WIDTH}" height="{height:.0f}" font-family="sans-serif" font-size="11">'
    )
    background = f'<rect width="{WIDTH}" height="{height:.0f}" fill="white"/>'
    title = f'<text x="{LEFT}" y="22" font-size="14" fill="#333">{TITLE}</text>'
    parts = [head, background, title, *grid(axis, y - GAP), *groups, "</svg>", ""]
    return "\n".join(parts)


def grid(axis: Axis, bottom: float) -> list[str]:
    """A line for each round ratio, above all at 1."""
    parts = []
    for tick in axis.ticks():
        x, colour = axis.x(tick), "#9aa7b1" if tick == 1 else "#e4e8eb"
        parts.append(f'<path d="M{x:.1f} {TOP - 6}V{bottom + 6:.1f}" stroke="{colour}"/>')
        parts.append(text(x, TOP - 12, f"{tick:g}x", "middle"))
        parts.append(text(x, bottom + 20, f"{tick:g}x", "middle"))
    return parts


def group(result: Result, axis: Axis, y: float) -> list[str]:
    """A workload's bars, each from 1 to the side's ratio and with its time beside it."""
    middle = y + BAR * len(result.sides) / 2
    parts = [text(LEFT - 12, middle + 4, result.name, "end", weight="bold")]
    for number, side in enumerate(result.sides):
        parts += bar(result, side, axis, y + BAR * number)
    return parts


def bar(result: Result, side: Side, axis: Axis, y: float) -> list[str]:
    """One side."""
    if side.missing:
        outcome = "FAILED" if side.wrong else "not run"
        return [text(axis.x(1) + 6, y + BAR - 3, f"{side.name}: {outcome}")]
    value, colour = ratio(result, side), COLOURS.get(side.system, "#555")
    start, end = sorted((axis.x(1), axis.x(value)))
    width = max(end - start, 2)
    label = f"{side.name} {digits(side.median)} ms"
    return [
        f'<rect x="{start:.1f}" y="{y + 1:.1f}" width="{width:.1f}" height="{BAR - 2}" '
        f'fill="{colour}"/>',
        text(start + width + 6, y + BAR - 3, f"{label} ({value:.2g}x)", colour="#333"),
    ]


def ratio(result: Result, side: Side) -> float:
    """A side's time relative to Thalweg's, which took part."""
    assert result.thalweg is not None
    return side.median / result.thalweg.median


def text(
    x: float,
    y: float,
    words: str,
    anchor: str = "start",
    colour: str = "#555",
    weight: str = "normal",
) -> str:
    """A line of text."""
    halo = 'stroke="white" stroke-width="3" paint-order="stroke"'
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" '
        f'font-weight="{weight}" {halo}>{words}</text>'
    )
