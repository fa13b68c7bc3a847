"""Constants around a tensor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from thalweg.base.errors import ShapeError, UnimplementedError
from thalweg.base.shapes import known, show
from thalweg.formula import Formula, Lowered, Operand, axes, inside
from thalweg.graph import Op, Operation, Sample, Spec, Tensor
from thalweg.ops.arrays.slicing import guarded, strided
from thalweg.ops.build import convert, emit
from thalweg.ops.extents import static_ints
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


def pad(
    tensor: Any,
    paddings: Any,
    mode: str = "CONSTANT",
    name: str | None = None,
    constant_values: float = 0,
) -> Tensor:
    """`paddings[n]` = (before, after) elements of a constant added along axis n.

    Raises:
        UnimplementedError: for the modes REFLECT and SYMMETRIC.
    """
    if mode.upper() != "CONSTANT":
        raise UnimplementedError(f"pad: mode {mode!r} is not supported, only 'CONSTANT'")
    flat = static_ints("pad", paddings)
    pairs = tuple(zip(flat[::2], flat[1::2], strict=True))
    return emit(Pad(pairs, constant_values), convert(tensor), name=name)
