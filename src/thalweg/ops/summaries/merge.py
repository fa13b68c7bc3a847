"""Several summaries as one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base.errors import DTypeError, InvalidArgumentError
from thalweg.graph import Sample, Spec, Tensor, default_graph
from thalweg.graph.keys import GraphKeys
from thalweg.ops.build import convert, emit, scope
from thalweg.ops.samples import TABLE
from thalweg.ops.summaries.tags import SUMMARY, SummaryOp, clean_tag, collect
from thalweg.protos.summaries import Summary
from thalweg.protos.wire import BYTES, fields

_ONE = np.array(Summary(value=[Summary.Value(tag="a", simple_value=1)]).SerializeToString(), object)
_OTHER = np.array(
    Summary(value=[Summary.Value(tag="b", simple_value=2)]).SerializeToString(), object
)


class MergeSummary(SummaryOp):
    """A summary with the values of all inputs."""

    type: ClassVar[str] = "MergeSummary"

    def infer(self, *inputs: Spec) -> Spec:
        for spec in inputs:
            if not spec.dtype.is_string:
                raise DTypeError(f"summaries are strings, not {spec.dtype}")
        return SUMMARY

    def evaluate(self, xp: Any, *inputs: Any) -> Any:
        summaries = [item for array in inputs for item in array.reshape(-1).tolist()]
        seen: set[bytes] = set()
        for tag in (tag for summary in summaries for tag in _tags(summary)):
            if tag in seen:
                raise InvalidArgumentError(f"two summaries have the tag {tag.decode()!r}")
            seen.add(tag)
        # Messages one after the other are a message with the values of all.
        return np.array(b"".join(summaries), object)

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (_ONE,), exact=True)
        yield Sample(cls(), (_ONE, _OTHER), exact=True)
        yield Sample(cls(), (np.array([_ONE[()], _OTHER[()]], object),), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (_ONE, TABLE), "summaries are strings, not float32")


def _tags(summary: bytes) -> Iterator[bytes]:
    """The tags in a serialised summary; nothing else of it is read."""
    for number, wire, value in fields(memoryview(summary)):
        if number == 1 and wire == BYTES:
            assert isinstance(value, memoryview)
            tags = [v for n, kind, v in fields(value) if n == 1 and kind == BYTES]
            yield bytes(tags[-1]) if tags else b""


def merge(
    inputs: Sequence[Any], collections: Sequence[str] | None = None, name: str | None = None
) -> Tensor:
    """One summary with the values of several.

    Args:
        inputs: serialised summaries, as the functions of `tf.summary` make them.
        collections: what the result is added to; to none by default.
        name: of the scope.

    Raises:
        DTypeError: if they are not strings.
        InvalidArgumentError: in a run, if two values have the same tag.
    """
    tensors = [convert(item) for item in inputs]
    if not tensors:
        raise InvalidArgumentError("there are no summaries to merge")
    with scope(name and clean_tag(name), "Merge", *tensors):
        made = emit(MergeSummary(), *tensors, name=name and clean_tag(name).rpartition("/")[2])
    collect(made, collections or ())
    return made


def merge_all(
    key: str = GraphKeys.SUMMARIES, scope: str | None = None, name: str | None = None
) -> Tensor | None:
    """One summary with the values of all that were made in the default graph.

    Args:
        key: the collection that they are in.
        scope: what their names begin with; all if not given.
        name: of the scope of the operation.

    Returns:
        a string tensor; None if there are no summaries.
    """
    found = default_graph().get_collection(key, scope)
    return merge(found, name=name) if found else None


def merge_summary(
    inputs: Sequence[Any], collections: Sequence[str] | None = None, name: str | None = None
) -> Tensor:
    """The older name of `tf.summary.merge`."""
    return merge(inputs, collections, name)


def merge_all_summaries(key: str = GraphKeys.SUMMARIES) -> Tensor | None:
    """The older name of `tf.summary.merge_all`."""
    return merge_all(key)
