"""A plan for some extents serves others, or another one is made: every op, every sample.

What a program does for other extents is compared with what one does that was planned for them. Both
run the same kernels, so that not a bit may differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from tests.ops.running import Array
from tests.shares import one_in
from thalweg.autodiff.gradients import gradients
from thalweg.autodiff.indexed_slices import dense
from thalweg.base.dtypes import as_dtype
from thalweg.base.errors import DTypeError, ShapeError, ThalwegError
from thalweg.graph import Graph, Op, Sample, Tensor
from thalweg.ops.arrays.constant import Placeholder
from thalweg.ops.catalogue import ALL
from thalweg.ops.reduction import reduce
from thalweg.session.session import Session

SAMPLED = [record for record in ALL if list(record.samples())]
CHANGES: dict[str, Callable[[int], int]] = {
    "twice": lambda n: 2 * n,
    "one more": lambda n: n + 1,
    "two": lambda _: 2,
}

Feeds = dict[Tensor, Array]


def _changed(array: Array, open_axes: Sequence[int], change: str) -> Array:
    """The array with other extents: equal ones stay equal, and what is broadcast stays so."""
    shape = list(array.shape)
    for axis in open_axes:
        shape[axis] = shape[axis] if shape[axis] < 2 else CHANGES[change](shape[axis])
    return np.resize(array, shape)


def _open_axes(sample: Sample, number: int, batch_only: bool) -> Sequence[int]:
    """The axes of an input that the graph leaves open: all, or those of the batch."""
    shapes = [array.shape for array in sample.arrays()]
    if number in sample.op.static:
        return ()
    if not batch_only:
        return range(len(shapes[number]))
    batch = shapes[0][0] if shapes[0] else None
    return [0] if shapes[number] and shapes[number][0] == batch else []


def _case(sample: Sample, change: str, batch_only: bool) -> tuple[list[Tensor], Feeds, Feeds]:
    """What to fetch of a sample and of what is made from it, what to feed, and that changed."""
    graph = Graph()
    first, then = Feeds(), Feeds()
    for n, array in enumerate(sample.arrays()):
        axes = _open_axes(sample, n, batch_only)
        shape = tuple(None if axis in axes else d for axis, d in enumerate(array.shape))
        x = graph.add(Placeholder(as_dtype(array.dtype), shape)).outputs[0]
        first[x], then[x] = array, _changed(array, axes, change)
    outputs = graph.add(sample.op, tuple(first)).outputs
    fetches = list(outputs)
    with graph.as_default():
        floating = [y for y in outputs if y.dtype.is_floating]
        fetches += [reduce.reduce_mean(y * y) for y in floating]
        if floating and sample.differentiable and type(sample.op).differentiable:
            inputs = [x for x in first if x.dtype.is_floating]
            fetches += [dense(g) for g in gradients(floating, inputs) if g is not None]
    return fetches, first, then


def _cases(record: type[Op], change: str) -> Iterator[tuple[list[Tensor], Feeds, Feeds]]:
    for sample in record.samples():
        for batch_only in (False, True):
            try:
                yield _case(sample, change, batch_only)
            except (ShapeError, DTypeError) as error:  # it is not made for open extents
                if not re.search("must be known|needs its height", str(error)):
                    raise


def _outcome(session: Session, fetches: list[Tensor], feeds: Feeds) -> tuple[object, ...]:
    """The values, and the program as text without its tiles; or the error."""
    try:
        with np.errstate(all="ignore"):
            values = session.run(fetches, feeds)
            _, program = session.program(fetches, feeds)
    except ThalwegError as error:
        return (str(error),)
    text = program.describe() if program is not None else ""
    return ([_content(np.asarray(v)) for v in values], re.sub(", tile .*, ", ", ", text))


def _content(array: Array) -> object:
    """What equal arrays have in common; an array of strings holds references."""
    return array.tolist() if array.dtype == object else array.tobytes()


# Diagonal by diagonal, so that a share has another change for each record in turn.
PAIRS = [(r, list(CHANGES)[(n + m) % 3]) for n, r in enumerate(SAMPLED) for m in range(3)]


@pytest.mark.parametrize(("record", "change"), one_in(7, PAIRS))
def test_a_program_for_other_extents_is_what_planning_would_make(
    record: type[Op], change: str
) -> None:
    for fetches, first, then in _cases(record, change):
        if not fetches:
            continue  # it has no outputs
        graph = fetches[0].graph
        with Session(graph=graph) as adapting, Session(graph=graph) as planning:
            _outcome(adapting, fetches, first)
            planning.run([])  # random numbers go by the number of the run
            adapted, planned = (_outcome(s, fetches, then) for s in (adapting, planning))
        # Outputs of Python's may have equal extents by chance, so that planning merges more.
        parts = 1 if fetches[0].op.record.effects.host else 2
        assert adapted[:parts] == planned[:parts]
