"""A graph as text: one line for each operation, in the order in which they were made.

%x = Placeholder : float32[?, 784]
%MatMul = MatMul(%x, %W/read) : float32[?, 10]
%Sum = Sum(axes=[1])(%MatMul) : float32[?]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.base.dtypes import DType
from thalweg.graph.body import Body
from thalweg.graph.node import Operation, Tensor
from thalweg.graph.op import Attribute

if TYPE_CHECKING:
    from thalweg.graph.graph import Graph

__all__ = ["show_graph", "show_operation"]

MAX_SHOWN_ELEMENTS = 4  # elements of a constant that are written out


def show_graph(graph: Graph, sources: bool = False) -> str:
    """The whole graph as text.

    Args:
        graph: the graph.
        sources: whether each line ends with the user's line that made the operation.
    """
    count = len(graph.operations)
    lines = [f"graph of {count:,} operation{'' if count == 1 else 's'}"]
    return "\n".join([*lines, *_lines(graph.operations, "  ", sources)])


def _lines(ops: Iterable[Operation], indent: str, sources: bool) -> Iterator[str]:
    """A line for each operation; the bodies that it holds stand below it."""
    for op in ops:
        yield indent + show_operation(op, sources)
        for name in op.record.fields:
            body = getattr(op.record, name)
            if isinstance(body, Body):
                yield f"{indent}  {name}({_listed(body.inputs)}) -> {_listed(body.outputs)}:"
                yield from _lines(_computed(body), f"{indent}    ", sources)


def _listed(tensors: Iterable[Tensor]) -> str:
    return ", ".join(map(_reference, tensors))


def _computed(body: Body) -> list[Operation]:
    """What a body computes of its inputs."""
    return [op for op in body.operations if not set(op.outputs) & set(body.inputs)]


def show_operation(op: Operation, sources: bool = False) -> str:
    """`%name = Type(attributes)(inputs) : outputs`, without what is empty or said already."""
    text = f"%{op.name} = {op.type}"
    if attributes := list(_attributes(op)):
        text += f"({', '.join(attributes)})"
    if op.inputs:
        text += f"({_listed(op.inputs)})"
    if op.outputs:
        text += f" : {', '.join(str(t.spec) for t in op.outputs)}"
    if op.control_inputs:
        text += f" after {', '.join('%' + before.name for before in op.control_inputs)}"
    return f"{text}  # {op.source}" if sources else text


def _reference(tensor: Tensor) -> str:
    several = len(tensor.op.outputs) > 1
    return "%" + (tensor.name if several else tensor.op.name)


def _attributes(op: Operation) -> Iterable[str]:
    """The record's attributes; those that only repeat the output or a default are left out."""
    shown = op.record.shown()
    for name in op.record.fields:
        value, default = getattr(op.record, name), getattr(type(op.record), name, None)
        if isinstance(value, Body):
            continue
        if name in shown:
            yield from filter(None, (shown[name],))
        elif default is not None and _same(value, default):
            continue
        elif isinstance(value, Attribute):
            yield _array(value.array)
        elif not _is_said(op, name, value):
            yield f"{name}={_text(value)}"


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


def _is_said(op: Operation, name: str, value: Any) -> bool:
    """Whether the attribute is the operation's name, or its output's shape or dtype."""
    first = op.outputs[0] if op.outputs else None
    if isinstance(value, str) and name == "name":
        return value == op.name
    if first is None:
        return False
    if name == "dtype":
        return bool(value == first.dtype)
    return name in ("shape", "dims") and bool(value == first.static_shape)


def _text(value: Any) -> str:
    match value:
        case None:
            return "None"
        case DType():
            return str(value)
        case bool() | int() | float() | str():
            return repr(value)
        case np.generic():
            return repr(value.item())
        case tuple() | list():
            return f"[{', '.join(map(_text, value))}]"
        case Tensor():
            return _reference(value)
    return type(value).__name__


def _array(array: np.ndarray[Any, Any]) -> str:
    """A constant: its elements if they are few, otherwise its first ones."""
    if array.ndim == 0:
        return _number(array[()])
    flat = array.reshape(-1)
    if flat.size > MAX_SHOWN_ELEMENTS and bool((flat == flat[0]).all()):
        return f"all {_number(flat[0])}"
    shown = [_number(element) for element in flat[:MAX_SHOWN_ELEMENTS]]
    if flat.size > MAX_SHOWN_ELEMENTS:
        shown.append(f"... {flat.size:,} elements")
    return f"[{', '.join(shown)}]"


def _number(value: Any) -> str:
    if isinstance(value, bytes):
        return repr(value.decode(errors="backslashreplace"))
    return f"{float(value):g}" if np.issubdtype(value.dtype, np.floating) else str(value)
