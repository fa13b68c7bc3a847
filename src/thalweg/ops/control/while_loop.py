"""Repeating a part of a run: `while_loop`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from thalweg.base import dtypes
from thalweg.base.errors import DTypeError, InvalidArgumentError, ShapeError
from thalweg.base.shapes import Shape, TensorShape, as_shape, show
from thalweg.graph import Spec, Tensor, graph_of
from thalweg.ops.arrays.reshape import stop_gradient
from thalweg.ops.build import constant_like, convert
from thalweg.ops.control.assemble import LoopParts, make_loop
from thalweg.ops.control.leaves import as_tensors, like
from thalweg.ops.control.structure import check_same, flatten, is_nested
from thalweg.ops.control.tracing import trace
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
    first = as_tensors(structure)
    graph = graph_of(first)
    with graph.as_default(), graph.name_scope(name or "while") as scope:
        loop = _While(structure, first, _invariants(structure, first, shape_invariants))
        made = loop.build(cond, body, maximum_iterations, scope)
        made = made if back_prop else [stop_gradient(tensor) for tensor in made]
    result = like(structure, made)
    return result if return_same_structure or len(result) > 1 else result[0]


def _invariants(structure: Any, first: Sequence[Tensor], given: Any) -> list[Shape]:
    """The shapes that all values of the loop variables have.

    Raises:
        ShapeError: if a first value has not.
    """
    if given is None:
        return [tensor.static_shape for tensor in first]
    check_same(structure, given if is_nested(given) else [given], "loop_vars and shape_invariants")
    declared = [_shape(leaf) for leaf in flatten(given)]
    for tensor, shape in zip(first, declared, strict=True):
        if not _allows(shape, tensor.static_shape):
            raise ShapeError(
                f"the loop variable {tensor.name!r} has the shape {show(tensor.static_shape)}, "
                f"and its invariant is {show(shape)}"
            )
    return declared


def _shape(leaf: Any) -> Shape:
    return as_shape(leaf if isinstance(leaf, TensorShape) else None)


def _allows(invariant: Shape, shape: Shape) -> bool:
    """Whether all tensors of a shape are of the shape that an invariant gives."""
    if invariant is None or shape is None:
        return invariant is None
    pairs = zip(invariant, shape, strict=False)
    return len(invariant) == len(shape) and all(m is None or m == n for m, n in pairs)


class _While:
    """A loop that is being built.

    Args:
        structure: of the loop variables.
        first: their first values.
        invariants: their shapes.
    """

    def __init__(self, structure: Any, first: list[Tensor], invariants: Sequence[Shape]) -> None:
        self._structure, self._first = structure, first
        pairs = zip(first, invariants, strict=True)
        self._specs = [Spec(shape, tensor.dtype) for tensor, shape in pairs]

    def build(
        self, cond: Callable[..., Any], body: Callable[..., Any], most: Any, name: str
    ) -> list[Tensor]:
        """The final values."""
        graph = graph_of(self._first)
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
        self._check(traced.outputs)
        parts = LoopParts(condition, traced, [*self._first, *counter])
        return make_loop(graph, parts, name)[: len(self._first)]

    def _unflattened(self, values: Sequence[Tensor]) -> Any:
        made = like(self._structure, values[: len(self._first)])
        return made.values() if isinstance(made, dict) else made

    def _flattened(self, returned: Any) -> list[Tensor]:
        made = returned if is_nested(returned) else [returned]
        check_same(self._structure, made, "loop_vars and what body returns")
        return as_tensors(made)

    def _check(self, outputs: Sequence[Tensor]) -> None:
        """Complain of a variable that does not keep its dtype and its shape."""
        for first, spec, made in zip(self._first, self._specs, outputs, strict=False):
            if made.dtype != spec.dtype:
                raise DTypeError(
                    f"the loop variable {first.name!r} is {spec.dtype}, and {made.dtype} after an "
                    f"iteration\n  the latter was made at {made.op.source}"
                )
            if not _allows(spec.shape, made.static_shape):
                raise ShapeError(
                    f"the shape of the loop variable {first.name!r} is not an invariant: it is "
                    f"{show(spec.shape)}, and {show(made.static_shape)} after an iteration; give "
                    f"shape_invariants, or use set_shape\n"
                    f"  the latter was made at {made.op.source}"
                )
