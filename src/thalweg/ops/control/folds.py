"""Functions of functions: `map_fn`, `scan`, `foldl` and `foldr`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from thalweg.base.dtypes import as_dtype
from thalweg.base.errors import DTypeError, InvalidArgumentError, ShapeError
from thalweg.graph import Graph, Spec, Tensor, graph_of
from thalweg.ops.arrays.join import concat
from thalweg.ops.arrays.reshape import expand_dims, stop_gradient
from thalweg.ops.build import convert
from thalweg.ops.control.assemble import LoopParts, make_loop
from thalweg.ops.control.leaves import as_tensors, like
from thalweg.ops.control.structure import check_same, flatten
from thalweg.ops.control.tracing import trace

Function = Callable[..., Any]


def map_fn(
    fn: Function,
    elems: Any,
    dtype: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    name: str | None = None,
) -> Any:
    """What a function makes of each element of a tensor along its first axis, stacked.

    Args:
        fn: takes an element, or a structure of elements like `elems`, and returns a tensor or a
            structure of them.
        elems: a tensor of rank 1 or more, or a nested structure of such tensors, whose first
            extents are the same.
        dtype: the dtype, or structure of dtypes, that `fn` returns, if it is not that of `elems`.
        parallel_iterations: accepted for TensorFlow 1 and ignored.
        back_prop: whether gradients flow through the loop.
        swap_memory: accepted for TensorFlow 1 and ignored.
        infer_shape: accepted for TensorFlow 1 and ignored.
        name: of the scope.

    Raises:
        TypeError: if `fn` is no function.
        ShapeError: if an element is taken of a scalar, or the extents differ.
        DTypeError: if `fn` returns another dtype.
        ValueError: if it returns another structure.
    """
    run = _Run(fn, elems, back_prop)
    with run.scope(name, "map") as scope:
        returned: list[Any] = []

        def step(values: list[Tensor]) -> Sequence[Tensor]:
            returned.append(fn(like(elems, values)))
            return _as_declared(returned[0], elems if dtype is None else dtype, dtype is not None)

        made = run.loop(step, [], run.sequences, scope, reverse=False)
    return like(returned[0], made)


def scan(
    fn: Function,
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    reverse: bool = False,
    name: str | None = None,
) -> Any:
    """All intermediate results of a fold along the first axis: `a = fn(a, element)`.

    Args:
        fn: takes the result so far and an element, each a tensor or a structure, and returns the
            next result.
        elems: as for `map_fn`.
        initializer: the first result; by default the first element, which is then an output.
        parallel_iterations: accepted for TensorFlow 1 and ignored.
        back_prop: whether gradients flow through the loop.
        swap_memory: accepted for TensorFlow 1 and ignored.
        infer_shape: accepted for TensorFlow 1 and ignored.
        reverse: whether to begin with the last element; results keep their elements' places.
        name: of the scope.

    Returns:
        The results, stacked along a new first axis, in the structure of the initializer.

    Raises:
        TypeError, ShapeError, DTypeError, ValueError: as for `map_fn` and `while_loop`.
    """
    run = _Run(fn, elems, back_prop)
    with run.scope(name, "scan") as scope:
        structure = elems if initializer is None else initializer
        first, rest = run.start(initializer, reverse)
        made = run.loop(run.step(structure, elems, True), first, rest, scope, reverse)
        made = made[len(first) :]
        if initializer is None:
            made = [_with_first(a, b, reverse) for a, b in zip(first, made, strict=True)]
    return like(structure, made)


def _with_first(first: Tensor, rest: Tensor, reverse: bool) -> Tensor:
    row = expand_dims(first, 0)
    return concat([rest, row] if reverse else [row, rest], 0)


def foldl(
    fn: Function,
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """The result of `a = fn(a, element)` for all elements along the first axis, in order.

    See `scan`, which returns the intermediate results, too.
    """
    return _fold(fn, elems, initializer, back_prop, name or "foldl", reverse=False)


def foldr(
    fn: Function,
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """The result of `a = fn(a, element)` for all elements along the first axis, from the last one.

    See `scan`, which returns the intermediate results, too.
    """
    return _fold(fn, elems, initializer, back_prop, name or "foldr", reverse=True)


def _fold(
    fn: Function, elems: Any, initializer: Any, back_prop: bool, name: str, reverse: bool
) -> Any:
    run = _Run(fn, elems, back_prop)
    with run.scope(name, name) as scope:
        structure = elems if initializer is None else initializer
        first, rest = run.start(initializer, reverse)
        made = run.loop(run.step(structure, elems, False), first, rest, scope, reverse)
    return like(structure, made)


class _Run:
    """A loop over the elements of tensors.

    Args:
        fn: the user's function.
        elems: the user's structure of tensors.
        back_prop: whether gradients flow through it.
    """

    def __init__(self, fn: Function, elems: Any, back_prop: bool) -> None:
        if not callable(fn):
            raise TypeError("fn must be a function")
        self._fn, self._back_prop = fn, back_prop
        self.sequences = as_tensors(elems)
        if not self.sequences:
            raise InvalidArgumentError("there are no elems")
        for tensor in self.sequences:
            if tensor.static_shape == ():
                raise ShapeError("elems must have rank 1 or more; they hold a scalar")

    @property
    def _graph(self) -> Graph:
        return graph_of(self.sequences)

    @contextmanager
    def scope(self, name: str | None, default: str) -> Iterator[str]:
        """The name scope of the loop."""
        with self._graph.as_default(), self._graph.name_scope(name or default) as scope:
            yield scope

    def start(self, initializer: Any, reverse: bool) -> tuple[list[Tensor], list[Tensor]]:
        """The first result, and the elements that are left."""
        if initializer is not None:
            return as_tensors(initializer), self.sequences
        if reverse:
            return [x[-1] for x in self.sequences], [x[:-1] for x in self.sequences]
        return [x[0] for x in self.sequences], [x[1:] for x in self.sequences]

    def step(
        self, structure: Any, elems: Any, collect: bool
    ) -> Callable[[list[Tensor]], Sequence[Tensor]]:
        """The body of a fold, which collects the results if that is wanted."""
        count = len(flatten(structure))

        def step(values: list[Tensor]) -> Sequence[Tensor]:
            before, element = like(structure, values[:count]), like(elems, values[count:])
            made = self._fn(before, element)
            check_same(structure, made, "the initializer and what fn returns")
            tensors = as_tensors(made)
            return [*tensors, *tensors] if collect else tensors

        return step

    def loop(
        self,
        step: Callable[[list[Tensor]], Sequence[Tensor]],
        first: Sequence[Tensor],
        sequences: Sequence[Tensor],
        name: str,
        reverse: bool,
    ) -> list[Tensor]:
        """The final results, and what is collected."""
        elements = [_element(tensor.spec) for tensor in sequences]
        traced = trace(self._graph, [*[t.spec for t in first], *elements], step)
        made = make_loop(self._graph, LoopParts(None, traced, first, sequences, reverse), name)
        return made if self._back_prop else [stop_gradient(tensor) for tensor in made]


def _element(spec: Spec) -> Spec:
    return Spec(None if spec.shape is None else spec.shape[1:], spec.dtype)


def _as_declared(made: Any, declared: Any, are_dtypes: bool) -> list[Tensor]:
    """What a function has returned, as tensors of the dtypes that were declared for it."""
    check_same(declared, made, "what fn returns and dtype, which is that of elems by default,")
    kinds = [as_dtype(d) if are_dtypes else convert(d).dtype for d in flatten(declared)]
    tensors = [convert(leaf, hint=kind) for leaf, kind in zip(flatten(made), kinds, strict=True)]
    for tensor, kind in zip(tensors, kinds, strict=True):
        if tensor.dtype != kind:
            raise DTypeError(f"fn returns {tensor.dtype}, where {kind} is expected: give dtype")
    return tensors
