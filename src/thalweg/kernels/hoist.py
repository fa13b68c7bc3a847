"""Let kernels leave a loop that need to run only once, before it.

for t:                                       W packed = pack(W)
    W packed = pack(W)                  ->   for t:
    y[t] = x[t] @ W packed                       y[t] = x[t] @ W packed

A kernel can leave if all that it reads stays the same, and nobody else writes what it writes. What
it reads may be written by others that leave.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial

from thalweg.base.record import replace
from thalweg.kernels.flow import Choice, Flow, Repeat, Straight
from thalweg.kernels.kernel import Kernel, TiledKernels
from thalweg.kernels.traffic import Traffic, traffic
from thalweg.kernels.values import Temporary, Value

Part = Kernel | TiledKernels


def hoist(parts: list[Part], flow: Flow) -> Flow:
    """The flow with what can leave its loops before them.

    Only kernels that a loop's body begins with are looked at: no loop or branch comes before them.

    Args:
        parts: of the program; they may change places.
        flow: in which order they run.
    """
    return tuple(one for item in flow for one in _hoisted(parts, item))


def _hoisted(parts: list[Part], item: Straight | Repeat | Choice) -> Flow:
    inside = partial(hoist, parts)
    match item:
        case Repeat():
            return _before(parts, replace(item, body=inside(item.body)))
        case Choice():
            return (replace(item, then=inside(item.then), otherwise=inside(item.otherwise)),)
    return (item,)


def _before(parts: list[Part], loop: Repeat) -> Flow:
    """A loop, after what has left it."""
    first, *rest = loop.body or (None,)
    if not isinstance(first, Straight):
        return (loop,)
    own = parts[first.first : first.end]
    leaving = _invariant(own, _changing(loop))
    if not leaving:
        return (loop,)
    staying = [part for n, part in enumerate(own) if n not in leaving]
    parts[first.first : first.end] = [own[n] for n in sorted(leaving)] + staying
    middle = first.first + len(leaving)
    body = (Straight(middle, first.end), *rest)
    return Straight(first.first, middle), replace(loop, body=body)


def _changing(loop: Repeat) -> set[Value]:
    """What lies somewhere else, or is another value, in each iteration."""
    carried = {value for one in loop.carried for value in (one.now, one.next)}
    return carried | {element.one for element in loop.elements}


def _invariant(parts: Sequence[Part], changing: Collection[Value]) -> set[int]:
    """The numbers of the kernels that can leave, of those that begin a loop's body."""
    every = [traffic(part) for part in parts]
    writers: dict[Value, set[int]] = {}
    for number, one in enumerate(every):
        for value in one.written:
            writers.setdefault(value, set()).add(number)
    leaving = {n for n, one in enumerate(every) if all(map(_is_own, one.written))}
    while True:
        staying = {n for n in leaving if not _is_same(every[n], writers, leaving, changing)}
        if not staying:
            return leaving
        leaving -= staying


def _is_same(
    own: Traffic,
    writers: Mapping[Value, set[int]],
    leaving: set[int],
    changing: Collection[Value],
) -> bool:
    """Whether all that a kernel meets stays the same if these leave the loop."""
    met = own.read | own.written
    return met.isdisjoint(changing) and all(writers.get(v, leaving) <= leaving for v in met)


def _is_own(value: Value) -> bool:
    """Whether only kernels of the program know it: it is no result, and no check."""
    return isinstance(value.storage, Temporary)
