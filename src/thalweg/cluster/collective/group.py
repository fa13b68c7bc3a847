"""A group of processes that train together: what they add, gather and hand on."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.base.errors import InvalidArgumentError
from thalweg.cluster.collective.layout import Layout, combine
from thalweg.cluster.collective.peers import Peers
from thalweg.cluster.collective.shared_memory import SharedBytes

__all__ = ["ProcessGroup"]

Array = np.ndarray[Any, Any]

SMALL_BYTES = 1 << 15  # that each rank sends to all others rather than a part to each


class ProcessGroup:
    """Collective operations over the connections to all other processes.

    An all-reduce of much takes two rounds: each rank adds its part of what all have, in the order
    of the ranks, and then hands the sums to all. Within a machine values lie in shared memory, and
    the messages of a round are only signals.

    Args:
        peers: the other processes.

    Attributes:
        waiting: the seconds that this process has spent in all-reduces.
        steps: how many it has reported.
    """

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self.rank, self.size = peers.rank, peers.size
        self.waiting = 0.0
        self.steps = 0
        self._loss = 0.0
        self._lock = threading.Lock()  # of the rounds: two runs of a process take turns
        self._shared: dict[str, SharedBytes] = {}
        self._is_one_machine = len({member.machine for member in peers.members}) == 1

    # -- what operations of a graph ask for

    def all_reduce(self, key: str, arrays: Sequence[Array], average: bool) -> list[Array]:
        """See `Group`. What it returns may be overwritten by the next call with the same key."""
        start = time.perf_counter()
        layout = Layout.of(arrays)
        what = f"all-reduce {key!r} of {layout}"
        with self._lock:
            if layout.size <= SMALL_BYTES:
                made = self._reduce_small(what, layout, arrays, average)
            elif self._is_one_machine:
                made = self._reduce_shared(key, what, layout, arrays, average)
            else:
                made = self._reduce_by_messages(what, layout, arrays, average)
        self.waiting += time.perf_counter() - start
        return made

    def all_gather(self, key: str, arrays: Sequence[Array]) -> list[list[Array]]:
        """See `Group`."""
        with self._lock:
            found = self._peers.exchange(f"all-gather {key!r}", lambda rank: arrays)
        found[self.rank] = [np.asarray(array) for array in arrays]
        return [found[rank] for rank in range(self.size)]

    def broadcast(self, key: str, arrays: Sequence[Array], root: int) -> list[Array]:
        """See `Group`.

        Raises:
            InvalidArgumentError: there is no such rank.
        """
        if not 0 <= root < self.size:
            raise InvalidArgumentError(f"there is no rank {root} in a group of {self.size}")
        given = arrays if self.rank == root else ()
        with self._lock:
            found = self._peers.exchange(f"broadcast {key!r} from {root}", lambda rank: given)
        return list(arrays) if self.rank == root else found[root]

    def report(self, loss: float) -> None:
        """See `Group`."""
        self.steps += 1
        self._loss = loss

    def progress(self) -> dict[str, float]:
        """What this process has done so far, for people."""
        return {"steps": self.steps, "loss": self._loss, "waiting": self.waiting}

    def close(self) -> None:
        """Leave the group."""
        self._peers.close()

    # -- three ways to add

    def _reduce_small(
        self, what: str, layout: Layout, arrays: Sequence[Array], average: bool
    ) -> list[Array]:
        """One round: every rank adds everything."""
        mine = _packed(layout, arrays)
        found = self._peers.exchange(what, lambda rank: [mine])
        found[self.rank] = [mine]
        result = np.empty(layout.size, np.uint8)
        operands = [layout.parts(found[rank][0], 0, 1) for rank in range(self.size)]
        _combine_all(operands, layout.parts(result, 0, 1), average)
        return layout.views(result)

    def _reduce_shared(
        self, key: str, what: str, layout: Layout, arrays: Sequence[Array], average: bool
    ) -> list[Array]:
        shared = self._shared_bytes(key, what, layout.size)
        _pack(layout, arrays, shared.areas[self.rank])
        self._signal(what)
        operands = [layout.parts(area, self.rank, self.size) for area in shared.areas]
        _combine_all(operands, layout.parts(shared.result, self.rank, self.size), average)
        self._signal(f"{what}, added")
        return layout.views(shared.result)

    def _reduce_by_messages(
        self, what: str, layout: Layout, arrays: Sequence[Array], average: bool
    ) -> list[Array]:
        mine = _packed(layout, arrays)
        found = self._peers.exchange(what, lambda rank: layout.parts(mine, rank, self.size))
        found[self.rank] = layout.parts(mine, self.rank, self.size)
        result = np.empty(layout.size, np.uint8)
        own = layout.parts(result, self.rank, self.size)
        _combine_all([found[rank] for rank in range(self.size)], own, average)
        for rank, parts in self._peers.exchange(f"{what}, added", lambda rank: own).items():
            for target, part in zip(layout.parts(result, rank, self.size), parts, strict=True):
                target[:] = part
        return layout.views(result)

    def _signal(self, what: str) -> None:
        self._peers.exchange(what, lambda rank: ())

    def _shared_bytes(self, key: str, what: str, size: int) -> SharedBytes:
        """The memory of a key, which all ranks make when they first use it."""
        known = self._shared.get(key)
        if known is None or known.capacity < size:
            known = self._shared[key] = SharedBytes(
                self.rank,
                self.size,
                size,
                lambda path: self._published(f"memory for {what}", path),
                lambda: self._signal(f"memory for {what}, open"),
            )
        return known

    def _published(self, what: str, path: str) -> str:
        given = [np.frombuffer(path.encode(), np.uint8)] if path else []
        found = self._peers.exchange(what, lambda rank: given)
        return path or found[0][0].tobytes().decode()


def _packed(layout: Layout, arrays: Sequence[Array]) -> Array:
    memory = np.zeros(layout.size, np.uint8)
    _pack(layout, arrays, memory)
    return memory


def _pack(layout: Layout, arrays: Sequence[Array], memory: Array) -> None:
    for view, array in zip(layout.views(memory), arrays, strict=True):
        view[...] = array


def _combine_all(operands: Sequence[Sequence[Array]], results: Sequence[Array], mean: bool) -> None:
    """Add the parts of each dtype, in the order of the ranks."""
    for number, result in enumerate(results):
        combine([parts[number] for parts in operands], result, mean)
