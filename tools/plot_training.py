"""Draw a log of `thalweg train mnist --log` as an SVG: error over steps, on a log scale."""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Sequence
from pathlib import Path

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 28, 40, 44
SERIES = {
    "train_accuracy": ("training batches, dropout on", "#9aa7b1"),
    "validation_accuracy": ("validation set", "#0b6e99"),
}
ERRORS = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)  # grid lines

Points = list[tuple[float, float]]


def read(path: Path, network: str) -> dict[str, Points]:
    """Step and error (1 - accuracy) of each series."""
    series: dict[str, Points] = {name: [] for name in SERIES}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["network"] == network:
                for name, points in series.items():
                    if row[name]:
                        points.append((float(row["step"]), 1 - float(row[name])))
    return series


class Plot:
    """Maps steps and errors to the drawing."""

    def __init__(self, last_step: float) -> None:
        self.last_step = last_step

    def x(self, step: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * step / self.last_step

    def y(self, error: float) -> float:
        high, low = math.log(ERRORS[0]), math.log(ERRORS[-1])
        position = (high - math.log(min(max(error, ERRORS[-1]), ERRORS[0]))) / (high - low)
        return TOP + (HEIGHT - TOP - BOTTOM) * position

    def line(self, points: Points, colour: str) -> str:
        path = " ".join(f"{self.x(step):.1f},{self.y(error):.1f}" for step, error in points)
        return f'<polyline fill="none" stroke="{colour}" stroke-width="1.6" points="{path}"/>'


def text(x: float, y: float, words: str, anchor: str = "middle", colour: str = "#333") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{words}</text>'


def grid(plot: Plot) -> list[str]:
    parts = []
    for error in ERRORS:
        y = plot.y(error)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#e4e8eb"/>')
        parts.append(text(LEFT - 8, y + 4, f"{error:.1%}", "end"))
    for part in range(5):
        step = plot.last_step * part / 4
        parts.append(text(plot.x(step), HEIGHT - BOTTOM + 18, f"{step:,.0f}"))
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "steps"))
    return parts


def draw(series: dict[str, Points], title: str) -> str:
    """The whole SVG."""
    plot = Plot(max(step for points in series.values() for step, _ in points))
    parts = [text(LEFT, 20, title, "start"), *grid(plot)]
    for number, (name, points) in enumerate(series.items()):
        label, colour = SERIES[name]
        parts.append(plot.line(points, colour))
        parts.append(text(WIDTH - RIGHT, 20 + 16 * number, label, "end", colour))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">'
    )
    background = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
    return "\n".join([head, background, *parts, "</svg>", ""])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--network", default="cnn")
    parser.add_argument("--title", default="Classification error")
    options = parser.parse_args(arguments)
    options.output.write_text(draw(read(options.log, options.network), options.title))


if __name__ == "__main__":
    main()
