"""Repeating a part of a run: `while_loop`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from thalweg.base import dtypes
from thalweg.base.errors import DTypeError, GraphError, InvalidArgumentError, ShapeError
from thalweg.base.shapes import Shape, TensorShape, as_shape, show
from thalweg.graph import Spec, Tensor, default_graph, graph_of
from thalweg.ops.arrays.reshape import stop_gradient
from thalweg.ops.build import constant_like, constant_value, convert
from thalweg.ops.control.assemble import LoopParts, make_loop
from thalweg.ops.control.counting import is_read, iterations, read_at, rows, step_of, written_row
from thalweg.ops.control.functional import written
from thalweg.ops.control.leaves import as_tensors, like
from thalweg.ops.control.structure import check_same, flatten, is_nested
from thalweg.ops.control.tensor_array import TensorArray
from thalweg.ops.control.tracing import Traced, trace
from thalweg.ops.elementwise.logical import logical_and


def while_loop(
    cond: Any,
    body: Any,
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
    maximum_iterations: Any = None,
    return_same_structure: bool = False,
) -> Any:
    """Call `body` again and again, as long as `cond` is true.

    The loop is a part of the graph: each function is called once, to build what the iterations
    compute. What it takes from outside is computed once, before the loop.

    Args:
        cond: takes the loop variables and returns a bool scalar tensor.
        body: takes the loop variables and returns their next values, in the same structure.
        loop_vars: the first values: a list or tuple, possibly nested, of tensors and TensorArrays.
        shape_invariants: for each loop variable a `TensorShape` that all its values have; by
            default the static shape of the first value.
        parallel_iterations: accepted for TensorFlow 1 and ignored.
        back_prop: whether gradients flow through the loop.
        swap_memory: accepted for TensorFlow 1 and ignored.
        name: of the scope.
        maximum_iterations: a number of iterations after which the loop ends in any case.
        return_same_structure: whether a list of one variable stays a list; by default it is
            unpacked.

    Returns:
        The final values, in the structure of `loop_vars`.

    Raises:
        TypeError: if `cond` or `body` is no function.
        ValueError: if there are no loop variables, or `body` returns another structure.
        ShapeError: if a value has not a shape that its invariant allows.
        DTypeError: if a value has another dtype than the one before.
    """
    if not (callable(cond) and callable(body)):
        raise TypeError("cond and body must be functions")
    structure = loop_vars if is_nested(loop_vars) else [loop_vars]
    if not flatten(structure):
        raise InvalidArgumentError("there are no loop_vars")
    first = _first_values(structure)
    graph = graph_of([tensor for tensor in first if tensor is not None])
    with graph.as_default(), graph.name_scope(name or "while") as scope:
        loop = While(structure, first, _invariants(structure, first, shape_invariants))
        made = loop.build(cond, body, maximum_iterations, scope)
        made = made if back_prop else [stop_gradient(tensor) for tensor in made]
    result = like(structure, made)
    return result if return_same_structure or len(result) > 1 else result[0]


def _first_values(structure: Any) -> list[Tensor | None]:
    """The loop variables as tensors; None for an array in which nothing was written yet."""
    leaves = flatten(structure)
    return [None if getattr(leaf, "is_blank", False) else as_tensors(leaf)[0] for leaf in leaves]


def _invariants(structure: Any, first: Sequence[Tensor | None], given: Any) -> list[Shape]:
    """The shapes that all values of the loop variables have.

    Raises:
        ShapeError: if a first value has not.
    """
    if given is None:
        return [None if tensor is None else tensor.static_shape for tensor in first]
    check_same(structure, given if is_nested(given) else [given], "loop_vars and shape_invariants")
    declared = [_shape(leaf) for leaf in flatten(given)]
    leaves = zip(flatten(structure), first, declared, strict=True)
    return [_checked(leaf, tensor, shape) for leaf, tensor, shape in leaves]


def _checked(leaf: Any, first: Tensor | None, invariant: Shape) -> Shape:
    """The shape of a variable's values; that of an array in TensorFlow 1 is of no meaning here."""
    if isinstance(leaf, TensorArray):
        return None if first is None else first.static_shape
    assert first is not None
    if not _allows(invariant, first.static_shape):
        raise ShapeError(
            f"the loop variable {first.name!r} has the shape {show(first.static_shape)}, "
            f"and its invariant is {show(invariant)}"
        )
    return invariant


def _shape(leaf: Any) -> Shape:
    return as_shape(leaf if isinstance(leaf, TensorShape) else None)


def _allows(invariant: Shape, shape: Shape) -> bool:
    """Whether all tensors of a shape are of the shape that an invariant gives."""
    if invariant is None or shape is None:
        return invariant is None
    pairs = zip(invariant, shape, strict=False)
    return len(invariant) == len(shape) and all(m is None or m == n for m, n in pairs)


class While:
    """A loop that is being built.

    Args:
        structure: of the loop variables.
        first: their first values; None for an array in which nothing was written yet.
        invariants: their shapes.
    """

    def __init__(
        self, structure: Any, first: Sequence[Tensor | None], invariants: Sequence[Shape]
    ) -> None:
        self._structure, self._first, self._leaves = structure, list(first), flatten(structure)
        self._specs = [
            Spec(shape, leaf.dtype if tensor is None else tensor.dtype)
            for leaf, tensor, shape in zip(self._leaves, first, invariants, strict=True)
        ]

    def build(self, cond: Any, body: Any, most: Any, name: str) -> list[Tensor]:
        """The final values of the loop variables."""
        graph = default_graph()
        limit = None if most is None else convert(most, hint=dtypes.int32)
        counter = [] if limit is None else [constant_like(graph, limit.dtype.numpy.type(0))]
        specs = [*self._specs, *[tensor.spec for tensor in counter]]

        def test(values: list[Tensor]) -> list[Tensor]:
            goes_on = convert(cond(*self._unflattened(values)))
            return [goes_on if limit is None else logical_and(values[-1] < limit, goes_on)]

        def step(values: list[Tensor]) -> list[Tensor]:
            made = self._flattened(body(*self._unflattened(values)))
            return made if limit is None else [*made, values[-1] + 1]

        condition, traced = trace(graph, specs, test), trace(graph, specs, step)
        self._check(traced)
        if written(condition):
            raise GraphError("while_loop: the condition assigns a variable; do that in the body")
        collected = self._collected(condition, traced)
        for number, leaf in enumerate(self._leaves):
            if self._first[number] is None and number not in collected:
                self._first[number] = leaf.blank(_element(traced.outputs[number]))
        self._first += counter
        return self._made(condition, traced, collected, name)[: len(self._leaves)]

    def _unflattened(self, values: Sequence[Tensor]) -> Any:
        made = like(self._structure, values[: len(self._leaves)])
        return made.values() if isinstance(made, dict) else made

    def _flattened(self, returned: Any) -> list[Tensor]:
        made = returned if is_nested(returned) else [returned]
        check_same(self._structure, made, "loop_vars and what body returns")
        return as_tensors(made)

    def _check(self, traced: Traced) -> None:
        """Complain of a variable that does not keep its dtype and its shape."""
        for given, made in zip(traced.parameters, traced.outputs, strict=True):
            if made.dtype != given.dtype:
                raise DTypeError(
                    f"a loop variable is {given.dtype}, and {made.dtype} after an iteration\n"
                    f"  the latter was made at {made.op.source}"
                )
            if not _allows(given.static_shape, made.static_shape):
                raise ShapeError(
                    "the shape of a loop variable is not an invariant: it is "
                    f"{show(given.static_shape)}, and {show(made.static_shape)} after an "
                    "iteration; give shape_invariants, or use set_shape\n"
                    f"  the latter was made at {made.op.source}"
                )

    def _collected(self, condition: Traced, body: Traced) -> dict[int, Tensor]:
        """The arrays that each iteration writes at its counter, and what it writes."""
        counters = self._counters(body)
        found = {}
        for number, tensor in enumerate(self._first):
            if tensor is None and not is_read(condition, condition.parameters[number]):
                row = written_row(body, number, counters)
                if row is not None:
                    found[number] = row
        return found

    def _counters(self, body: Traced) -> list[Tensor]:
        """The loop variables that are the number of the iteration."""
        return [body.parameters[n] for n in range(len(self._first)) if self._counts(body, n)]

    def _counts(self, body: Traced, number: int) -> bool:
        """Whether a loop variable is the number of the iteration."""
        first = self._first[number]
        start = None if first is None else constant_value(first)
        begins_at_0 = start is not None and start.ndim == 0 and start == 0
        return bool(begins_at_0) and step_of(body, number) == 1

    def _made(
        self, condition: Traced, body: Traced, collected: Mapping[int, Tensor], name: str
    ) -> list[Tensor]:
        """The final values of a loop that collects some of them, and carries the others."""
        elements = self._elements(condition, body)
        left = [n for n in range(len(body.parameters)) if n not in collected]
        test = None if elements else _selected(condition, left, condition.outputs)
        outputs = [*[body.outputs[n] for n in left], *collected.values()]
        step = _selected(body, left, outputs, list(elements))
        initial = [tensor for tensor in self._first if tensor is not None]
        parts = LoopParts(test, step, initial, list(elements.values()))
        made = make_loop(default_graph(), parts, name)
        final = dict(zip([*left, *collected], made, strict=True))
        return [final[n] for n in range(len(body.parameters))]

    def _elements(self, condition: Traced, body: Traced) -> dict[Tensor, Tensor]:
        """What the body is given in each iteration, and the sequences that hold it.

        There are some if it is known how often the loop runs: what counts the iterations, and the
        elements of arrays that it reads at their numbers.
        """
        counted = iterations(condition, body, self._first)
        if counted is None:
            return {}
        nothing = body.graph.parameter(Spec((0,), counted.dtype), "nothing")
        arrays = read_at(body, self._counters(body), self._first)
        return {nothing: counted, **{t: rows(array, counted) for t, array in arrays.items()}}


def _selected(
    function: Traced,
    numbers: Sequence[int],
    outputs: Sequence[Tensor],
    elements: Sequence[Tensor] = (),
) -> Traced:
    """A function of some of the loop variables, and of an element of each sequence."""
    parameters = [function.parameters[n] for n in numbers]
    return Traced(function.graph, (*parameters, *elements), tuple(outputs))


def _element(array: Tensor) -> Shape:
    """The shape of the elements of an array, as far as it is known."""
    return None if array.static_shape is None else array.static_shape[1:]
