"""What a graph looks like, what a run does and costs.

In a notebook, graphs, tensors, operations, variables, sessions and explanations display themselves.
"""

from __future__ import annotations

from thalweg.graph import Graph
from thalweg.graph.node import Hooks

__all__ = ["draw", "picture"]


def draw(graph: Graph) -> str:
    """The graph as an HTML page that needs nothing else, in which scopes open and close.

    It is what a notebook shows, too. `Path("graph.html").write_text(draw(graph))` keeps it.
    """
    from thalweg.inspect.display import page

    return page(graph)


def picture(graph: Graph) -> str:
    """The graph as an SVG picture with all scopes closed."""
    from thalweg.inspect.drawing import picture

    return picture(graph)


def _html(item: object) -> str | None:
    """What a notebook shows of an object."""
    from thalweg.inspect.display import html_of

    return html_of(item)


Hooks.html = staticmethod(_html)
