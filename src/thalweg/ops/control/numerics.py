"""Checks that numbers are finite, which run with the kernels that compute them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.formula import Check, FiniteCheck, Lowered, Operand, pointwise
from thalweg.formula.functions import FLOATING
from thalweg.graph import Effects, Op, Operation, Origin, Sample, Spec, Tensor, default_graph
from thalweg.ops.build import convert, emit
from thalweg.ops.control.control import group
from thalweg.ops.elementwise.pointwise import check_kind
from thalweg.ops.samples import TABLE


class CheckNumerics(Op):
    """The input itself; a run in which an element is infinite or NaN fails.

    Attributes:
        message: what the error says first.
    """

    type: ClassVar[str] = "CheckNumerics"
    effects: ClassVar[Effects] = Effects(acts=True)  # it runs though nobody may read the output
    message: str

    def infer(self, tensor: Spec) -> Spec:
        check_kind(FLOATING, tensor.dtype)
        return tensor

    def evaluate(self, xp: Any, tensor: Any) -> Any:
        return tensor

    def checks(self, *inputs: Operand) -> Sequence[Check]:
        return [FiniteCheck(0, 1, self.message)]

    def lower(self, *inputs: Operand) -> Lowered:
        return pointwise(lambda x: x, *inputs)

    def grad(self, node: Operation, dy: Tensor) -> Sequence[Tensor | None]:
        return [emit(CheckNumerics(f"the gradient of {self.message}"), dy)]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls("x"), (TABLE,), exact=True)
        yield Sample(cls("x"), (TABLE[0, 0],), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls("x"), (np.int32(TABLE),), "takes floating tensors, not int32")


def check_numerics(tensor: Any, message: str, name: str | None = None) -> Tensor:
    """The tensor itself, where it is finite: a run in which an element is not fails.

    It costs about as much as to read the tensor once. Its gradient is checked, too.

    Args:
        tensor: floating-point numbers.
        message: what the error says first.
        name: of the operation.

    Raises:
        InvalidArgumentError: in a run, if an element is infinite or NaN: with the message, the
            place of the first one, the operation and its line; in a loop also the iteration, and
            in `run_steps` the step, both counted from 0. No variable has changed then.
    """
    return emit(CheckNumerics(str(message)), convert(tensor), name=name)


def add_check_numerics_ops() -> Operation:
    """Check all floating-point tensors of the default graph, in the order in which they were made.

    Returns:
        An operation to run beside others. The error of a run names the first tensor that is not
        finite.
    """
    graph = default_graph()
    made: list[Operation] = []
    for tensor in _floating(graph.operations):
        with graph.control_dependencies(made[-1:]), graph.made_at(tensor.op.source):
            made.append(graph.add(CheckNumerics(tensor.name), (tensor,)))
    return group(*made[-1:])


def _floating(ops: Iterable[Operation]) -> list[Tensor]:
    """The floating-point tensors of operations, but for the handles of variables."""
    computed = [op for op in ops if op.record.origin is not Origin.RESOURCE]
    return [tensor for op in computed for tensor in op.outputs if tensor.dtype.is_floating]
