"""Plans with loops and branches, put together by hand, and how they run on each backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import thalweg as tf
from thalweg.backends.native.backend import NativeBackend, NativeProgram
from thalweg.backends.protocol import BackendSettings, Program
from thalweg.backends.reference.backend import ReferenceBackend
from thalweg.backends.state import VariableStore
from thalweg.base.dtypes import as_dtype
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
    """

    def __init__(self, build: Build, feeds: Sequence[Array], threads: int = 1) -> None:
        graph = Graph()
        with graph.as_default():
            placed = [_placeholder(a.shape, as_dtype(a.dtype)) for a in feeds]
            self.plan = Plan(graph, tuple(placed), tuple(build(*placed)), ())
        seen = interface(self.plan)
        native = NativeBackend(BackendSettings(threads))
        self.native: Program = native.compile(self.plan, seen, VariableStore(), {})
        assert isinstance(self.native, NativeProgram)
        self.reference = ReferenceBackend().compile(self.plan, seen, VariableStore(), {})
        self._native = native
        self.feeds = list(feeds)

    def check(self, *feeds: Array, rtol: float = 1e-5) -> list[Array]:
        """What the native program makes, which must be what the reference makes."""
        given = list(feeds) or self.feeds
        made = self.native.run(given, 3)
        for one, right in zip(made, self.reference.run(given, 3), strict=True):
            assert one.dtype == right.dtype
            np.testing.assert_allclose(one, right, rtol=rtol, atol=rtol)
        return made


def _placeholder(shape: Any, dtype: Any) -> Tensor:
    return tf.get_default_graph().add(Placeholder(dtype, tuple(shape))).outputs[0]


def _element(tensor: Tensor) -> Tensor:
    """A tensor like one element."""
    with tensor.graph.as_default():
        return _placeholder(tensor.static_shape[1:], tensor.dtype)
