"""A tensor that passes through Python."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from thalweg.graph import ON_HOST, Effects, Op, Operation, Sample, Spec, Tensor
from thalweg.ops.build import emit
from thalweg.ops.samples import TABLE


class OnHost(Op):
    """The input itself, handed on by Python.

    A branch that holds one runs body by body. So the other branch is not planned, which may not be
    possible for the shapes that this one has.
    """

    type: ClassVar[str] = "OnHost"
    takes_strings: ClassVar[bool] = True
    effects: ClassVar[Effects] = ON_HOST

    def infer(self, x: Spec) -> Spec:
        return x

    def evaluate(self, xp: Any, x: Any) -> Any:
        return x

    def grad(self, node: Operation, dy: Tensor) -> Sequence[Tensor | None]:
        return [emit(OnHost(), dy)]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (TABLE,), exact=True)
