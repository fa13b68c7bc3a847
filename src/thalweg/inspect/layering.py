"""Places the nodes of a graph in rows, so that edges lead down and seldom cross.

Sugiyama's method: turn edges that close a cycle, give each node the row below its lowest
predecessor, let long edges pass through points in the rows between, order each row by the means of
its neighbours, and move nodes towards these means.

Source: K. Sugiyama, S. Tagawa, M. Toda, "Methods for visual understanding of hierarchical system
structures", IEEE Transactions on Systems, Man, and Cybernetics 11 (1981).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from thalweg.base.record import Record

__all__ = ["Layering", "layered"]

SWEEPS = 12
POINT_WIDTH = 18.0  # that a long edge takes in each row between

Edge = tuple[int, int]


class Layering(Record):
    """Rows and places.

    Attributes:
        rows: the nodes of each row from left to right; numbers beyond those of the nodes are points
            of long edges.
        centres: the middle of each node and point.
        routes: for each edge, its ends and the points between; the upper end comes first.
    """

    rows: list[list[int]]
    centres: list[float]
    routes: dict[Edge, list[int]]


def layered(widths: Sequence[float], edges: Sequence[Edge], gap: float) -> Layering:
    """Place nodes.

    Args:
        widths: of the nodes, in the order in which those of one row should stand if in doubt.
        edges: pairs of numbers of nodes.
        gap: the least distance between two nodes of a row.
    """
    count = len(widths)
    closing = _closing(count, edges)
    down = {edge: (edge[1], edge[0]) if edge in closing else edge for edge in edges}
    levels = _levels(count, sorted(set(down.values())))
    rows: list[list[int]] = [[] for _ in range(max(levels, default=0) + 1)]
    for node, level in enumerate(levels):
        rows[level].append(node)
    sizes = list(widths)
    routes: dict[Edge, list[int]] = {}
    for edge in edges:
        upper, lower = down[edge]
        points = list(range(len(sizes), len(sizes) + levels[lower] - levels[upper] - 1))
        for level, point in enumerate(points, levels[upper] + 1):
            rows[level].append(point)
            sizes.append(POINT_WIDTH)
        routes[edge] = [upper, *points, lower]
    if all(len(row) < 2 for row in rows):
        return Layering(rows, [0.0] * len(sizes), routes)
    above, below = _neighbours(len(sizes), routes.values())
    _order(rows, above, below)
    return Layering(rows, _centres(rows, sizes, above, below, gap), routes)


def _closing(count: int, edges: Sequence[Edge]) -> set[Edge]:
    """Edges that lead back to where a walk from the first nodes on has come from."""
    after: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        after[source].append(target)
    closing, state = set(), [0] * count  # 1: on the way, 2: done
    for start in range(count):
        stack = [(start, iter(after[start]))] if not state[start] else []
        state[start] = state[start] or 1
        while stack:
            node, targets = stack[-1]
            for target in targets:
                if state[target] == 1:
                    closing.add((node, target))
                elif not state[target]:
                    state[target] = 1
                    stack.append((target, iter(after[target])))
                    break
            else:
                state[node] = 2
                stack.pop()
    return closing


def _levels(count: int, edges: Sequence[Edge]) -> list[int]:
    """The row of each node: below all before it, and sources just above what reads them."""
    after: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    for source, target in edges:
        if source != target:
            after[source].append(target)
            waiting[target] += 1
    sources = {node for node in range(count) if not waiting[node]}
    levels, ready = [0] * count, sorted(sources)
    for node in ready:  # grows
        for target in after[node]:
            levels[target] = max(levels[target], levels[node] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    for node in sources:
        if after[node]:
            levels[node] = min(levels[target] for target in after[node]) - 1
    return levels


def _neighbours(
    count: int, routes: Iterable[Sequence[int]]
) -> tuple[list[list[int]], list[list[int]]]:
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    for route in routes:
        for upper, lower in pairwise(route):
            below[upper].append(lower)
            above[lower].append(upper)
    return above, below


def _order(rows: list[list[int]], above: list[list[int]], below: list[list[int]]) -> None:
    """Sort each row by the mean places of the neighbours, downwards and upwards in turn."""
    place: dict[int, float] = {}
    for row in rows:
        place.update({node: n / max(1, len(row) - 1) for n, node in enumerate(row)})
    for sweep in range(SWEEPS):
        near = below if sweep % 2 else above
        for row in reversed(rows) if sweep % 2 else rows:
            means = {node: _mean(place, near[node], place[node]) for node in row}
            row.sort(key=means.__getitem__)
            place.update({node: n / max(1, len(row) - 1) for n, node in enumerate(row)})


def _mean(place: dict[int, float] | list[float], nodes: Sequence[int], otherwise: float) -> float:
    return sum(place[node] for node in nodes) / len(nodes) if nodes else otherwise


def _centres(
    rows: list[list[int]],
    widths: Sequence[float],
    above: list[list[int]],
    below: list[list[int]],
    gap: float,
) -> list[float]:
    centres = [0.0] * len(widths)
    for row in rows:
        _separate(row, [0.0] * len(row), widths, centres, gap)
    for sweep in range(SWEEPS):
        for row in reversed(rows) if sweep % 2 else rows:
            near = below if sweep % 2 else above
            wanted = [_mean(centres, near[node], centres[node]) for node in row]
            _separate(row, wanted, widths, centres, gap)
    return centres


def _separate(
    row: list[int],
    wanted: list[float],
    widths: Sequence[float],
    centres: list[float],
    gap: float,
) -> None:
    """Bring the nodes of a row as near as may be to where they are wanted.

    The mean of the leftmost and of the rightmost arrangement that keep the distances keeps them.
    """
    room = [(widths[a] + widths[b]) / 2 + gap for a, b in pairwise(row)]
    right, left = list(wanted), list(wanted)
    for n, distance in enumerate(room):
        right[n + 1] = max(right[n + 1], right[n] + distance)
    for n in reversed(range(len(room))):
        left[n] = min(left[n], left[n + 1] - room[n])
    for node, one, other in zip(row, right, left, strict=True):
        centres[node] = (one + other) / 2
