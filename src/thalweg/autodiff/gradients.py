"""Reverse-mode differentiation of graphs.

The gradient of a sum of `ys` is built by walking the operations between `xs` and `ys` backwards
once, each op's record turning the gradients of its outputs into those of its inputs. (Griewank and
Walther, "Evaluating Derivatives", 2008, chapter 3.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

from thalweg.autodiff.branches import cond_gradients
from thalweg.autodiff.indexed_slices import dense, total
from thalweg.autodiff.loops import loop_gradients
from thalweg.base import shapes
from thalweg.base.errors import (
    DTypeError,
    GradientError,
    GraphError,
    InvalidArgumentError,
    ShapeError,
)
from thalweg.base.source import caller
from thalweg.graph import Gradient, Graph, IndexedSlices, Operation, Tensor, home
from thalweg.ops.arrays.create import ones_like
from thalweg.ops.build import convert
from thalweg.ops.control.cond import Cond
from thalweg.ops.control.loop import Loop

__all__ = ["AggregationMethod", "gradients"]


class AggregationMethod:
    """How TensorFlow 1 adds up gradients; here they are always added in one operation."""

    ADD_N: ClassVar[int] = 0
    DEFAULT: ClassVar[int] = ADD_N
    EXPERIMENTAL_TREE: ClassVar[int] = 1
    EXPERIMENTAL_ACCUMULATE_N: ClassVar[int] = 2


def gradients(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    name: str = "gradients",
    colocate_gradients_with_ops: bool = False,
    gate_gradients: Any = False,
    aggregation_method: Any = None,
    stop_gradients: Any = None,
) -> list[Any]:
    """The derivatives of the sum of all `ys` with respect to each of `xs`.

    Args:
        ys: a tensor or several, floating-point.
        xs: tensors or variables, one or several.
        grad_ys: for each of `ys` the gradient that it starts with, of its shape; ones by default.
        name: of the scope that the new operations go to.
        colocate_gradients_with_ops: whether each operation's gradient is to run on its device also
            in a block of `tf.device`. Outside of such blocks it always is.
        gate_gradients: accepted for TensorFlow 1 and ignored.
        aggregation_method: one of `AggregationMethod`, of no effect.
        stop_gradients: tensors to treat as constants: no gradient flows through them to what they
            were made from. With those among `xs`, the results are partial derivatives.

    Returns:
        For each of `xs` a tensor of its shape, or None where no y depends on it. Where an x is used
        by `tf.gather` or `tf.nn.embedding_lookup` alone, `IndexedSlices` of it.

    Raises:
        ValueError: if there is no such aggregation method.
        DTypeError: if a y is not floating-point.
        ShapeError: if one of `grad_ys` has not the shape of its y.
        GraphError: if there are not as many `grad_ys` as `ys`.
        GradientError: if an operation on the way has no gradient.
    """
    targets = [_tensor(y) for y in _listed(ys)]
    sources = [_source(x) for x in _listed(xs)]
    if not targets:
        raise GradientError("gradients: there are no ys")
    if aggregation_method not in (None, 0, 1, 2):
        raise InvalidArgumentError(
            f"gradients: Invalid aggregation_method specified {aggregation_method}."
        )
    for y in targets:
        _check_target(y)
    stopped = {_source(t) for t in _listed(stop_gradients)}
    graph = home(targets[0].graph)
    with graph.as_default(), graph.name_scope(name):
        sweep = _Sweep(targets, sources, stopped, colocate_gradients_with_ops)
        starts = _listed(grad_ys) or [None] * len(targets)
        if len(starts) != len(targets):
            raise GraphError(
                f"gradients: there are {len(targets)} ys and {len(starts)} grad_ys\n  at {caller()}"
            )
        for y, start in zip(targets, starts, strict=True):
            sweep.add(y, _start(y, start))
        sweep.run()
        return [_returned(sweep.total(x)) for x in sources]


def _returned(gradient: Gradient | None) -> Gradient | None:
    is_part = isinstance(gradient, IndexedSlices) and gradient.is_part
    return dense(gradient) if gradient is not None and is_part else gradient


def _listed(items: Any) -> list[Any]:
    if items is None:
        return []
    return list(items) if isinstance(items, list | tuple) else [items]


def _tensor(y: Any) -> Tensor:
    return convert(y)


def _source(x: Any) -> Tensor:
    """The tensor to differentiate by: a variable's handle, through which all its reads go."""
    element = x._as_graph_element() if hasattr(x, "_as_graph_element") else x
    if not isinstance(element, Tensor):
        raise TypeError(f"gradients: {x!r} is not a tensor or variable")
    return element


def _check_target(y: Tensor) -> None:
    if not y.dtype.is_floating:
        raise DTypeError(
            f"gradients: {y.name!r} is {y.dtype}; only floating-point tensors have gradients\n"
            f"  it was made at {y.op.source}"
        )


def _start(y: Tensor, given: Any) -> Tensor:
    if given is None:
        return ones_like(y)
    start = convert(given, hint=y.dtype)
    if start.dtype != y.dtype or not shapes.compatible(start.static_shape, y.static_shape):
        raise ShapeError(
            f"gradients: {y.name!r} is {y.spec}, its grad_ys {start.spec}\n"
            f"  it was made at {y.op.source}"
        )
    return start


class _Sweep:
    """One walk backwards: gradients that arrived at each tensor and are still to be summed."""

    def __init__(
        self,
        targets: Sequence[Tensor],
        sources: Sequence[Tensor],
        stopped: set[Tensor],
        colocated: bool = False,
    ) -> None:
        self._colocated = colocated
        self._arrived: dict[Tensor, list[Gradient]] = {}
        self._between = between(targets, sources, stopped)
        made = {t for op in self._between for t in op.outputs}
        self._depends = (made - stopped).union(sources)
        self._stopped = stopped
        self._ends = targets

    def add(self, tensor: Tensor, gradient: Gradient) -> None:
        self._arrived.setdefault(tensor, []).append(gradient)

    def total(self, tensor: Tensor) -> Gradient | None:
        """The sum of what arrived; kept, so that it is built once."""
        parts = self._arrived.get(tensor)
        if not parts:
            return None
        parts[:] = [total(parts)]
        return parts[0]

    def run(self) -> None:
        for op in reversed(self._between):
            self._visit(op)

    def _visit(self, op: Operation) -> None:
        outer = _outer(op)
        if outer is not None:
            self._pass_on(op.outputs[0], outer)
            return
        graph = home(op.graph)
        name = f"{op.name}_grad"
        with graph.made_at(op.source), graph.name_scope(name), self._where(graph, op):
            dys = [self._arriving(y, op.record.passes_slices) for y in op.outputs]
            if all(dy is None for dy in dys):
                return
            for tensor, gradient in zip(op.inputs, self._input_gradients(op, dys), strict=True):
                if gradient is not None and tensor in self._depends and tensor.dtype.is_floating:
                    self.add(tensor, gradient)

    def _where(self, graph: Graph, op: Operation) -> AbstractContextManager[object]:
        """Where the gradient of an operation runs."""
        if self._colocated or (op.device and not graph.in_device_scope):
            return graph.colocate_with(op)
        return nullcontext()

    def _pass_on(self, inner: Tensor, outer: Tensor) -> None:
        """What arrives inside a body at what stands for a tensor outside arrives at that."""
        total = self._arriving(inner, as_slices=True)
        if total is not None:
            self.add(outer, total)

    def _arriving(self, output: Tensor, as_slices: bool) -> Gradient | None:
        """What goes on through an operation from one of its outputs."""
        arrived = self.total(output)
        if arrived is None or output in self._stopped:
            return None
        return arrived if as_slices else dense(arrived)

    def _input_gradients(
        self, op: Operation, dys: Sequence[Gradient | None]
    ) -> Sequence[Gradient | None]:
        if not op.record.differentiable:
            raise GradientError(self._no_gradient(op))
        if op.type in _WITH_BODIES:
            tensors = [None if dy is None else dense(dy) for dy in dys]
            return _WITH_BODIES[op.type](op, tensors, _differentiated)
        return op.record.grad(op, *dys)

    def _no_gradient(self, op: Operation) -> str:
        ends = ", ".join(repr(y.name) for y in self._ends)
        return (
            f"gradients: there is no gradient through {op.name!r} ({op.type}), which {ends} "
            f"depends on\n  at {op.source}\n"
            "  use tf.stop_gradient to treat it as a constant"
        )


def between(
    targets: Iterable[Tensor], sources: Iterable[Tensor], stopped: set[Tensor]
) -> list[Operation]:
    """The operations on paths from sources to targets, in graph order."""
    above = _ancestors(targets, stopped)
    depends = set(sources)
    found = []
    for op in above:
        if any(t in depends for t in _inputs(op)):
            found.append(op)
            depends.update(t for t in op.outputs if t not in stopped)
    return found


def _ancestors(targets: Iterable[Tensor], stopped: set[Tensor]) -> list[Operation]:
    seen: set[Operation] = set()
    waiting = [t.op for t in targets]
    while waiting:
        op = waiting.pop()
        if op not in seen:
            seen.add(op)
            waiting.extend(t.op for t in _inputs(op) if t not in stopped)
    return sorted(seen, key=lambda op: (op.graph.depth, op.index))


def _inputs(op: Operation) -> Sequence[Tensor]:
    """What an operation depends on; a tensor of a body may stand for one outside."""
    outer = _outer(op)
    return op.inputs if outer is None else [outer]


def _outer(op: Operation) -> Tensor | None:
    return op.graph.outer_of(op.outputs[0]) if len(op.outputs) == 1 else None


def _differentiated(
    targets: Sequence[Tensor], starts: Sequence[Tensor], sources: Sequence[Tensor]
) -> list[Gradient | None]:
    """The gradients that arrive at the sources, which are built in the default graph."""
    sweep = _Sweep(targets, sources, set(sources))
    for target, start in zip(targets, starts, strict=True):
        sweep.add(target, start)
    sweep.run()
    return [sweep.total(source) for source in sources]


_WITH_BODIES: dict[str, Callable[..., Sequence[Gradient | None]]] = {
    Loop.type: loop_gradients,
    Cond.type: cond_gradients,
}
