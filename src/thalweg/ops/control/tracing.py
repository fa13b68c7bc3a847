"""Bodies while Python builds them: graphs that see the graph that they lie in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from thalweg.base.errors import GraphError
from thalweg.base.record import Record
from thalweg.graph import Graph, Operation, Origin, Spec, Tensor
from thalweg.graph.body import operations_behind
from thalweg.ops.arrays.constant import Placeholder
from thalweg.ops.random.seeds import run_counter


class BodyGraph(Graph):
    """The graph of a body that is being built.

    What an operation in it takes from outside is captured: a tensor becomes a placeholder, but a
    constant, a variable's handle and the number of the run are copied.

    Args:
        outer: the graph that holds the operation with this body.

    Attributes:
        captured: the tensors of the outer graph that were captured, each with what stands for it.
        after: the outer operations that operations of the body are to come after.
    """

    def __init__(self, outer: Graph) -> None:
        super().__init__()
        self.outer = outer
        self.captured: dict[Tensor, Tensor] = {}
        self._outer: dict[Tensor, Tensor] = {}
        self.after: list[Any] = []
        self._collections = outer._collections
        self._scope = outer._scope
        self._devices = outer._devices

    @property
    def depth(self) -> int:
        """In how many graphs it lies."""
        return self.outer.depth + 1

    @property
    def root(self) -> Graph:
        return self.outer.root

    def sees(self, graph: Graph) -> bool:
        return graph is self.outer or self.outer.sees(graph)

    def capture(self, tensor: Tensor) -> Tensor:
        if tensor.op.graph is self or not self.sees(tensor.op.graph):
            return super().capture(tensor)
        outer = self.outer.capture(tensor)
        if outer not in self.captured:
            inner = self.captured[outer] = self._stand_in(outer)
            self._outer[inner] = outer
        return self.captured[outer]

    def outer_of(self, inner: Tensor) -> Tensor | None:
        """The outer tensor that one stands for, if it does."""
        return self._outer.get(inner)

    def _stand_in(self, outer: Tensor) -> Tensor:
        """What stands for an outer tensor."""
        op = outer.op
        with self.control_dependencies(None), self.name_scope(None), self.made_at(op.source):
            if not is_copied(outer):
                return self.parameter(outer.spec, op.name)
            if op.record.origin is Origin.RUN_COUNTER:
                return run_counter(self)
            return self.copy(op, (), f"{op.name}/").outputs[0]

    def parameter(self, spec: Spec, name: str) -> Tensor:
        """A value that the body is given."""
        made = self.add(Placeholder(spec.dtype, spec.shape), (), name).outputs[0]
        made.spec = spec
        return made

    def own_operations(self, elements: Iterable[Any]) -> list[Operation]:
        inside: list[Any] = []
        for element in elements:
            graph = getattr(element, "graph", self)
            (self.after if graph is not self and self.sees(graph) else inside).append(element)
        return super().own_operations(inside)

    def lifted(self, tensor: Tensor) -> Tensor:
        return self.outer.lifted(self.moved_out(tensor))

    def moved_out(self, tensor: Tensor) -> Tensor:
        """The same value, computed in the outer graph.

        Raises:
            GraphError: if it depends on what the body is given.
        """
        made = dict(self._outer)
        with self.outer.name_scope(None), self.outer.control_dependencies(None):
            for op in operations_behind([tensor]):
                if not all(output in made for output in op.outputs):
                    made.update(zip(op.outputs, self._lift(op, made), strict=True))
        return made[tensor]

    def _lift(self, op: Operation, made: dict[Tensor, Tensor]) -> Sequence[Tensor]:
        match op.record.origin:
            case Origin.FEED:
                raise GraphError(
                    "the initial value of a variable depends on what a loop or a branch computes; "
                    f"it was made at {op.source}"
                )
            case Origin.RUN_COUNTER:
                return [run_counter(self.outer)]
        return self.outer.copy(op, [made[tensor] for tensor in op.inputs], op.name).outputs


def is_copied(outer: Tensor) -> bool:
    """Whether a body has a tensor of its own in the place of one outside, and not an input.

    So it is with constants that shapes may depend on; by others somebody may differentiate.
    """
    if outer.op.record.origin is Origin.CONSTANT:
        return not outer.dtype.is_floating
    return outer.op.record.origin in (Origin.RESOURCE, Origin.RUN_COUNTER)


class Traced(Record, eq=False):
    """What a function has built in a body's graph.

    Attributes:
        graph: the body's.
        parameters: what the function was given.
        outputs: what it returned, as tensors of the graph.
    """

    graph: BodyGraph
    parameters: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def operations(self) -> list[Operation]:
        """What the outputs need."""
        return operations_behind(self.outputs)


def trace(
    outer: Graph, specs: Sequence[Spec], function: Callable[[list[Tensor]], Sequence[Tensor]]
) -> Traced:
    """What a function builds in the body of an operation of a graph.

    Args:
        outer: the graph that the operation will be in.
        specs: of the parameters.
        function: from the parameters to the outputs, which may be tensors of outer graphs.
    """
    graph = BodyGraph(outer)
    with graph.as_default():
        parameters = [graph.parameter(spec, f"arg_{n}") for n, spec in enumerate(specs)]
        outputs = [graph.capture(tensor) for tensor in function(parameters)]
    return Traced(graph, tuple(parameters), tuple(outputs))
