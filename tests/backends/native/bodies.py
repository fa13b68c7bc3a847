"""Plans with loops and branches, put together by hand, and how they run on each backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import thalweg as tf
from thalweg.backends.native.backend import NativeBackend, NativeProgram
from thalweg.backends.protocol import BackendSettings
from thalweg.backends.reference.backend import ReferenceBackend
from thalweg.backends.state import VariableStore
from thalweg.base.dims import Trace
from thalweg.base.dtypes import as_dtype
from thalweg.base.shapes import known
from thalweg.graph import Body, Graph, Tensor
from thalweg.ops.arrays.constant import Placeholder
from thalweg.ops.control.cond import Cond
from thalweg.ops.control.loop import Loop
from thalweg.passes.interface import interface
from thalweg.passes.plan import Plan

Array = np.ndarray[Any, Any]
Build = Callable[..., Sequence[Tensor]]


def body(build: Build, *inputs: Tensor) -> Body:
    """A body that computes what a function makes of tensors like these."""
    graph = Graph()
    with graph.as_default():
        own = [_placeholder(tensor.static_shape, tensor.dtype) for tensor in inputs]
        return Body(graph, tuple(own), tuple(build(*own)))


def loop(
    build: Build,
    carried: Sequence[Tensor],
    sequences: Sequence[Tensor] = (),
    captured: Sequence[Tensor] = (),
    condition: Callable[..., Tensor] | None = None,
    reverse: bool = False,
) -> Sequence[Tensor]:
    """The outputs of a loop; see `Loop`."""
    made = body(build, *carried, *[_element(tensor) for tensor in sequences], *captured)
    test = None
    if condition is not None:
        asked = condition
        test = body(lambda *inputs: [asked(*inputs)], *carried, *captured)
    record = Loop(test, made, len(carried), len(sequences), reverse)
    inputs = (*carried, *sequences, *captured)
    return inputs[0].graph.add(record, inputs).outputs


def cond(
    predicate: Tensor, then: Build, otherwise: Build, captured: Sequence[Tensor]
) -> Sequence[Tensor]:
    """The outputs of a branch; see `Cond`."""
    record = Cond(body(then, *captured), body(otherwise, *captured))
    return predicate.graph.add(record, (predicate, *captured)).outputs


class Compared:
    """A plan on the native backend and on the reference.

    Args:
        build: what it fetches, from its feeds.
        feeds: arrays like those that it is fed.
        threads: of the native program.
        varies: the extents that the plan leaves open, each by a feed's number and an axis.
    """

    def __init__(
        self,
        build: Build,
        feeds: Sequence[Array],
        threads: int = 1,
        varies: Sequence[tuple[int, int]] = (),
    ) -> None:
        graph, trace = Graph(), Trace()
        with graph.as_default():
            shapes = [list(a.shape) for a in feeds]
            for feed, axis in varies:
                shapes[feed][axis] = trace.give(shapes[feed][axis])
            kinds = [as_dtype(a.dtype) for a in feeds]
            placed = list(map(_placeholder, shapes, kinds))
            self.plan = Plan(graph, tuple(placed), tuple(build(*placed)), (), None, trace)
        seen = interface(self.plan)
        made = NativeBackend(BackendSettings(threads)).compile(self.plan, seen, VariableStore(), {})
        assert isinstance(made, NativeProgram)
        self.native: NativeProgram = made
        self.reference = ReferenceBackend().compile(self.plan, seen, VariableStore(), {})
        self._varies = varies
        self.feeds = list(feeds)

    def check(self, *feeds: Array, rtol: float = 1e-5) -> list[Array]:
        """What the native program makes, which must be what the reference makes."""
        given = list(feeds) or self.feeds
        program: NativeProgram | None = self.native
        if [a.shape for a in given] != [a.shape for a in self.feeds]:
            program = self.native.at([given[feed].shape[axis] for feed, axis in self._varies])
        assert program is not None
        made = program.run(given, 3)
        assert_close(made, self.reference.run(given, 3), rtol)
        return made


def assert_close(made: Sequence[Array], right: Sequence[Array], rtol: float = 1e-5) -> None:
    """Check that arrays are almost equal: in another order, sums of float32 differ in some bits."""
    for one, other in zip(made, right, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol)


def _placeholder(shape: Any, dtype: Any) -> Tensor:
    return tf.get_default_graph().add(Placeholder(dtype, tuple(shape))).outputs[0]


def _element(tensor: Tensor) -> Tensor:
    """A tensor like one element."""
    with tensor.graph.as_default():
        return _placeholder(known(tensor.static_shape)[1:], tensor.dtype)
