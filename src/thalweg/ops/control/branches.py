"""Choosing what a run computes: `cond` and `case`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from thalweg.base import dtypes
from thalweg.base.errors import DTypeError, InvalidArgumentError
from thalweg.graph import Graph, Tensor
from thalweg.ops.arrays.gather import InRange
from thalweg.ops.arrays.reshape import identity
from thalweg.ops.build import convert, emit
from thalweg.ops.control.assemble import make_cond
from thalweg.ops.control.leaves import as_tensors, like
from thalweg.ops.control.structure import check_same, flatten
from thalweg.ops.control.tracing import Traced, trace
from thalweg.ops.elementwise.arithmetic import add_n
from thalweg.ops.elementwise.conversion import cast
from thalweg.ops.elementwise.logical import logical_not

Function = Callable[[], Any]


def cond(
    pred: Any,
    true_fn: Function | None = None,
    false_fn: Function | None = None,
    strict: bool = False,
    name: str | None = None,
    fn1: Function | None = None,
    fn2: Function | None = None,
) -> Any:
    """What `true_fn` returns if `pred` is true, else what `false_fn` returns.

    Only what a function builds is computed conditionally. A tensor that it takes from outside is
    computed in every run.

    Args:
        pred: a bool scalar tensor.
        true_fn: takes nothing and returns a tensor, an operation, or a nested structure of them.
        false_fn: likewise; the structure and the dtypes must be the same.
        strict: whether a list or tuple of one element stays one; by default it is unpacked.
        name: of the scope.
        fn1: the older name of `true_fn`.
        fn2: the older name of `false_fn`.

    Returns:
        The structure that the functions return. For an operation there is a bool scalar, which is
        computed after it.

    Raises:
        TypeError: if `pred` is a Python bool, or no function is given.
        ValueError: if a function returns nothing, or the structures differ.
        DTypeError: if the dtypes differ.
    """
    then, otherwise = _function(true_fn, fn1, "true_fn"), _function(false_fn, fn2, "false_fn")
    if isinstance(pred, bool):
        raise TypeError("pred must be a tensor; for a Python bool use Python's `if`")
    predicate = convert(pred)
    graph = predicate.graph
    with graph.as_default(), graph.name_scope(name or "cond") as scope:
        (first, made), (second, other) = (_traced(graph, f) for f in (then, otherwise))
        check_same(made, other, "what true_fn and false_fn return")
        outputs = like(made, make_cond(predicate, first, second, scope))
    return outputs if strict else _unpacked(outputs)


def _function(new: Function | None, old: Function | None, name: str) -> Function:
    found = old if new is None else new
    if not callable(found):
        raise TypeError(f"{name} must be a function")
    if new is not None and old is not None:
        raise TypeError(f"{name} is given twice, also under its older name")
    return found


def _traced(graph: Graph, function: Function) -> tuple[Traced, Any]:
    """What a branch builds, and the structure that it returns."""
    returned: list[Any] = []

    def call(parameters: list[Tensor]) -> Sequence[Tensor]:
        made = function()
        if made is None or not flatten(made):
            raise InvalidArgumentError("the functions of the branches must return something")
        returned.append(made)
        return as_tensors(made)

    return trace(graph, (), call), returned[0]


def _unpacked(structure: Any) -> Any:
    is_single = isinstance(structure, list | tuple) and len(structure) == 1
    return structure[0] if is_single else structure


def case(
    pred_fn_pairs: Any,
    default: Function | None = None,
    exclusive: bool = False,
    strict: bool = False,
    name: str = "case",
) -> Any:
    """What the function of the first predicate that is true returns.

    Args:
        pred_fn_pairs: pairs of a bool scalar tensor and a function, as for `cond`; or a dict of
            them.
        default: called if no predicate is true. Without it, a run in which none is true fails.
        exclusive: whether a run fails in which more than one predicate is true.
        strict: as for `cond`.
        name: of the scope.

    Raises:
        TypeError: if they are no such pairs.
        InvalidArgumentError: in a run in which too many predicates are true, or none.
    """
    pairs = list(pred_fn_pairs.items() if isinstance(pred_fn_pairs, Mapping) else pred_fn_pairs)
    if not pairs or not all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):
        raise TypeError("pred_fn_pairs must be pairs of a bool tensor and a function")
    predicates = [convert(predicate) for predicate, _ in pairs]
    if any(not predicate.dtype.is_bool for predicate in predicates):
        raise DTypeError("the predicates must be bool")
    graph = predicates[0].graph
    with graph.as_default(), graph.name_scope(name):
        checks = _checks(predicates, exclusive, default is None)
        with graph.control_dependencies(checks):
            tested = [identity(predicate) for predicate in predicates]
        functions = [function for _, function in pairs]
        if default is None:
            default, tested, functions = functions[-1], tested[:-1], functions[:-1]
        made = _chain(list(zip(tested, functions, strict=True)), default)
        return made if strict else _unpacked(made)


def _checks(predicates: Sequence[Tensor], exclusive: bool, some: bool) -> list[Tensor]:
    """What fails if not the right number of predicates are true."""
    made = []
    if exclusive:
        count = add_n([cast(predicate, dtypes.int32) for predicate in predicates])
        made.append(emit(InRange(2, "the number of true predicates"), count))
    if some:
        count = add_n([cast(logical_not(predicate), dtypes.int32) for predicate in predicates])
        made.append(emit(InRange(len(predicates), "the number of false predicates"), count))
    return made


def _chain(pairs: Sequence[tuple[Tensor, Function]], default: Function) -> Any:
    """The first pair whose predicate is true, or else the default: a cond within a cond."""
    if not pairs:
        return default()
    (predicate, function), *rest = pairs
    return cond(predicate, function, lambda: _chain(rest, default), strict=True)
