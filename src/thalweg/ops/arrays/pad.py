"""Constants around a tensor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base.errors import InvalidArgumentError, ShapeError
from thalweg.base.shapes import known, show
from thalweg.formula import Formula, Lowered, Operand, axes, inside
from thalweg.graph import Op, Operation, Sample, Spec, Tensor
from thalweg.ops.arrays.boxes import slice_
from thalweg.ops.arrays.join import joined
from thalweg.ops.arrays.reshape import identity
from thalweg.ops.arrays.shape import shape, size_along
from thalweg.ops.arrays.slicing import guarded, strided
from thalweg.ops.arrays.window import window
from thalweg.ops.build import checking, constant_like, convert, emit, scope
from thalweg.ops.extents import check_ints, computed_ints, planned_ints, static_ints
from thalweg.ops.samples import TABLE

Grads = Sequence[Tensor | None]


class Pad(Op):
    """The input with `paddings[n]` = (before, after) elements of a value added along axis n."""

    type: ClassVar[str] = "Pad"
    paddings: tuple[tuple[int, int], ...]
    value: float = 0

    def infer(self, tensor: Spec) -> Spec:
        if any(p < 0 for pair in self.paddings for p in pair):
            raise ShapeError(f"paddings cannot be negative: {list(self.paddings)}")
        if tensor.shape is not None and len(tensor.shape) != len(self.paddings):
            raise ShapeError(f"{len(self.paddings)} pairs of paddings for {show(tensor.shape)}")
        extents = tensor.shape or (None,) * len(self.paddings)
        pairs = zip(extents, self.paddings, strict=True)
        padded = (None if d is None else d + sum(pair) for d, pair in pairs)
        return Spec(tuple(padded), tensor.dtype)

    def evaluate(self, xp: Any, tensor: Any) -> Any:
        return xp.pad(tensor, self.paddings, constant_values=self.value) if tensor.ndim else tensor

    def lower(self, *inputs: Operand) -> Lowered:
        (x,) = inputs
        index = axes(*known(self.infer(Spec(x.shape, x.dtype)).shape))
        read = [
            i - before if before else i for i, (before, _) in zip(index, self.paddings, strict=True)
        ]
        places = zip(read, x.shape, self.paddings, strict=True)
        conditions = [inside(at, extent) for at, extent, pair in places if any(pair)]
        return Formula.make(index, guarded(conditions, x[read], self.value))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        key = tuple(slice(before, -after if after else None) for before, after in self.paddings)
        return [strided(dy, key)]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(((1, 2), (0, 1))), (TABLE,), exact=True)
        yield Sample(cls(((0, 0), (2, 0)), -1.5), (TABLE,), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(((1, 1),)), (TABLE,), "1 pairs of paddings for [2, 3]")
        yield Sample(cls(((-1, 1), (0, 0))), (TABLE,), "paddings cannot be negative")


class DynamicPad(Op):
    """`Pad` by paddings that are computed."""

    type: ClassVar[str] = "DynamicPad"
    static: ClassVar[tuple[int, ...]] = (1,)
    value: float = 0

    def infer(self, tensor: Spec, paddings: Spec) -> Spec:
        check_ints("paddings", paddings, 2)
        rank, width = paddings.shape or (None, 2)
        if width not in (2, None) or (None not in (rank, width) and rank != _rank(tensor, rank)):
            raise ShapeError(f"paddings of {show(paddings.shape)} for {show(tensor.shape)}")
        rank = _rank(tensor, rank)
        return Spec(None if rank is None else (None,) * rank, tensor.dtype)

    def evaluate(self, xp: Any, tensor: Any, paddings: Any) -> Any:
        return _padding(paddings.reshape(-1).tolist(), self.value).evaluate(xp, tensor)

    def expand(self, *inputs: Tensor) -> Tensor | None:
        tensor, paddings = inputs
        return emit(_padding(planned_ints("pad", paddings), self.value), tensor)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        tensor, paddings = node.inputs
        return [slice_(dy, paddings[:, 0], shape(tensor)), None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(-1.5), (TABLE, np.array([[1, 2], [0, 1]], np.int32)), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        text = "paddings of [1, 2] for [2, 3]"
        yield Sample(cls(), (TABLE, np.array([[1, 1]], np.int32)), text)
        yield Sample(cls(), (TABLE, TABLE), "paddings must be integers, not float32")


def _rank(tensor: Spec, unless_known: int | None) -> int | None:
    return unless_known if tensor.shape is None else len(tensor.shape)


def _padding(flat: Sequence[int], value: float) -> Pad:
    """The record for paddings in one row."""
    return Pad(tuple(zip(flat[::2], flat[1::2], strict=True)), value)


def pad(
    tensor: Any,
    paddings: Any,
    mode: str = "CONSTANT",
    name: str | None = None,
    constant_values: float = 0,
) -> Tensor:
    """`paddings[n]` = (before, after) elements of a constant added along axis n.

    Args:
        tensor: what to pad.
        paddings: integers [rank, 2]: a list, which may hold scalar tensors, or a tensor.
        mode: "CONSTANT"; "REFLECT" or "SYMMETRIC" for elements of the tensor in place of the
            constant, mirrored at its edge, without or with the outermost element.
        name: of the operation.
        constant_values: the constant.

    Raises:
        ShapeError: if there is not a pair for each axis, or a padding is negative.
        InvalidArgumentError: for another mode; in a run, if there are fewer elements to mirror.
    """
    if mode.upper() in ("REFLECT", "SYMMETRIC"):
        return _mirrored(convert(tensor), paddings, int(mode.upper() == "REFLECT"), name)
    if mode.upper() != "CONSTANT":
        raise InvalidArgumentError(f"pad: there is no mode {mode!r}")
    flat = computed_ints("pad", paddings)
    if isinstance(flat, Tensor):
        return emit(DynamicPad(constant_values), convert(tensor), flat, name=name or "Pad")
    return emit(_padding(flat, constant_values), convert(tensor), name=name)


def _mirrored(x: Tensor, paddings: Any, first: int, name: str | None) -> Tensor:
    """A tensor padded with what lies at its edges, from the element `first` of either end on."""
    flat = static_ints("pad", paddings)
    with checking("pad", tensor=x):
        _padding(flat, 0).infer(x.spec)
    with scope(name, "MirrorPad", x) as full:
        for axis, (before, after) in enumerate(zip(flat[::2], flat[1::2], strict=True)):
            start = constant_like(x.graph, np.int32(first + before - 1))
            end = size_along(x, (axis,)) - (1 + first)
            parts = [window(x, start, before, axis, -1), x, window(x, end, after, axis, -1)]
            counts = (before, 1, after)
            x = joined(axis, [part for part, n in zip(parts, counts, strict=True) if n])
        return identity(x, name=full)
