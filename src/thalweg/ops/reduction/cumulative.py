"""Sums, products and recurrences along an axis, with all that they come by.

They are computed by pairs (Blelloch, Prefix Sums and Their Applications, 1990): neighbours are
combined, the same is done with the half as many that result, which are the results at every second
place, and one more step gives those in between. That takes work in proportion to the elements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import shapes
from thalweg.base.dtypes import as_dtype
from thalweg.base.errors import DTypeError
from thalweg.base.shapes import axis_index, known
from thalweg.formula import Formula, Lowered, Operand, Position, affine, apply, axes, where
from thalweg.formula.functions import FLOATING, NUMERIC
from thalweg.graph import Op, Operation, Sample, Spec, Tensor
from thalweg.ops.arrays.broadcast import accumulator
from thalweg.ops.arrays.join import concat, stack
from thalweg.ops.arrays.pad import Pad
from thalweg.ops.arrays.reshape import reshaped
from thalweg.ops.arrays.slicing import strided
from thalweg.ops.build import convert, emit
from thalweg.ops.elementwise.arithmetic import Add, Mul
from thalweg.ops.elementwise.conversion import cast
from thalweg.ops.elementwise.pointwise import check_kind
from thalweg.ops.extents import axis_numbers
from thalweg.ops.samples import CUBE, TABLE, VALUES

Grads = Sequence[Tensor | None]
Parts = list[Tensor]
Combine = Callable[[Parts, Parts], Parts]  # what comes earlier, and what comes later

_WHOLE = np.array([[1, 2, -1, 3, 2], [2, 0, 3, 1, -2], [0, 2, 1, 0, 4]], np.float32)


class Shift(Op):
    """`y[i] = x[i - 1]` along an axis, or `x[i + 1]` if backwards; at the end that is left, `fill`.

    Attributes:
        axis: along which elements are moved.
        backwards: whether they are moved to the place before.
        fill: what comes in.
    """

    type: ClassVar[str] = "Shift"
    axis: int
    backwards: bool = False
    fill: int = 0

    def infer(self, x: Spec) -> Spec:
        if x.shape is not None:
            axis_index(self.axis, len(x.shape))
        return x

    def evaluate(self, xp: Any, x: Any) -> Any:
        at = axis_index(self.axis, x.ndim)
        kept = slice(1, None) if self.backwards else slice(None, -1)
        rest = x[(*(slice(None),) * at, kept)]
        shape = (*x.shape[:at], x.shape[at] - rest.shape[at], *x.shape[at + 1 :])
        fill = xp.full(shape, self.fill, x.dtype)
        return xp.concatenate([rest, fill] if self.backwards else [fill, rest], axis=at)

    def lower(self, *inputs: Operand) -> Lowered:
        (x,) = inputs
        at = axis_index(self.axis, x.rank)
        index = axes(*x.shape)
        source = index[at] + 1 if self.backwards else index[at] - 1
        edge = x.shape[at] if self.backwards else 0
        kept = apply("lt" if self.backwards else "ge", Position(affine(source)), edge)
        read = x[[*index[:at], source, *index[at + 1 :]]]
        return Formula.make(index, where(kept, read, self.fill))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(Shift(self.axis, not self.backwards), dy)]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(0), (CUBE,), exact=True)
        yield Sample(cls(-1, True, 1), (TABLE,), exact=True)
        yield Sample(cls(0, True), (VALUES[:1],), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(2), (TABLE,), "axis 2 is out of range")


class Cumulative(Op):
    """What each element and all before it along an axis make together.

    Attributes:
        axis: along which it goes.
        exclusive: whether the element itself is left out.
        reverse: whether it goes from the end to the beginning.
    """

    neutral: ClassVar[int]
    axis: int
    exclusive: bool = False
    reverse: bool = False

    def infer(self, x: Spec) -> Spec:
        check_kind(NUMERIC, x.dtype)
        if x.shape is not None:
            axis_index(self.axis, len(x.shape))
        return x

    def accumulate(self, xp: Any, x: Any, axis: int, dtype: Any) -> Any:
        """The array module's function, from the beginning on."""
        raise NotImplementedError

    def combine(self, earlier: Parts, later: Parts) -> Parts:
        """Two neighbours together."""
        raise NotImplementedError

    def evaluate(self, xp: Any, x: Any) -> Any:
        at, wide = axis_index(self.axis, x.ndim), accumulator(as_dtype(x.dtype)).numpy
        if self.exclusive and x.shape[at]:
            x = Shift(at, self.reverse, self.neutral).evaluate(xp, x)
        made = self.accumulate(xp, xp.flip(x, at) if self.reverse else x, at, wide)
        return xp.asarray(xp.flip(made, at) if self.reverse else made, x.dtype)

    def expand(self, *inputs: Tensor) -> Tensor | None:
        (x,) = inputs
        wide = cast(x, accumulator(x.dtype))
        if self.exclusive:
            wide = emit(Shift(self.axis, self.reverse, self.neutral), wide)
        return cast(_along(self.combine, [wide], self.axis, self.reverse), x.dtype)

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for axis, exclusive, reverse in ((0, False, False), (1, True, False), (-1, False, True)):
            yield Sample(cls(axis, exclusive, reverse), (_WHOLE,))
        yield Sample(cls(0, True, True), (_WHOLE[1],))
        yield Sample(cls(0), (_WHOLE[:1, 0],))
        yield Sample(cls(1), (_WHOLE.astype(np.int32),), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(2), (TABLE,), "axis 2 is out of range")
        yield Sample(cls(0), (TABLE > 1,), "takes numeric tensors, not bool")


class Cumsum(Cumulative):
    """The sums of each element and those before it; 16-bit floats are added up as float32."""

    type: ClassVar[str] = "Cumsum"
    neutral: ClassVar[int] = 0

    def accumulate(self, xp: Any, x: Any, axis: int, dtype: Any) -> Any:
        return xp.cumsum(x, axis, dtype=dtype)

    def combine(self, earlier: Parts, later: Parts) -> Parts:
        return [Add.of(earlier[0], later[0])]

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(Cumsum(self.axis, self.exclusive, not self.reverse), dy)]


class Cumprod(Cumulative):
    """The products of each element and those before it; its derivatives are right at zeros, too.

    A factor's derivative is the product of those before it, times what the others make of the
    gradient: `s[i] = dy[i] + x[i + 1] * s[i + 1]`. Nothing is divided by.
    """

    type: ClassVar[str] = "Cumprod"
    neutral: ClassVar[int] = 1

    def accumulate(self, xp: Any, x: Any, axis: int, dtype: Any) -> Any:
        return xp.cumprod(x, axis, dtype=dtype)

    def combine(self, earlier: Parts, later: Parts) -> Parts:
        return [Mul.of(earlier[0], later[0])]

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        x, back = node.inputs[0], not self.reverse
        if self.exclusive:
            dy = emit(Shift(self.axis, back), dy)
        later = emit(Recurrence(self.axis, back), emit(Shift(self.axis, back), x), dy)
        return [Mul.of(emit(Cumprod(self.axis, True, self.reverse), x), later)]


class Recurrence(Op):
    """`y[i] = a[i] * y[i - 1] + b[i]` along an axis; before the first element there is 0.

    Attributes:
        axis: along which it goes.
        reverse: whether it goes from the end to the beginning.
    """

    type: ClassVar[str] = "Recurrence"
    axis: int
    reverse: bool = False

    def infer(self, a: Spec, b: Spec) -> Spec:
        check_kind(FLOATING, a.dtype)
        if a.dtype != b.dtype:
            raise DTypeError(f"the inputs are {a.dtype} and {b.dtype}")
        shape = shapes.merge(a.shape, b.shape)
        if shape is not None:
            axis_index(self.axis, len(shape))
        return Spec(shape, a.dtype)

    def evaluate(self, xp: Any, a: Any, b: Any) -> Any:
        wide = accumulator(as_dtype(a.dtype)).numpy
        factors, terms = (xp.moveaxis(xp.asarray(x, wide), self.axis, 0) for x in (a, b))
        if not terms.shape[0]:
            return b
        places = range(terms.shape[0])[:: -1 if self.reverse else 1]
        made = [terms[places[0]]]
        for n in places[1:]:
            made.append(factors[n] * made[-1] + terms[n])
        whole = xp.stack(made[:: -1 if self.reverse else 1])
        return xp.asarray(xp.moveaxis(whole, 0, self.axis), a.dtype)

    def expand(self, *inputs: Tensor) -> Tensor | None:
        wide = [cast(x, accumulator(x.dtype)) for x in inputs]
        return cast(_along(_composed, wide, self.axis, self.reverse), inputs[0].dtype)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        a, back = node.inputs[0], not self.reverse
        total = emit(Recurrence(self.axis, back), emit(Shift(self.axis, back), a), dy)
        before = emit(Shift(self.axis, self.reverse), node.outputs[0])
        return [Mul.of(total, before), total]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(0), (_WHOLE, _WHOLE[::-1]))
        yield Sample(cls(-1, True), (_WHOLE, _WHOLE[::-1]))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(0), (TABLE, TABLE[:1]), "shapes [2, 3] and [1, 3] are not compatible")


def _composed(earlier: Parts, later: Parts) -> Parts:
    """Two steps `y -> a y + b` as one."""
    (a, b), (factor, term) = earlier, later
    return [Mul.of(factor, a), Add.of(Mul.of(factor, b), term)]


# -- by pairs


def _along(combine: Combine, parts: Parts, axis: int, reverse: bool) -> Tensor:
    """The last of the parts that the elements of known shapes and all before them make.

    The axis is made a power of two long, by zeros behind all else, which nothing depends on.
    """
    shape = known(parts[0].static_shape)
    at, size = axis_index(axis, len(shape)), 1
    while size < shape[at]:
        size *= 2
    turned = (*(slice(None),) * at, slice(None, None, -1))
    paddings = [(0, 0)] * len(shape)
    paddings[at] = (0, size - shape[at])
    wide = [strided(x, turned) if reverse else x for x in parts]
    made = _scan(combine, [emit(Pad(tuple(paddings)), x) for x in wide], at, size)[-1]
    made = strided(made, (*(slice(None),) * at, slice(0, shape[at])))
    return strided(made, turned) if reverse else made


def _scan(combine: Combine, parts: Parts, at: int, size: int) -> Parts:
    """What the elements along an axis, a power of two, and all before them make."""
    if size == 1:
        return parts
    lead = (slice(None),) * at

    def taken(of: Parts, *key: int | None) -> Parts:
        return [strided(x, (*lead, slice(*key))) for x in of]

    even, odd = taken(parts, 0, None, 2), taken(parts, 1, None, 2)
    odd = _scan(combine, combine(even, odd), at, size // 2)
    if size > 2:
        later = combine(taken(odd, 0, -1), taken(even, 1, None))
        even = [concat(pair, at) for pair in zip(taken(even, 0, 1), later, strict=True)]
    shape = known(parts[0].static_shape)
    return [reshaped(stack(pair, at + 1), shape) for pair in zip(even, odd, strict=True)]


# -- the public functions


def cumsum(
    x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
) -> Tensor:
    """The sums of each element along an axis and those before it: `[a, a + b, a + b + c]`.

    Args:
        x: a tensor of numbers.
        axis: an integer.
        exclusive: whether the element itself is left out: `[0, a, a + b]`.
        reverse: whether elements count from the end: `[a + b + c, b + c, c]`.
        name: of the operation.

    Raises:
        ShapeError: if there is no such axis.
    """
    return emit(Cumsum(axis_numbers(axis)[0], exclusive, reverse), convert(x), name=name)


def cumprod(
    x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
) -> Tensor:
    """The products of each element along an axis and those before it; see `cumsum`."""
    return emit(Cumprod(axis_numbers(axis)[0], exclusive, reverse), convert(x), name=name)
