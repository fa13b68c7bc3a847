"""Algebra that needs no run: what can be said more simply is.

The rules are about ops of several families at once, such as a sum of gradients of slices, and so
they are kept together here; a rule asks for the classes that it is about.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from thalweg.base.dims import replayed
from thalweg.base.errors import CompilerError
from thalweg.base.shapes import known, same_shape
from thalweg.graph import Operation, Tensor, default_graph
from thalweg.ops.arrays.broadcast import Broadcast, SumTo
from thalweg.ops.arrays.constant import constant_of
from thalweg.ops.arrays.join import joined
from thalweg.ops.arrays.reshape import Identity, Reshape, SameElements, StopGradient, Transpose
from thalweg.ops.arrays.slicing import SliceGrad
from thalweg.ops.build import computed_constant, constant_like, emit
from thalweg.ops.elementwise.arithmetic import Add, Mul, Neg, Square, Sub
from thalweg.ops.elementwise.conversion import Cast
from thalweg.ops.elementwise.division import Div, Reciprocal
from thalweg.ops.elementwise.pointwise import Pointwise
from thalweg.ops.elementwise.power import Pow
from thalweg.ops.elementwise.selection import Select, ZerosLike
from thalweg.ops.linalg.matmul import MatMul
from thalweg.passes.deduplicate import duplicates
from thalweg.passes.plan import Plan
from thalweg.passes.rebuild import Rebuild, needed, rebuild

_POINTWISE = (Pointwise, Select, Cast)
_SPREADING = (Broadcast, SameElements)

Rule = Callable[[Operation, tuple[Tensor, ...]], Tensor | None]


def simplify(plan: Plan) -> Plan:
    """Rewrite operations into simpler ones that compute the same, whatever the values are.

    Equal ones are merged first, as by `deduplicate`.

    x - 0, x * 1, -(-x)         ->  x
    x + 0, x * 0                ->  x, 0                  of integers: -0.0 + 0 is 0, NaN * 0 is NaN
    x + -0.0                    ->  x
    MatMul(0, x)                ->  Broadcast(one row of it)
    SliceGrad(a) + SliceGrad(b) ->  Concat(a, b)          for slices that make up a tensor
    Broadcast(a) * Broadcast(b) ->  Broadcast(a * b)      for scalars a, b
    Reshape(Reshape(x))         ->  Reshape(x)
    """
    return rebuild(plan, _step, duplicates(needed(plan)))


def _step(new: Rebuild, op: Operation, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
    if op.control_inputs or not op.record.effects.pure or len(op.outputs) != 1:
        return None
    made = _simplified(op, inputs)
    if made is None:
        return None
    if made.spec != op.outputs[0].spec:
        raise CompilerError(f"simplify: {op!r} became {made!r}\n  at {op.source}")
    return (made,)


def _simplified(op: Operation, inputs: tuple[Tensor, ...]) -> Tensor | None:
    rule = _RULES.get(type(op.record)) or _FAMILY.get(_family(op))
    made = rule(op, inputs) if rule else None
    if made is None and isinstance(op.record, _POINTWISE):
        made = _on_scalars(op, inputs)
    return made


def _family(op: Operation) -> type | None:
    return SameElements if isinstance(op.record, SameElements) else None


def uniform(tensor: Tensor) -> Any:
    """The one number that fills the tensor in every run of the plan's code, else None."""
    if constant := constant_of(tensor):
        return constant.array.reshape(-1)[0] if constant.is_uniform else None
    if isinstance(tensor.op.record, _SPREADING):
        return uniform(tensor.op.inputs[0])
    return None


def _is(tensor: Tensor, number: float) -> bool:
    value = uniform(tensor)
    return value is not None and bool(value == number)


def _is_zero(tensor: Tensor, negative: bool) -> bool:
    """Whether the tensor is filled with 0, which has a sign in floating point."""
    value = uniform(tensor)
    if value is None or value != 0:
        return False
    return not tensor.dtype.is_floating or bool(np.signbit(value)) == negative


def _shape(op: Operation) -> tuple[int, ...]:
    return known(op.outputs[0].static_shape)


def _filled(op: Operation, number: Any) -> Tensor:
    output = op.outputs[0]
    array = np.asarray(number, output.dtype.numpy)
    return _spread(constant_like(default_graph(), array), _shape(op))


def _spread(scalar: Tensor, shape: tuple[int, ...]) -> Tensor:
    return emit(Broadcast(shape), scalar) if shape else scalar


def _scalar(tensor: Tensor) -> Tensor | None:
    """The scalar that was broadcast to the tensor."""
    if tensor.static_shape == ():
        return tensor
    constant = constant_of(tensor)
    if constant and (constant.is_uniform or all(d == 1 for d in constant.extents)):
        return computed_constant(tensor.graph, _first, [tensor])
    if isinstance(tensor.op.record, _SPREADING):
        return _scalar(tensor.op.inputs[0])
    return None


@replayed
def _first(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return array.reshape(-1)[:1].reshape(())


def _on_scalars(op: Operation, inputs: tuple[Tensor, ...]) -> Tensor | None:
    shape = _shape(op)
    if shape == ():
        return None
    scalars = [_scalar(tensor) for tensor in inputs]
    if any(s is None for s in scalars):
        return None
    return _spread(emit(op.record, *(s for s in scalars if s is not None)), shape)


# -- rules: each gets the old operation and its new inputs


def _add(op: Operation, inputs: tuple[Tensor, ...]) -> Tensor | None:
    x, y = inputs
    if _is_zero(y, negative=True):
        return x
    if _is_zero(x, negative=True):
        return y
    parts = _slices(inputs)
    return _side_by_side(parts) if parts else None


def _slices(terms: Sequence[Tensor]) -> list[Tensor]:
    """The gradients of slices that tensors are sums of, if of nothing else and each once."""
    found: list[Tensor] = []
    seen: set[Tensor] = set()
    left = list(terms)
    while left:
        term = left.pop()
        record, is_open = term.op.record, not term.op.control_inputs
        if term in seen or not is_open or not isinstance(record, Add | SliceGrad):
            return []
        seen.add(term)
        if isinstance(record, SliceGrad):
            found.append(term)
        elif all(isinstance(x.op.record, Add | SliceGrad) for x in term.op.inputs):
            left += term.op.inputs
        else:
            return []
    return found


def _side_by_side(parts: Sequence[Tensor]) -> Tensor | None:
    """The sum of gradients of slices that make up all of a tensor: nothing is to be added."""
    shape = known(parts[0].static_shape)
    sizes = [known(part.op.inputs[0].static_shape) for part in parts]
    for axis, extent in enumerate(shape):
        own = [size[axis] for size in sizes]
        if any(type(n) is not int for n in (extent, *own)) or sum(own) != extent:
            continue
        places = [_place(part, axis) for part in parts]
        pieces = sorted((place for place in places if place), key=lambda place: place[:2])
        bounds = [0, *(stop for _, stop, _ in pieces)]
        if None not in places and [start for start, _, _ in pieces] == bounds[:-1]:
            return joined(axis, [piece for _, _, piece in pieces])
    return None


def _place(part: Tensor, axis: int) -> tuple[int, int, Tensor] | None:
    """Where the gradient of a slice lies along an axis, if that is known, and all of the others."""
    (inner,), record = part.op.inputs, part.op.record
    assert isinstance(record, SliceGrad)
    start, sizes, shape = record.begins[axis], known(inner.static_shape), record.shape
    if type(start) is not int or any(type(n) is not int or n != 1 for n in record.strides):
        return None
    whole = (sizes[:axis] + sizes[axis + 1 :], shape[:axis] + shape[axis + 1 :])
    return (start, start + sizes[axis], inner) if same_shape(*whole) else None


def _sub(op: Operation, inputs: tuple[Tensor, ...]) -> Tensor | None:
    x, y = inputs
    if _is_zero(y, negative=False):
        return x
    return Neg.of(y) if _is_zero(x, negative=True) else None


def _mul(op: Operation, inputs: tuple[Tensor, ...]) -> Tensor | None:
    for x, factor in (inputs, inputs[::-1]):
        if not x.dtype.is_floating and _is(factor, 0):
            return _filled(op, 0)
        if _is(factor, 1):
            return x
        if _is(factor, -1) and not x.dtype.is_unsigned:
            return Neg.of(x)
    return None


def _matmul(op: Operation, inputs: tuple[Tensor, ...]) -> Tensor | None:
    """A product with nothing but zeros, such as the first state of a recurrent network.

    It need not be 0, as the other matrix may hold NaN or infinity, but all of its rows (or columns)
    are equal: one is computed and repeated.
    """
    record = op.record
    assert isinstance(record, MatMul)
    for number, free in (
        (0, -1 if record.transpose_a else -2),
        (1, -2 if record.transpose_b else -1),
    ):
        x, scalar = inputs[number], _scalar(inputs[number])
        if scalar is None or not _is(x, 0) or _one(known(x.static_shape)[free]):
            continue
        if not x.dtype.is_floating:
            return _filled(op, 0)
        shape = list(known(x.static_shape))
        shape[free] = 1
        single = [_spread(scalar, tuple(shape)) if n == number else t for n, t in enumerate(inputs)]
        return emit(Broadcast(_shape(op)), emit(record, *single))
    return None


def _zeros_like(op: Operation, inputs: tuple[Tensor, ...]) -> Tensor | None:
    return _filled(op, 0)


def _div(op: Operation, inputs: tuple[Tensor, ...]) -> Tensor | None:
    x, y = inputs
    return x if _is(y, 1) else None


def _pow(op: Operation, inputs: tuple[Tensor, ...]) -> Tensor | None:
    x, y = inputs
    forms: dict[float, Callable[[], Tensor]] = {
        0: lambda: _filled(op, 1),
        1: lambda: x,
        2: lambda: Square.of(x),
        3: lambda: Mul.of(Square.of(x), x),
        -1: lambda: Reciprocal.of(x),
    }
    power = uniform(y)
    form = None if power is None else forms.get(float(power))
    return form() if form else None


def _neg(op: Operation, inputs: tuple[Tensor, ...]) -> Tensor | None:
    inner = inputs[0].op
    return inner.inputs[0] if isinstance(inner.record, Neg) else None


def _cast(op: Operation, inputs: tuple[Tensor, ...]) -> Tensor | None:
    return inputs[0] if inputs[0].dtype == op.outputs[0].dtype else None


def _select(op: Operation, inputs: tuple[Tensor, ...]) -> Tensor | None:
    condition, x, y = inputs
    if x is y:
        return x
    always = uniform(condition)
    return None if always is None else (x if always else y)


def _same(op: Operation, inputs: tuple[Tensor, ...]) -> Tensor | None:
    return inputs[0]


def _reshape(op: Operation, inputs: tuple[Tensor, ...]) -> Tensor | None:
    """All ops that keep the elements in place become one `Reshape`, or nothing."""
    x, shape = inputs[0], _shape(op)
    if isinstance(x.op.record, Reshape) and not x.op.control_inputs:
        x = x.op.inputs[0]
    if same_shape(known(x.static_shape), shape):
        return x
    if shape and x.static_shape != () and (scalar := _scalar(x)) is not None:
        return _spread(scalar, shape)
    if isinstance(op.record, Reshape) and x is inputs[0] and same_shape(op.record.shape, shape):
        return None
    return emit(Reshape(shape), x)


def _broadcast(op: Operation, inputs: tuple[Tensor, ...]) -> Tensor | None:
    x, shape = inputs[0], _shape(op)
    if same_shape(known(x.static_shape), shape):
        return x
    if x.static_shape != () and (scalar := _scalar(x)) is not None:
        return _spread(scalar, shape)
    if isinstance(x.op.record, Broadcast):
        return emit(Broadcast(shape), x.op.inputs[0])
    return None


def _sum_to(op: Operation, inputs: tuple[Tensor, ...]) -> Tensor | None:
    """A sum over axes of extent 1 is a reshape."""
    x, shape = inputs[0], _shape(op)
    have = known(x.static_shape)
    if same_shape([d for d in have if not _one(d)], [d for d in shape if not _one(d)]):
        return x if same_shape(have, shape) else emit(Reshape(shape), x)
    return None


def _one(extent: int) -> bool:
    return type(extent) is int and extent == 1


def _transpose(op: Operation, inputs: tuple[Tensor, ...]) -> Tensor | None:
    x = inputs[0]
    perm = _perm(op)
    if isinstance(x.op.record, Transpose):
        inner = _perm(x.op)
        x, perm = x.op.inputs[0], tuple(inner[n] for n in perm)
    if perm == tuple(range(len(perm))):
        return x
    return None if x is inputs[0] else emit(Transpose(perm), x)


def _perm(op: Operation) -> tuple[int, ...]:
    record, rank = op.record, len(known(op.inputs[0].static_shape))
    perm = record.perm if isinstance(record, Transpose) else None
    return tuple(reversed(range(rank))) if perm is None else tuple(perm)


_RULES: dict[type, Rule] = {
    Add: _add,
    Sub: _sub,
    Mul: _mul,
    Div: _div,
    Pow: _pow,
    Neg: _neg,
    Cast: _cast,
    Select: _select,
    Identity: _same,
    StopGradient: _same,
    Broadcast: _broadcast,
    SumTo: _sum_to,
    Transpose: _transpose,
    ZerosLike: _zeros_like,
    MatMul: _matmul,
}
_FAMILY: dict[type | None, Rule] = {SameElements: _reshape}
