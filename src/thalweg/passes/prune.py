"""Which operations a run needs."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from thalweg.graph import Operation, Tensor

NOTHING: frozenset[Operation] = frozenset()


def prune(
    fetches: Iterable[Tensor],
    targets: Iterable[Operation],
    fed: Collection[Tensor] = (),
    done: Collection[Operation] = NOTHING,
) -> list[Operation]:
    """The operations that the fetches and targets depend on, in graph order.

    Nothing is needed behind a tensor that is fed, nor behind an operation that is done.
    """
    needed: set[Operation] = set()
    waiting = [*targets, *(tensor.op for tensor in fetches if tensor not in fed)]
    while waiting:
        op = waiting.pop()
        if op not in needed and op not in done:
            needed.add(op)
            waiting.extend(op.control_inputs)
            waiting.extend([tensor.op for tensor in op.inputs if tensor not in fed])
    return sorted(needed, key=lambda op: op.index)
