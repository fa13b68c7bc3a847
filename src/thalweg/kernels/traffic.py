"""What kernels read and write, and for how long it must stay in the arena where there are loops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from thalweg.base.record import Record
from thalweg.formula import Read
from thalweg.kernels.flow import Choice, Flow, Repeat, Straight
from thalweg.kernels.kernel import Kernel, TiledKernels, kernels_of
from thalweg.kernels.memory import Life, Lives
from thalweg.kernels.values import Temporary, Value, whole


class Traffic(Record):
    """The values whose memory a part of a program reads and writes, but for its own."""

    read: set[Value]
    written: set[Value]


def traffic(part: Kernel | TiledKernels) -> Traffic:
    """What a part of a program reads and writes."""
    private = part.private if isinstance(part, TiledKernels) else ()
    read: set[Value] = set()
    written: set[Value] = set()
    for nest, _ in kernels_of(part):
        slots = [e.source for e in nest.exprs if isinstance(e, Read)]
        stores = [store.slot for store in (*nest.stores, *nest.scratch)]
        read |= {nest.slots[slot] for slot in (*slots, *nest.when)}
        written |= {nest.slots[slot] for slot in stores}
    wholes = [{whole(v) for v in values if v not in private} for values in (read, written)]
    return Traffic(*wholes)


def lives_in(parts: Sequence[Kernel | TiledKernels], flow: Flow) -> Lives:
    """From which part to which each temporary is needed.

    What a loop needs in another iteration, or what is needed outside of it too, is needed all
    through the loop.

    Args:
        parts: of the program.
        flow: in which order they run.
    """
    behind = dict(_behind(flow))
    lives: dict[Value, Life] = {}

    def touch(value: Value, number: int) -> None:
        for place in _places(value, behind):
            first, last = lives.get(place, (number, number))
            lives[place] = min(first, number), max(last, number)

    for number, part in enumerate(parts):
        own = traffic(part)
        for value in own.read | own.written:
            touch(value, number)
    for item in _held(flow):
        if item.predicate is not None:
            first, last = _span(item)  # a branch asks before its parts, a loop after them
            touch(item.predicate, last if isinstance(item, Repeat) else first)
    _extend(lives, flow, behind)
    return lives


def _behind(flow: Flow) -> Iterator[tuple[Value, tuple[Value, ...]]]:
    """Where values may be whose place changes."""
    for loop in _loops(flow):
        for one in loop.carried:
            yield one.now, (one.initial, *one.buffers)
            yield one.next, one.buffers
            yield one.final, (one.initial, *one.buffers)
        for element in loop.elements:
            yield element.one, (element.whole,)


def _places(value: Value, behind: dict[Value, tuple[Value, ...]]) -> Iterator[Value]:
    """The temporaries in one of which a value is."""
    if isinstance(value.storage, Temporary):
        yield value
    for other in behind.get(value, ()):
        yield from _places(other, behind)


def _extend(lives: dict[Value, Life], flow: Flow, behind: dict[Value, tuple[Value, ...]]) -> None:
    """Let what a loop needs live all through it: of loops in loops, the inner ones first."""
    for loop in _loops(flow):
        first, last = _span(loop)
        kept = {place for value in _kept(loop) for place in _places(value, behind)}
        for value, (begin, end) in lives.items():
            inside = first <= begin and end <= last
            apart = end < first or last < begin
            if value in kept or not (inside or apart):
                lives[value] = min(begin, first), max(end, last)


def _kept(loop: Repeat) -> Iterator[Value]:
    """What a loop needs from one iteration to another."""
    for one in loop.carried:
        yield from (one.initial, *one.buffers)
    for element in loop.elements:
        yield element.whole


def _loops(flow: Flow) -> Iterator[Repeat]:
    """All loops, those inside of others before these."""
    return (item for item in _held(flow) if isinstance(item, Repeat))


def _held(flow: Flow) -> Iterator[Repeat | Choice]:
    """All loops and branches, those inside of others before these."""
    for item in flow:
        if not isinstance(item, Straight):
            yield from _held(_inside(item))
            yield item


def _inside(item: Straight | Repeat | Choice) -> Flow:
    match item:
        case Repeat():
            return item.body
        case Choice():
            return (*item.then, *item.otherwise)
    return ()


def _span(item: Straight | Repeat | Choice) -> Life:
    """The first part and the last."""
    if isinstance(item, Straight):
        return item.first, item.end - 1
    spans = list(map(_span, _inside(item)))
    return min(first for first, _ in spans), max(last for _, last in spans)
