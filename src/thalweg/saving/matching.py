"""Which tensor of a checkpoint each variable takes, and why one cannot."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from thalweg.base.errors import InvalidArgumentError, NotFoundError
from thalweg.base.shapes import show
from thalweg.ops.state.variable import Variable
from thalweg.saving.tensor_file import Array, Stored, TensorFile, nearest

__all__ = ["matched"]

_MOST_LISTED = 5


def matched(
    variables: Mapping[str, Variable], tensors: TensorFile, reshape: bool
) -> dict[Variable, Array]:
    """The values of variables, which are looked for by name; all have been checked.

    Args:
        variables: by what they are called in the checkpoint.
        tensors: of the checkpoint.
        reshape: whether a tensor of another shape will do, if it has as many elements.

    Raises:
        NotFoundError: if some are not there.
        InvalidArgumentError: if one has another shape or dtype there.
        DataLossError: if one is damaged.
    """
    missing = [name for name in variables if tensors.find(name) is None]
    if missing:
        raise NotFoundError(_not_found(missing, variables, tensors))
    for name, variable in variables.items():
        stored = tensors.find(name)
        assert stored is not None
        _check(name, variable, stored, tensors, reshape)
    return {v: tensors[name].reshape(v.static_shape) for name, v in variables.items()}


def _check(
    name: str, variable: Variable, stored: Stored, tensors: TensorFile, reshape: bool
) -> None:
    shape, problem = variable.static_shape, ""
    if stored.dtype != variable.dtype.numpy:
        problem = f"is {variable.dtype} in the graph, and {_kind(stored)} in {tensors.path!r}"
    elif stored.shape != shape and not (reshape and math.prod(stored.shape) == math.prod(shape)):
        there = f"{show(stored.shape)} in {tensors.path!r}"
        problem = f"has the shape {show(shape)} in the graph, and {there}"
    if problem:
        raise InvalidArgumentError(f"the variable {name!r} {problem}{_made(variable, name)}")


def _not_found(
    missing: Sequence[str], variables: Mapping[str, Variable], tensors: TensorFile
) -> str:
    first, rest = missing[0], len(variables) - len(missing)
    wanted = variables[first]
    unused = [name for name in tensors if name not in variables]
    lines = [
        f"Key {first} not found in checkpoint {tensors.path!r}"
        f"{_candidates(first, wanted, unused, tensors)}{_made(wanted, first)}",
        f"the graph has {len(variables)} variables to restore: {rest} are in the checkpoint, "
        f"{len(missing)} are not: {_listed(missing)}",
        f"the checkpoint has {len(tensors)} tensors: {len(unused)} are not used"
        + (f": {_listed(unused)}" if unused else ""),
    ]
    return "\n  ".join(lines)


def _candidates(name: str, variable: Variable, unused: Sequence[str], tensors: TensorFile) -> str:
    """The names there that are most like one; else those of tensors that would fit."""
    if found := nearest(name, unused):
        listed = [(other, tensors.stored[other]) for other in found]
        shown = [f"{other!r} ({_kind(stored)} {show(stored.shape)})" for other, stored in listed]
        return f"; the nearest there: {', '.join(shown)}"
    wanted = Stored(variable.dtype.numpy, variable.static_shape)
    fitting = [other for other in unused if tensors.stored[other] == wanted]
    return f"; of its shape there: {_listed(fitting)}" if fitting else ""


def _made(variable: Variable, name: str) -> str:
    about = f"{variable.dtype} {show(variable.static_shape)}"
    return f"\n  {name!r} ({about}) was made at {variable.op.source}"


def _kind(stored: Stored) -> str:
    return "string" if stored.dtype == object else stored.dtype.name


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:_MOST_LISTED]))
    more = len(names) - _MOST_LISTED
    return shown + (f" and {more} more" if more > 0 else "")
