"""From the user's graph to a plan: all shapes known, feeds as placeholders, the rest dropped."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.base.dims import Given, Trace
from thalweg.graph import Operation, Origin, Tensor, Timing
from thalweg.ops.arrays.constant import Constant, Placeholder
from thalweg.ops.state.variable import ReadVariable
from thalweg.passes.bodies import (
    Bodies,
    ShapesChangeError,
    drawing,
    open_seeds,
    used,
    with_open_seed,
)
from thalweg.passes.fold import fold_or_expand, static_sources
from thalweg.passes.plan import Plan
from thalweg.passes.prune import NOTHING, prune
from thalweg.passes.rebuild import Rebuild, effects
from thalweg.passes.stable_logs import under_logs

Array = np.ndarray[Any, Any]


def specialise(
    fetches: Sequence[Tensor],
    targets: Sequence[Operation],
    fed: Mapping[Tensor, tuple[int, ...]],
    values: Mapping[Tensor, Array],
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
            constants that may differ in the next run, the others the plan's feeds, in order.
        done: operations that have run before, whose outputs are fed where they are needed.
    """
    ops = prune(fetches, targets, fed, done)
    new = Rebuild(Trace())
    feeds = _given(new, fed, values)
    wanted, held = static_sources(ops, fed), under_logs(ops)
    updates: dict[Tensor, Operation] = {}
    keys = open_seeds(new.trace, ops)
    bodies = Bodies(keys, used(ops, fetches))

    def step(new: Rebuild, op: Operation, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        does = op.record.effects
        if not op.outputs and does.pure:
            return ()  # it only holds control dependencies together, which `new` knows
        if does.timing is Timing.IN_TURN and not does.writes:
            return (_read(new, inputs[0], updates.get(inputs[0])),)
        inputs = _read_handles(new, op, inputs)
        if op.record.bodies:
            return _with_bodies(bodies, new, op, inputs)
        if does.draws:
            return with_open_seed(new, op, inputs, keys[op])
        if does.writes:
            return _in_turn(new, op, inputs, updates)
        return fold_or_expand(op, inputs, wanted, held)

    new.run(ops, step)
    with new.graph.as_default():
        for tensor in filter(_is_handle, fetches):
            new.tensors[tensor] = _read(new, new.tensors[tensor])
    return new.plan(feeds, fetches, effects(ops))


def _given(
    new: Rebuild, fed: Mapping[Tensor, tuple[int, ...]], values: Mapping[Tensor, Array]
) -> list[Tensor]:
    """What stands for the tensors that are fed; those of them that a run still takes."""
    for tensor, value in values.items():
        new.tensors[tensor] = _known(new, tensor, value)
    taken = {tensor: shape for tensor, shape in fed.items() if tensor not in values}
    for tensor, shape in taken.items():
        new.tensors[tensor] = _fed(new, tensor, shape)
    return [new.tensors[tensor] for tensor in taken]


def _with_bodies(
    bodies: Bodies, new: Rebuild, op: Operation, inputs: Sequence[Tensor]
) -> Sequence[Tensor]:
    try:
        return bodies.specialise(new, op, inputs)
    except ShapesChangeError as error:
        error.op = op
        raise


def _in_turn(
    new: Rebuild,
    op: Operation,
    inputs: Sequence[Tensor],
    updates: dict[Tensor, Operation],
) -> Sequence[Tensor]:
    """A write; it waits for the latest one of each variable, and then is that itself."""
    written = [inputs[n] for n in op.record.effects.writes]
    before = [updates[handle] for handle in written if handle in updates]
    new.graph.continue_at(op.source, [*new.control(op), *before])
    copy = new.copy(op, inputs)
    updates.update(dict.fromkeys(written, copy))
    return copy.outputs


def given(
    values: Mapping[Tensor, Array], shapes: Mapping[Tensor, Sequence[int]], words: Iterable[int]
) -> list[Given]:
    """What the trace of a plan is given, in the order in which `specialise` gives it.

    Args:
        values: of the tensors of the user's graph whose values decide about shapes.
        shapes: of the plan's feeds.
        words: of the seeds of its random operations; see `seeds`.
    """
    made: list[Given] = []
    for tensor, value in values.items():
        made += [value, *_open_extents(tensor, value.shape)]
    for tensor, shape in shapes.items():
        made += _open_extents(tensor, shape)
    return [*made, *words]


def seeds(ops: Iterable[Operation]) -> list[int]:
    """The seeds of operations, as a plan is given them."""
    return [word for op in drawing(ops) for word in op.get_attr("key")]


def static_feeds(ops: Sequence[Operation], fed: Collection[Tensor]) -> list[Tensor]:
    """The fed tensors whose values, not only shapes, must be known to plan the run."""
    wanted = static_sources(ops, fed)
    return [tensor for tensor in fed if tensor in wanted]


def _known(new: Rebuild, tensor: Tensor, value: Array) -> Tensor:
    """A feed whose value decides about shapes, as a constant."""
    node = new.trace.give_array(value)
    shape = _extents(new.trace, tensor, value.shape)
    record = Constant.of(value.copy(), node, shape)  # the caller may change what was fed
    with new.graph.made_at(tensor.op.source):
        return new.graph.add(record, (), tensor.op.name).outputs[0]


def _fed(new: Rebuild, tensor: Tensor, shape: Sequence[int]) -> Tensor:
    record = Placeholder(tensor.dtype, _extents(new.trace, tensor, shape))
    with new.graph.made_at(tensor.op.source):
        return new.graph.add(record, (), tensor.op.name).outputs[0]


def _extents(trace: Trace, tensor: Tensor, shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of a feed, in which what the graph leaves open may vary."""
    pairs = zip(shape, _declared(tensor, len(shape)), strict=True)
    return tuple(trace.give(n) if d is None else int(n) for n, d in pairs)


def _open_extents(tensor: Tensor, shape: Sequence[int]) -> list[int]:
    """The extents of a feed that the graph leaves open."""
    pairs = zip(shape, _declared(tensor, len(shape)), strict=True)
    return [n for n, d in pairs if d is None]


def _declared(tensor: Tensor, rank: int) -> Sequence[int | None]:
    static = tensor.static_shape
    return (None,) * rank if static is None else static


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
