"""From the user's graph to a plan: all shapes known, feeds as placeholders, the rest dropped."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.base.dims import Trace
from thalweg.base.record import replace
from thalweg.base.shapes import Shape
from thalweg.graph import Operation, Origin, Tensor, Timing
from thalweg.ops.arrays.constant import Constant, Placeholder
from thalweg.ops.state.variable import ReadVariable
from thalweg.passes.fold import fold_or_expand, static_sources
from thalweg.passes.plan import Plan
from thalweg.passes.prune import NOTHING, prune
from thalweg.passes.rebuild import Rebuild, effects
from thalweg.passes.stable_logs import under_logs


def specialise(
    fetches: Sequence[Tensor],
    targets: Sequence[Operation],
    fed: Mapping[Tensor, tuple[int, ...]],
    values: Mapping[Tensor, np.ndarray[Any, Any]],
    done: Collection[Operation] = NOTHING,
) -> Plan:
    """The part of the graph that a run needs, rebuilt for the shapes of its feeds.

    An extent that the user's graph leaves open becomes a `Dim`, and so does a seed, which may be
    another one in each process; a fetched variable becomes a read. Writes of one variable, and the
    reads that updates begin with, depend on the write that was made before them.

    Args:
        fetches: tensors of the user's graph.
        targets: operations of the user's graph.
        fed: the shapes of the tensors that are fed.
        values: of those among them that decide about shapes (see `static_feeds`); they become
            constants, the others the plan's feeds, in order.
        done: operations that have run before, whose outputs are fed where they are needed.
    """
    ops = prune(fetches, targets, fed, done)
    new = Rebuild(Trace())
    for tensor, shape in fed.items():
        new.tensors[tensor] = _fed(new, tensor, shape, values.get(tensor))
    feeds = [new.tensors[tensor] for tensor in fed if tensor not in values]
    wanted, held = static_sources(ops), under_logs(ops)
    updates: dict[Tensor, Operation] = {}

    def step(new: Rebuild, op: Operation, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        does = op.record.effects
        if not op.outputs and does.pure:
            return ()  # it only holds control dependencies together, which `new` knows
        if does.timing is Timing.IN_TURN and not does.writes:
            return (_read(new, inputs[0], updates.get(inputs[0])),)
        inputs = _read_handles(new, op, inputs)
        if does.draws:
            return _with_open_seed(new, op, inputs)
        if does.writes:
            return _in_turn(new, op, inputs, updates)
        return fold_or_expand(op, inputs, wanted, held)

    new.run(ops, step)
    with new.graph.as_default():
        for tensor in fetches:
            made = new.tensors[tensor]
            new.tensors[tensor] = _read(new, made) if _is_handle(made) else made
    return new.plan(feeds, fetches, effects(ops))


def _with_open_seed(new: Rebuild, op: Operation, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """Random numbers whose seed may be another one in the next process."""
    key = tuple(new.trace.give(word, "seed") for word in op.get_attr("key"))
    return new.graph.add(replace(op.record, key=key), inputs, op.name).outputs


def _in_turn(
    new: Rebuild,
    op: Operation,
    inputs: Sequence[Tensor],
    updates: dict[Tensor, Operation],
) -> Sequence[Tensor]:
    """A write; it waits for the latest one of each variable, and then is that itself."""
    written = [inputs[n] for n in op.record.effects.writes]
    before = [updates[handle] for handle in written if handle in updates]
    new.graph.resume(op.source, [*new.control(op), *before])
    copy = new.copy(op, inputs)
    updates.update(dict.fromkeys(written, copy))
    return copy.outputs


def seeds(ops: Iterable[Operation]) -> list[int]:
    """What a plan is given beside the open extents of its feeds."""
    return [word for op in ops if op.record.effects.draws for word in op.get_attr("key")]


def static_feeds(ops: Sequence[Operation], fed: Collection[Tensor]) -> list[Tensor]:
    """The fed tensors whose values, not only shapes, must be known to plan the run."""
    wanted = static_sources(ops)
    return [tensor for tensor in fed if tensor in wanted]


def _fed(
    new: Rebuild, tensor: Tensor, shape: Sequence[int], value: np.ndarray[Any, Any] | None
) -> Tensor:
    record: Constant | Placeholder
    if value is not None:
        array = np.array(value)  # the caller may change what was fed
        record = Constant.of(array, new.trace.literal(array))
    else:
        record = Placeholder(tensor.dtype, _extents(new.trace, tensor.static_shape, shape))
    with new.graph.made_at(tensor.op.source):
        return new.graph.add(record, (), tensor.op.name).outputs[0]


def _extents(trace: Trace, static: Shape, shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of a feed, in which what is not known statically may vary."""
    opened = open_extents(static, shape)
    return tuple(trace.give(n) if varies else int(n) for varies, n in opened)


def open_extents(static: Shape, shape: Sequence[int]) -> list[tuple[bool, int]]:
    """The extents of a feed, and whether the graph leaves them open."""
    declared: Sequence[int | None] = static if static is not None else (None,) * len(shape)
    return [(d is None, n) for d, n in zip(declared, shape, strict=True)]


def _is_handle(tensor: Tensor) -> bool:
    return tensor.op.record.origin is Origin.RESOURCE


def _read(new: Rebuild, handle: Tensor, after: Operation | None = None) -> Tensor:
    """A read of the variable; that of an update comes after the update before it."""
    name, control = f"{handle.op.name}/read", [after] if after else []
    with new.graph.made_at(handle.op.source):
        return new.graph.add(ReadVariable(), (handle,), name, control).outputs[0]


def _read_handles(new: Rebuild, op: Operation, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Ops that take a variable's tensor by name read its value."""
    handles = op.record.effects.handles
    return tuple(
        [
            _read(new, tensor) if _is_handle(tensor) and n not in handles else tensor
            for n, tensor in enumerate(inputs)
        ]
    )
