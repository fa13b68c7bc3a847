"""Nodes in rows."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.inspect.layering import layered

Edges = list[tuple[int, int]]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[float], Edges]:
    widths = draw(st.lists(st.floats(1, 100), min_size=1, max_size=12))
    node = st.integers(0, len(widths) - 1)
    edges = draw(st.lists(st.tuples(node, node), max_size=25, unique=True))
    return widths, [(a, b) for a, b in edges if a != b]


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_boxes_of_a_row_do_not_overlap_and_routes_go_down_row_by_row(
    graph: tuple[list[float], Edges],
) -> None:
    widths, edges = graph
    made = layered(widths, edges, 10)
    level = {node: n for n, row in enumerate(made.rows) for node in row}
    assert {node for node in level if node < len(widths)} == set(range(len(widths)))
    for row in made.rows:
        own = [node for node in row if node < len(widths)]
        for left, right in pairwise(own):
            distance = made.centres[right] - made.centres[left]
            assert distance >= (widths[left] + widths[right]) / 2 + 10 - 1e-6
    for (source, target), route in made.routes.items():
        assert {route[0], route[-1]} == {source, target}
        assert [level[node] for node in route] == list(
            range(level[route[0]], level[route[0]] + len(route))
        )


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_without_cycles_every_edge_leads_down(graph: tuple[list[float], Edges]) -> None:
    widths, edges = graph
    forward = [(min(edge), max(edge)) for edge in edges]
    made = layered(widths, list(dict.fromkeys(forward)), 10)
    assert all(route[0] == source for (source, _), route in made.routes.items())


def test_a_chain_stands_in_one_column() -> None:
    made = layered([50, 70, 30], [(0, 1), (1, 2)], 10)
    assert made.rows == [[0], [1], [2]]
    assert len(set(made.centres)) == 1


def test_sources_stand_just_above_what_reads_them() -> None:
    made = layered([10] * 4, [(0, 1), (1, 2), (3, 2)], 10)
    assert 3 in made.rows[1]
