"""Fold constants and expand operations into simpler ones, where shapes and values allow it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from thalweg.base import shapes
from thalweg.base.dims import Dim, Node, lift_array
from thalweg.base.dtypes import DType
from thalweg.base.errors import DTypeError, OpError, ShapeError
from thalweg.base.record import Record, astuple
from thalweg.base.shapes import is_known, known
from thalweg.graph import Operation, Origin, Spec, Tensor, default_graph, failed
from thalweg.graph.body import static_sources as static_sources
from thalweg.graph.inference import infer
from thalweg.graph.op import Op, known_specs
from thalweg.ops.build import Evaluation, computed_constant
from thalweg.passes.plan import Plan
from thalweg.passes.rebuild import Rebuild, needed, rebuild
from thalweg.passes.stable_logs import under_logs

Array = np.ndarray[Any, Any]

_MAX_ELEMENTS = (
    4096  # elements; larger results are computed at run time unless that only makes data smaller
)
_ROUNDS = 32  # an op expands into ops that expand; no chain is anywhere near as long


def fold(plan: Plan) -> Plan:
    """Evaluate what depends on constants and shapes only; expand what has a simpler form.

    Shape(x[100, 784])      ->  Const([100, 784])
    Reshape(x, Const(s))    ->  the same reshape with the shape as an attribute
    """
    for _ in range(_ROUNDS):
        ops = needed(plan)
        shape_deciding, deferred = static_sources(ops), under_logs(ops)
        if not any(_may_change(op, shape_deciding, deferred) for op in ops):
            break

        changed: list[Operation] = []

        def step(
            new: Rebuild,
            op: Operation,
            inputs: tuple[Tensor, ...],
            shape_deciding: set[Tensor] = shape_deciding,
            deferred: set[Operation] = deferred,
            changed: list[Operation] = changed,
        ) -> Sequence[Tensor] | None:
            made = fold_or_expand(op, inputs, shape_deciding, deferred)
            if made is not None:
                changed.append(op)
            return made

        rebuilt = rebuild(plan, step)
        if not changed:  # what could have been expanded was not
            break
        plan = rebuilt
    return plan


def _may_change(op: Operation, shape_deciding: set[Tensor], deferred: set[Operation]) -> bool:
    return _folds(op, op.inputs, shape_deciding, deferred) or _expands(op, op.inputs)


def fold_or_expand(
    op: Operation, inputs: tuple[Tensor, ...], shape_deciding: set[Tensor], deferred: set[Operation]
) -> Sequence[Tensor] | None:
    """What the operation becomes, given its inputs in the new graph; None if it stays.

    Args:
        op: the operation.
        inputs: in the graph that is being built, which is the default one.
        shape_deciding: tensors whose values decide about shapes; they are folded at any size.
        deferred: operations that a logarithm is to be taken through, and so are folded later.
    """
    if _folds(op, inputs, shape_deciding, deferred):
        return _folded(op, inputs)
    return _expanded(op, inputs) if _expands(op, inputs) else None


def _expands(op: Operation, inputs: Sequence[Tensor]) -> bool:
    return (
        type(op.record).expand is not Op.expand
        and bool(inputs)
        and known_specs([tensor.spec for tensor in inputs])
    )


def _expanded(op: Operation, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
    try:
        with inputs[0].graph.name_scope(op.name):
            made = op.record.expand(*inputs)
        return (made,) if isinstance(made, Tensor) else made
    except (ShapeError, DTypeError) as error:
        if f"{op.source}" in str(error):
            raise
        raise type(error)(f"{op.type.lower()}: {error}\n  at {op.source}") from None


def _folds(
    op: Operation, inputs: Sequence[Tensor], shape_deciding: set[Tensor], deferred: set[Operation]
) -> bool:
    """Whether the values of the inputs are known and that of the operation is worth keeping."""
    record = op.record
    if record.origin is not None or not record.effects.pure or not op.outputs:
        return False
    if record.bodies and shape_deciding.isdisjoint(op.outputs):
        return False  # a loop may take long, or for ever
    if not all(_is_static(record, n, tensor) for n, tensor in enumerate(inputs)):
        return False
    if not shape_deciding.isdisjoint(op.outputs):
        return True
    if op in deferred or list(_varying(record)):
        return False
    return _worth(infer(record, inputs, op.source), inputs)


def _varying(part: object) -> Iterator[Dim]:
    """The numbers in a record, or in a part of it, that may differ in the next run."""
    if isinstance(part, Dim):
        yield part
    elif isinstance(part, tuple | Record):
        for item in astuple(part) if isinstance(part, Record) else part:
            yield from _varying(item)


def _is_static(record: Op, number: int, tensor: Tensor) -> bool:
    shape_only = number in record.shape_only and is_known(tensor.static_shape)
    return shape_only or _is_constant(tensor)


def _is_constant(tensor: Tensor) -> bool:
    return tensor.op.record.origin is Origin.CONSTANT


def _folded(op: Operation, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    for number in _varying(op.record):
        int(number)  # which pins it: a replay evaluates the record as it is now
    specs = infer(op.record, inputs, op.source)
    values = [_value(tensor) for tensor in inputs]
    graph = inputs[0].graph if inputs else default_graph()
    kinds = tuple([spec.dtype for spec in specs])
    try:
        return [
            computed_constant(graph, Evaluation(op.record, n, kinds), values, op.name, spec.shape)
            for n, spec in enumerate(specs)
        ]
    except (OpError, ValueError, TypeError, IndexError, ArithmeticError) as error:
        raise failed(op, error) from error


def _value(tensor: Tensor) -> Tensor | Node | Array:
    """A constant, or an array of a tensor's shape where that is all that matters."""
    if _is_constant(tensor):
        return tensor
    array, node = lift_array(_Zeros(tensor.dtype), *known(tensor.static_shape))
    return array if node is None else node


class _Zeros(Record):
    """An array of some shape that takes no memory."""

    dtype: DType

    def __call__(self, *shape: int) -> Array:
        return np.broadcast_to(np.zeros((), self.dtype.numpy), shape)


def _worth(specs: Sequence[Spec], inputs: Sequence[Tensor]) -> bool:
    if not known_specs(specs) or any(map(_has_dim, [*specs, *(t.spec for t in inputs)])):
        return False  # what varies from run to run is computed by the run
    size = sum(shapes.size(known(spec.shape)) for spec in specs)
    constants = [tensor for tensor in inputs if _is_constant(tensor)]
    given = sum(shapes.size(known(tensor.static_shape)) for tensor in constants)
    return size <= max(_MAX_ELEMENTS, given)


def _has_dim(spec: Spec) -> bool:
    return any(isinstance(extent, Dim) for extent in known(spec.shape))
