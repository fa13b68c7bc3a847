"""Shapes and dtypes of outputs, and what an error says when there are none."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

from thalweg.base.dims import plain
from thalweg.base.dtypes import string
from thalweg.base.errors import DTypeError, ShapeError
from thalweg.base.shapes import show
from thalweg.base.source import Source, caller
from thalweg.graph.node import Tensor
from thalweg.graph.op import Op, Spec

MOST_BYTES = 2**63 - 1


def infer(record: Op, inputs: Sequence[Tensor], source: Source) -> tuple[Spec, ...]:
    """The output specs, with the user's lines added to what the record complains about."""
    try:
        made = record.infer(*(tensor.spec for tensor in inputs))
        specs = made if isinstance(made, tuple) else (made,)
        for spec in specs:
            _check_size(spec)
        if not record.takes_strings:
            _check_no_strings([*[tensor.spec for tensor in inputs], *specs])
    except (ShapeError, DTypeError) as error:
        names = _argument_names(type(record).infer, len(inputs))
        named = list(zip(names, inputs, strict=False))
        raise located(error, record.type.lower(), named, source) from None
    return specs


def _check_size(spec: Spec) -> None:
    """Refuse what no address could reach: all offsets are 64-bit numbers, in bytes."""
    size = spec.dtype.size
    for extent in spec.shape or ():
        size *= 1 if extent is None else plain(extent)
    if size > MOST_BYTES:
        raise ShapeError(f"no memory holds a tensor of the shape {show(spec.shape)}")


def _check_no_strings(specs: Iterable[Spec]) -> None:
    """Refuse strings where only numbers have a meaning."""
    for spec in specs:
        if spec.dtype is string:
            raise DTypeError("takes no strings")


def located(
    error: ShapeError | DTypeError,
    what: str,
    named: Iterable[tuple[str, Tensor]],
    source: Source | None = None,
) -> ShapeError | DTypeError:
    """The error with the op, the user's line, and the lines that made the inputs.

    Args:
        error: what is wrong, without a place.
        what: the op.
        named: the inputs with the names that the error uses for them.
        source: the user's line; by default the one that is calling.
    """
    here = source or caller()
    lines = [f"{what}: {error}", f"  at {here}"]
    for name, tensor in named:
        if tensor.op.source != here:
            lines.append(f"  {name} was made at {tensor.op.source}")
    return type(error)("\n".join(lines))


@cache
def _argument_names(infer: Callable[..., Any], count: int) -> tuple[str, ...]:
    parameters = list(inspect.signature(infer).parameters.values())[1:]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return tuple(f"input {n}" for n in range(count))
    return tuple(p.name for p in parameters)
