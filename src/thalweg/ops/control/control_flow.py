"""What loops and branches share: operations that hold bodies."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property, partial
from typing import Any, ClassVar, TypeAlias

from thalweg.base import shapes
from thalweg.base.errors import DTypeError, ShapeError
from thalweg.base.record import Record
from thalweg.base.shapes import show
from thalweg.graph import Body, Effects, Graph, Op, Spec, Tensor
from thalweg.ops.arrays.constant import Placeholder
from thalweg.ops.evaluation import evaluate_body

RunBody: TypeAlias = Callable[[Body, Sequence[Any]], Sequence[Any]]


class Trimmed(Record):
    """What is left of an operation if only some of its outputs are needed.

    Attributes:
        record: what it becomes.
        inputs: the numbers of the inputs that it still has.
        outputs: the numbers of the outputs that it still has.
    """

    record: ControlFlow
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class ControlFlow(Op):
    """An operation that runs bodies."""

    takes_strings: ClassVar[bool] = True

    @cached_property
    def effects(self) -> Effects:
        """Those of the bodies."""
        every = [body.effects for body in self.bodies]
        return Effects(acts=any(e.acts for e in every), host=any(e.host for e in every))

    @property
    @abstractmethod
    def sources(self) -> tuple[tuple[int, ...], ...]:
        """For each body the numbers of the operation's inputs that its inputs are made of."""

    @property
    def first_written(self) -> int:
        """The first output that bodies write; those before are handed from one run to the next."""
        return 0

    @abstractmethod
    def is_sequence(self, number: int) -> bool:
        """Whether a body takes an input element by element."""

    @abstractmethod
    def is_captured(self, number: int) -> bool:
        """Whether the bodies take an input as it is, whenever they run."""

    @abstractmethod
    def with_bodies(self, bodies: Sequence[Body]) -> ControlFlow:
        """The operation with other bodies, which take and give the same."""

    @abstractmethod
    def trim(self, used: Collection[int]) -> Trimmed:
        """The operation without what does not matter for some of its outputs.

        Args:
            used: the numbers of the outputs.
        """

    @abstractmethod
    def run(self, inputs: Sequence[Any], run: RunBody, xp: Any) -> list[Any]:
        """The outputs, computed body by body.

        Args:
            inputs: the operation's, as arrays.
            run: from a body and arrays for its inputs to those of its outputs.
            xp: their array module.
        """

    def evaluate(self, xp: Any, *inputs: Any) -> Any:
        return tuple(self.run(inputs, partial(evaluate_body, xp), xp))

    @abstractmethod
    def alike(self) -> list[tuple[Tensor, Tensor]]:
        """Pairs of tensors in the bodies that must have one shape if one plan is to serve all."""

    @abstractmethod
    def varies(self, inputs: Sequence[Spec]) -> bool:
        """Whether a shape surely depends on the iteration or the branch.

        Args:
            inputs: of the operation.
        """


def check_inputs(body: Body, given: Sequence[Spec]) -> None:
    """Complain unless tensors can be the inputs of a body.

    Raises:
        ShapeError, DTypeError: if one of them cannot.
    """
    if len(given) != len(body.inputs):
        raise ShapeError(f"there are {len(given)} inputs, and the body takes {len(body.inputs)}")
    for number, (spec, tensor) in enumerate(zip(given, body.inputs, strict=True)):
        if spec.dtype != tensor.dtype:
            raise DTypeError(f"input {number} is {spec}, and the body takes {tensor.spec}")
        if not shapes.compatible(spec.shape, tensor.static_shape):
            raise ShapeError(
                f"input {number} has the shape {show(spec.shape)}, and the body takes "
                f"{show(tensor.static_shape)}"
            )


def selected(body: Body, inputs: Iterable[int], outputs: Iterable[int]) -> Body:
    """A body with some of its inputs and outputs."""
    return Body(
        body.graph,
        tuple([body.inputs[n] for n in inputs]),
        tuple([body.outputs[n] for n in outputs]),
    )


def body_of(build: Callable[..., Sequence[Tensor]], *specs: Spec) -> Body:
    """A body that computes what a function makes of tensors."""
    graph = Graph()
    with graph.as_default():
        inputs = [graph.add(Placeholder(s.dtype, s.shape)).outputs[0] for s in specs]
        return Body(graph, tuple(inputs), tuple(build(*inputs)))
