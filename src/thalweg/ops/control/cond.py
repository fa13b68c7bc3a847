"""Branches: of two bodies, the one that runs depends on a value."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes
from thalweg.base.errors import DTypeError, ShapeError
from thalweg.base.shapes import Shape, is_known
from thalweg.graph import Body, Sample, Spec, Tensor
from thalweg.ops.control.control_flow import (
    ControlFlow,
    RunBody,
    Trimmed,
    body_of,
    check_inputs,
    selected,
)
from thalweg.ops.elementwise.arithmetic import add, multiply
from thalweg.ops.elementwise.comparison import less
from thalweg.ops.samples import TABLE


class Cond(ControlFlow):
    """The outputs of one of two bodies: `then` if the first input is true, else `otherwise`.

    The other inputs are captured values, which both bodies take.
    """

    type: ClassVar[str] = "Cond"
    then: Body
    otherwise: Body

    @cached_property
    def bodies(self) -> tuple[Body, ...]:
        return (self.then, self.otherwise)

    @cached_property
    def static(self) -> tuple[int, ...]:  # type: ignore[override]
        """The captured inputs whose values decide about shapes in the bodies."""
        return tuple(sorted({n + 1 for n in self.then.static | self.otherwise.static}))

    @property
    def sources(self) -> tuple[tuple[int, ...], ...]:
        return (tuple(range(1, 1 + len(self.then.inputs))),) * 2

    def is_sequence(self, number: int) -> bool:
        return False

    def is_captured(self, number: int) -> bool:
        return number > 0

    def with_bodies(self, bodies: Sequence[Body]) -> Cond:
        return Cond(*bodies)

    def infer(self, predicate: Spec, *captured: Spec) -> tuple[Spec, ...]:
        if not predicate.dtype.is_bool or predicate.shape not in (None, ()):
            raise DTypeError(f"the predicate must be a bool scalar, not {predicate}")
        for body in self.bodies:
            check_inputs(body, captured)
        if len(self.then.outputs) != len(self.otherwise.outputs):
            raise ShapeError("the branches have different numbers of outputs")
        pairs = zip(self.then.outputs, self.otherwise.outputs, strict=True)
        return tuple([_either(number, a.spec, b.spec) for number, (a, b) in enumerate(pairs)])

    def run(self, inputs: Sequence[Any], run: RunBody, xp: Any) -> list[Any]:
        predicate, *captured = inputs
        return list(run(self.then if predicate else self.otherwise, captured))

    def alike(self) -> list[tuple[Tensor, Tensor]]:
        return list(zip(self.then.outputs, self.otherwise.outputs, strict=True))

    def varies(self, inputs: Sequence[Spec]) -> bool:
        return any(
            is_known(a.static_shape) and is_known(b.static_shape) and a.spec != b.spec
            for a, b in self.alike()
        )

    def trim(self, used: Collection[int]) -> Trimmed:
        outputs = range(len(self.then.outputs)) if self.effects.acts else sorted(used)
        reads = [body.reads([body.outputs[n] for n in outputs]) for body in self.bodies]
        inputs = sorted(set().union(*reads))
        then, otherwise = (selected(body, inputs, outputs) for body in self.bodies)
        return Trimmed(Cond(then, otherwise), (0, *[n + 1 for n in inputs]), tuple(outputs))

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        table = Spec((2, 3), dtypes.float32)
        then = body_of(lambda x, y: [add(x, y), x], table, table)
        otherwise = body_of(lambda x, y: [multiply(x, y), y], table, table)
        for predicate in (True, False):
            yield Sample(cls(then, otherwise), (np.bool_(predicate), TABLE, TABLE + 1))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        table = Spec((2, 3), dtypes.float32)
        same, tests = body_of(lambda x: [x], table), body_of(lambda x: [less(x, x)], table)
        yield Sample(cls(same, same), (np.int32(1), TABLE), "must be a bool scalar, not int32[]")
        yield Sample(cls(same, tests), (np.bool_(True), TABLE), "in one branch and bool[2, 3] in")
        yield Sample(cls(same, same), (np.bool_(True), TABLE[0]), "the body takes [2, 3]")


def _either(number: int, a: Spec, b: Spec) -> Spec:
    """What is known of a tensor that is one of two."""
    if a.dtype != b.dtype:
        raise DTypeError(f"output {number} is {a} in one branch and {b} in the other")
    return Spec(_common(a.shape, b.shape), a.dtype)


def _common(a: Shape, b: Shape) -> Shape:
    if a is None or b is None or len(a) != len(b):
        return None
    return tuple(
        [
            m if m is not None and n is not None and m == n else None
            for m, n in zip(a, b, strict=True)
        ]
    )
