"""What the operations that make summaries share: tags, scopes and collections."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes
from thalweg.base.errors import DTypeError, ShapeError
from thalweg.base.shapes import show
from thalweg.graph import ON_HOST, Effects, Op, Spec, Tensor
from thalweg.graph.keys import GraphKeys
from thalweg.ops.build import convert, emit, scope
from thalweg.protos.summaries import Summary

Array = np.ndarray[Any, Any]
SUMMARY = Spec((), dtypes.string)  # of what each of these operations makes
TAG = np.array(b"tag", object)  # for samples


class SummaryOp(Op):
    """What operations that make summaries share.

    Class attributes:
        tag_name: what the constant that holds the tag is called, in the operation's scope.
    """

    effects: ClassVar[Effects] = ON_HOST
    takes_strings: ClassVar[bool] = True
    differentiable: ClassVar[bool] = False
    tag_name: ClassVar[str] = "tag"


def serialised(values: Iterable[Summary.Value]) -> Array:
    """A summary of some values, as an operation's output."""
    return np.array(Summary(value=list(values)).SerializeToString(), object)


def check_tag(spec: Spec) -> None:
    """Check that an input is one tag."""
    if not spec.dtype.is_string:
        raise DTypeError(f"the tag must be a string, not {spec.dtype}")
    if spec.shape not in (None, ()):
        raise ShapeError(f"the tag must be a scalar; it is {show(spec.shape)}")


def check_numbers(spec: Spec) -> None:
    """Check that an input holds numbers."""
    if spec.dtype.is_string or spec.dtype.is_bool:
        raise DTypeError(f"takes numbers, not {spec.dtype}: use tf.cast or tf.summary.text")


def clean_tag(name: object) -> str:
    """A name with `_` for what a name must not hold, and without slashes in front."""
    return re.sub(r"[^-/\w.]", "_", str(name), flags=re.ASCII).lstrip("/")


@contextmanager
def summary_scope(name: str, family: str | None, tensor: Tensor) -> Iterator[tuple[str, str]]:
    """The scope of a summary.

    Args:
        name: what the user calls it.
        family: what TensorBoard groups it under; the outermost scope by default.
        tensor: what it shows.

    Yields:
        the tag, and the name for the operation.
    """
    own = clean_tag(name)
    group = clean_tag(family) if family is not None else None
    with scope(own if group is None else f"{group}/{own}", "summary", tensor) as full:
        tag = full.rstrip("/")
        yield (tag if group is None else f"{group}/{tag}"), full


def emit_summary(
    record: SummaryOp,
    tag: Any,
    *inputs: Tensor,
    name: str | None = None,
    collections: Any = None,
) -> Tensor:
    """A summary operation, added to collections.

    Args:
        record: of the operation.
        tag: its first input.
        inputs: the others.
        name: of the operation and of the scope of the tag; one that `summary_scope` gave, if the
            scope is open already.
        collections: the names of some; that of all summaries by default.
    """
    with scope(name, record.type, *inputs) as full:
        text = convert(tag, dtypes.string, name=record.tag_name)
        made = emit(record, text, *inputs, name=full)
    collect(made, GraphKeys.SUMMARIES if collections is None else collections)
    return made


def collect(summary: Tensor, collections: Any) -> None:
    """Add a summary to collections of its graph."""
    summary.graph.add_to_collections(collections, summary)
