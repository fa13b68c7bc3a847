"""Loops and branches in plans: their bodies become plans, too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from thalweg.base.dims import Dim, Trace
from thalweg.base.errors import InvalidArgumentError
from thalweg.base.record import replace
from thalweg.base.shapes import known, show, size
from thalweg.graph import Body, Operation, Origin, Spec, Tensor
from thalweg.ops.arrays.constant import Placeholder
from thalweg.ops.control.control_flow import ControlFlow
from thalweg.passes.fold import fold_or_expand, static_sources
from thalweg.passes.rebuild import Rebuild
from thalweg.passes.simplest import simplest
from thalweg.passes.stable_logs import under_logs
from thalweg.passes.trim import in_place_of, trimmed

Keys = Mapping[Operation, tuple[Dim, ...]]

_SMALL = 64  # elements: constants up to this are copied into bodies


class ShapesChangeError(InvalidArgumentError):
    """A loop variable has another shape in each iteration, so that one plan cannot serve all.

    Attributes:
        op: the operation of the graph that is planned, which is to be run body by body.
    """

    op: Operation | None = None


class Bodies:
    """Makes plans of the bodies of operations that are copied into a plan.

    Args:
        keys: the seeds of the operations that draw random numbers.
        used: the tensors that something needs.
    """

    def __init__(self, keys: Keys, used: set[Tensor]) -> None:
        self._keys, self._used = keys, used

    def specialise(self, new: Rebuild, op: Operation, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        """The outputs of the operation for known shapes, but for those that nobody needs.

        Captured constants become constants of the bodies; what these do not need is no input.

        Raises:
            ShapesChangeError: if a loop variable does not keep its shape.
        """
        kept = trimmed(op, self._used)
        given = [inputs[n] for n in kept.inputs]
        planned = self._planned(new.trace, kept.record, given)
        _check_shapes(op, planned)
        last = planned.trim(range(len(kept.outputs)))
        made = new.add(op, last.record, [given[n] for n in last.inputs])
        return in_place_of(op, made, kept.outputs)

    def _planned(self, trace: Trace, record: ControlFlow, inputs: Sequence[Tensor]) -> ControlFlow:
        """The operation with bodies for inputs of known shapes."""
        bodies = []
        for body, numbers in zip(record.bodies, record.sources, strict=True):
            given = [
                _given(record, number, inputs[number], place in body.static)
                for place, number in enumerate(numbers)
            ]
            bodies.append(self._body(trace, body, given))
        return record.with_bodies(bodies)

    def _body(self, trace: Trace, body: Body, given: Sequence[Tensor | Spec]) -> Body:
        """A body for inputs that are constants, or of known shapes."""
        new, ops = Rebuild(trace), body.operations
        feeds = [_feed(new, *pair) for pair in zip(body.inputs, given, strict=True)]
        wanted, held = static_sources(ops), under_logs(ops)
        inner = Bodies(self._keys, used(ops, body.outputs))

        def step(
            new: Rebuild, op: Operation, inputs: tuple[Tensor, ...]
        ) -> Sequence[Tensor] | None:
            if op.record.bodies:
                return inner.specialise(new, op, inputs)
            if op.record.effects.draws:
                return with_open_seed(new, op, inputs, self._keys[op])
            return fold_or_expand(op, inputs, wanted, held)

        new.run(ops, step)
        plan = simplest(new.plan(feeds, body.outputs, []))
        return Body(plan.graph, plan.feeds, plan.fetches)


def _given(record: ControlFlow, number: int, tensor: Tensor, is_static: bool) -> Tensor | Spec:
    """What a body knows of an input: that it is a constant, or its shape."""
    shape = known(tensor.static_shape)
    is_constant = record.is_captured(number) and tensor.op.record.origin is Origin.CONSTANT
    if is_constant and (is_static or size(shape) <= _SMALL):
        return tensor
    return Spec(shape[1:] if record.is_sequence(number) else shape, tensor.dtype)


def _feed(new: Rebuild, old: Tensor, given: Tensor | Spec) -> Tensor:
    """The placeholder of an input; a constant takes its place, and it stays unused."""
    name = old.op.name
    spec = given.spec if isinstance(given, Tensor) else given
    feed = new.graph.add(Placeholder(spec.dtype, spec.shape), (), name).outputs[0]
    new.tensors[old] = feed
    if isinstance(given, Tensor):
        new.tensors[old] = new.graph.copy(given.op, (), name).outputs[0]
    return feed


def _check_shapes(op: Operation, record: ControlFlow) -> None:
    """Complain of what is not of the same shape each time.

    Raises:
        ShapesChangeError: as it says.
    """
    for a, b in record.alike():
        if known(a.static_shape) != known(b.static_shape):
            raise ShapesChangeError(
                f"{op.name!r} ({op.type}) has a value that is once of the shape "
                f"{show(a.static_shape)} and once {show(b.static_shape)}\n  at {op.source}"
            )


def used(ops: Iterable[Operation], fetches: Iterable[Tensor]) -> set[Tensor]:
    """The tensors that operations take, or that are fetched."""
    return {tensor for op in ops for tensor in op.inputs}.union(fetches)


def drawing(ops: Iterable[Operation]) -> Iterator[Operation]:
    """The operations that draw random numbers, in bodies, too."""
    for op in ops:
        if op.record.effects.draws:
            yield op
        for body in op.record.bodies:
            yield from drawing(body.operations)


def open_seeds(trace: Trace, ops: Iterable[Operation]) -> Keys:
    """The seeds of all operations that draw, which may be others in the next process."""
    return {
        op: tuple([trace.give(word, "seed") for word in op.get_attr("key")]) for op in drawing(ops)
    }


def with_open_seed(
    new: Rebuild, op: Operation, inputs: Sequence[Tensor], key: tuple[Dim, ...]
) -> Sequence[Tensor]:
    """Random numbers from such a seed."""
    return new.graph.add(replace(op.record, key=key), inputs, op.name).outputs


def needs_host(op: Operation, used: set[Tensor]) -> bool:
    """Whether a loop or a branch can only be run body by body.

    So it is if an operation inside must be run by Python, if a shape depends on the iteration or
    the branch, or if a loop inside collects values until a condition fails.

    Args:
        op: of a graph in which shapes need not be known.
        used: the tensors that something needs.
    """
    kept = trimmed(op, used)
    record, specs = kept.record, [op.inputs[n].spec for n in kept.inputs]
    return record.effects.host or record.varies(specs) or any(map(_holds_host, record.bodies))


def collects_until(op: Operation, used: set[Tensor]) -> bool:
    """Whether an operation is a loop of which only the end tells how much it collects.

    Args:
        op: of a graph in which shapes need not be known.
        used: the tensors that something needs.
    """
    return bool(op.record.bodies) and trimmed(op, used).record.collects_until


def _holds_host(body: Body) -> bool:
    inside = [op for op in body.operations if op.record.bodies]
    tensors = used(body.operations, body.outputs)
    return any(needs_host(op, tensors) or collects_until(op, tensors) for op in inside)
