"""What a notebook shows of graphs, tensors, sessions and the like: HTML that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from thalweg.graph import Graph, Operation, Tensor
from thalweg.inspect.drawing import picture
from thalweg.inspect.explain import Explanation, operations
from thalweg.inspect.style import LEGEND, SCRIPT, TABLES
from thalweg.inspect.text import amount
from thalweg.ops.state.variable import Variable
from thalweg.session.session import Session

__all__ = ["html_of", "page"]

MOST_ROWS = 200  # of a table
LONGEST = 120  # of a kernel's operations, in characters


def page(graph: Graph) -> str:
    """The graph as a page of its own."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>A graph</title>'
        "<style>:root { color-scheme: light dark; } body { font: 14px system-ui, sans-serif; }"
        f"</style></head>\n<body>{_graph(graph)}</body></html>\n"
    )


def html_of(item: object) -> str | None:
    """What a notebook shows of an object; None for those that it shows as text."""
    match item:
        case Graph():
            return _graph(item)
        case Tensor():
            return _details(item, _of_tensor(item))
        case Operation():
            return _details(item, _of_operation(item))
        case Variable():
            return _details(item, _of_variable(item))
        case Session():
            return _details(item, _of_session(item))
        case Explanation():
            return _explanation(item)
    return None


def _graph(graph: Graph) -> str:
    many = f"{len(graph.operations):,} operation{'' if len(graph.operations) == 1 else 's'}"
    head = f"<p>graph of {many}; {LEGEND}</p>"
    drawn = f'<div style="overflow: auto; max-height: 90vh">{picture(graph)}</div>'
    return f'<div class="thalweg-graph">{head}{drawn}<script>{SCRIPT}</script></div>'


def _details(item: object, rows: Iterable[tuple[str, str]]) -> str:
    """One line, which opens to a table."""
    table = _table([], [(f"<th>{name}</th>", f"<td>{text}</td>") for name, text in rows])
    return f"<details><summary><code>{escape(repr(item))}</code></summary>{table}</details>"


def _of_tensor(tensor: Tensor) -> Iterable[tuple[str, str]]:
    yield "shape", escape(str(tensor.shape))
    yield "dtype", escape(str(tensor.dtype))
    yield from _of_operation(tensor.op)


def _of_operation(op: Operation) -> Iterable[tuple[str, str]]:
    yield "operation", f"{escape(op.name)} ({escape(op.type)})"
    yield "made at", f"<code>{escape(str(op.source))}</code>"
    if op.device:
        yield "device", escape(op.device)
    for number, tensor in enumerate(op.inputs):
        yield f"input {number}", f"{escape(tensor.name)} {escape(str(tensor.spec))}"
    for number, tensor in enumerate(op.outputs):
        yield f"output {number}", f"{escape(tensor.name)} {escape(str(tensor.spec))}"
    if op.control_inputs:
        yield "runs after", ", ".join(escape(before.name) for before in op.control_inputs)


def _of_variable(variable: Variable) -> Iterable[tuple[str, str]]:
    yield "shape", escape(str(variable.shape))
    yield "dtype", escape(str(variable.dtype))
    yield "made at", f"<code>{escape(str(variable.op.source))}</code>"


def _of_session(session: Session) -> Iterable[tuple[str, str]]:
    yield "graph", escape(repr(session.graph))
    for number, line in enumerate(session.why_recompiled[-MOST_ROWS:], 1):
        yield f"plan {number}", escape(line)


def _explanation(explanation: Explanation) -> str:
    """The kernels as a table; each row opens to its formulas."""
    if not explanation.kernels or explanation.stages:
        return f"<pre>{escape(str(explanation))}</pre>"
    rows = []
    for number, kernel in enumerate(explanation.kernels[:MOST_ROWS]):
        loops = " ".join(f"{name}&lt;{extent}" for name, extent in kernel.loops) or "once"
        formulas = escape("\n".join(kernel.formulas))
        what = escape(operations(kernel, LONGEST))
        opened = f"<details><summary>{what}</summary><pre>{formulas}</pre></details>"
        numbers = (number, loops, kernel.tile, kernel.tasks, amount(kernel.flops))
        cells = [*numbers, amount(kernel.bytes), opened]
        rows.append([f"<td>{cell}</td>" for cell in cells])
    head = ["#", "loops", "tile", "tasks", "FLOP", "bytes", "operations"]
    first = escape(explanation.text().splitlines()[0])
    return f"<p><code>{first}</code></p>{_table(head, rows)}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = f"<tr>{''.join(f'<th>{name}</th>' for name in head)}</tr>" if head else ""
    body = "".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    return f'<style>{TABLES}</style><table class="thalweg-table">{top}{body}</table>'
