"""The order in which a plan's operations run."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence

from thalweg.base.shapes import known
from thalweg.formula import Operand
from thalweg.graph import Op, Operation, Tensor, Timing
from thalweg.graph.op import known_specs
from thalweg.passes.plan import Plan


def order(plan: Plan) -> list[Operation]:
    """The operations in an order that respects data, control dependencies and variables.

    A write of a variable waits for the consumers of those reads of it that do not depend on the
    write, and for all that may fail, so that a run that fails has written nothing; a read that asks
    for it waits for the writes. Where these wishes form a circle, data
    and control dependencies win and the earliest write goes first.
    """
    return _Ordering(plan.graph.operations).run()


def order_with_reasons(ops: list[Operation]) -> dict[Operation, list[Operation]]:
    """Operations of a user's graph in such an order, each with those it has to come after.

    Args:
        ops: in graph order.
    """
    ordering = _Ordering(ops)
    done: dict[Operation, list[Operation]] = {}
    for op in ordering.run():
        done[op] = [earlier for earlier in ordering.reasons(op) if earlier in done]
    return done


class _Ordering:
    """Takes the earliest operation that is ready, again and again."""

    def __init__(self, ops: list[Operation]) -> None:
        self._ops = ops
        self._writes = _writes(ops)
        every = dict.fromkeys(write for writes in self._writes.values() for write in writes)
        self._bit = {write: 1 << n for n, write in enumerate(every)}
        self._turns = self._find_turns()
        self._behind = self._find_dependences()
        self._users: dict[Operation, list[Operation]] = {}
        self._missing: dict[Operation, int] = {}
        for op in ops:
            before = {e for e in (*_before(op), *self._turns[op]) if e in self._turns}
            before.update(self._late_writes(op))
            self._missing[op] = len(before)
            for earlier in before:
                self._users.setdefault(earlier, []).append(op)
        self._waits = self._find_waits()
        self._blockers = {write: len(waits) for write, waits in self._waits.items()}
        self._blocks: dict[Operation, list[Operation]] = {}
        for write, waits in self._waits.items():
            for op in waits:
                self._blocks.setdefault(op, []).append(write)

    def _find_dependences(self) -> dict[Operation, int]:
        """For each operation a bit for every write that it depends on."""
        behind: dict[Operation, int] = {}
        for op in self._ops:
            mask = 0
            for earlier in (*_before(op), *self._turns[op]):
                mask |= behind.get(earlier, 0) | self._bit.get(earlier, 0)
            for write in self._late_writes(op):
                mask |= behind.get(write, 0) | self._bit[write]
            behind[op] = mask
        return behind

    def reasons(self, op: Operation) -> Iterator[Operation]:
        """What an operation depends on, and what it waits for if that can be."""
        yield from _before(op)
        yield from self._turns[op]
        yield from self._late_writes(op)
        yield from self._waits.get(op, ())

    def _find_turns(self) -> dict[Operation, list[Operation]]:
        """For each operation the latest updates of what it updates, made before it."""
        latest: dict[Tensor, Operation] = {}
        turns: dict[Operation, list[Operation]] = {}
        for op in self._ops:
            updated = _written(op)
            if op.record.effects.timing is Timing.IN_TURN:
                updated = updated | {op.inputs[n] for n in op.record.effects.reads}
            turns[op] = [latest[handle] for handle in updated if handle in latest]
            latest.update(dict.fromkeys(_written(op), op))
        return turns

    def _late_writes(self, op: Operation) -> Iterable[Operation]:
        """The writes that a read waits for because it asks to come after them."""
        effects = op.record.effects
        if not effects.reads or effects.timing is not Timing.AFTER_WRITES:
            return []
        writes = [w for n in effects.reads for w in self._writes.get(op.inputs[n], ())]
        return [write for write in writes if not self._reaches(op, write)]

    def _reaches(self, op: Operation, target: Operation) -> bool:
        waiting, seen = [target], {target}
        while waiting:
            for earlier in _before(waiting.pop()):
                if earlier is op:
                    return True
                if earlier not in seen and earlier in self._turns:
                    seen.add(earlier)
                    waiting.append(earlier)
        return False

    def _find_waits(self) -> dict[Operation, set[Operation]]:
        """What each write waits for, beyond what the write of its variable before it waits for.

        Each write of a variable depends on the one before. So the first that an operation does not
        depend on is the one to wait for it, and the others wait for that one.
        """
        consumers = _consumers(self._ops)
        risky = _may_fail(self._ops) if self._writes else []
        waits: dict[Operation, set[Operation]] = {write: set() for write in self._bit}
        for resource, writes in self._writes.items():
            bits = sum([self._bit[write] for write in writes])
            for op in (*_uses(resource, consumers), *risky):
                behind = (self._behind[op] & bits).bit_count()
                if behind < len(writes) and op is not writes[behind]:
                    waits[writes[behind]].add(op)
        return waits

    def run(self) -> list[Operation]:
        ready = [(op.index, op) for op in self._ops if self._missing[op] == 0]
        ready = [(index, op) for index, op in ready if not self._blockers.get(op)]
        heap = [index for index, _ in ready]
        by_index = {op.index: op for op in self._ops}
        held = {op for op in self._ops if self._missing[op] == 0 and self._blockers.get(op)}
        done: list[Operation] = []
        finished: set[Operation] = set()
        heapq.heapify(heap)
        while heap or held:
            if not heap:
                forced = min(held, key=lambda op: op.index)
                held.remove(forced)
                self._pass_on(forced, finished)
                heap.append(forced.index)
            op = by_index[heapq.heappop(heap)]
            done.append(op)
            finished.add(op)
            for free in self._release(op, held):
                heapq.heappush(heap, free.index)
        return done

    def _pass_on(self, write: Operation, finished: set[Operation]) -> None:
        """Let the next write of the variable wait for what this one does not wait for any more."""
        for later in self._following(write):
            left = self._waits[write] - finished
            self._waits[later] |= left
            self._blockers[later] += len(left)
            for op in left:
                self._blocks[op].append(later)

    def _following(self, write: Operation) -> Iterator[Operation]:
        """The next write of each resource that an operation writes."""
        for resource in _written(write):
            writes = self._writes[resource]
            yield from writes[writes.index(write) + 1 :][:1]

    def _release(self, op: Operation, held: set[Operation]) -> Iterable[Operation]:
        """The operations that `op`, now done, was the last to hold back."""
        for user in self._users.get(op, ()):
            self._missing[user] -= 1
            if self._missing[user] == 0:
                if self._blockers.get(user):
                    held.add(user)
                else:
                    yield user
        for write in self._blocks.get(op, ()):
            self._blockers[write] -= 1
            if self._blockers[write] == 0 and write in held:
                held.remove(write)
                yield write


def _before(op: Operation) -> list[Operation]:
    return [*(t.op for t in op.inputs), *op.control_inputs]


def _written(op: Operation) -> set[Tensor]:
    """The handles of what it writes."""
    return {op.inputs[n] for n in op.record.effects.writes}


def _reads_before_writes(op: Operation, resource: Tensor) -> bool:
    effects = op.record.effects
    taken = enumerate(op.inputs)
    is_read = any(t is resource and n not in effects.writes for n, t in taken)
    return is_read and effects.timing is not Timing.AFTER_WRITES


def _may_fail(ops: Iterable[Operation]) -> list[Operation]:
    """The operations that Python runs, that act, that hold others, or whose inputs are checked.

    Those that check the same as one before are left out.
    """
    seen: set[tuple[Tensor, int]] = set()
    found: list[Operation] = []
    for op in ops:
        if op.record.effects.host or op.record.effects.acts or op.record.bodies:
            found.append(op)
        if type(op.record).checks is Op.checks:
            continue  # almost all have none
        if not known_specs([tensor.spec for tensor in op.inputs]):
            found.append(op)
            continue
        specs = [(known(tensor.static_shape), tensor.dtype) for tensor in op.inputs]
        operands = [Operand(n, *spec) for n, spec in enumerate(specs)]
        checks = {(op.inputs[c.operand], c.limit) for c in op.record.checks(*operands)}
        if checks - seen:
            found.append(op)
        seen |= checks
    return found


def _writes(ops: Iterable[Operation]) -> dict[Tensor, list[Operation]]:
    """The writes of each resource, in order."""
    found: dict[Tensor, list[Operation]] = {}
    for op in ops:
        for resource in _written(op):
            found.setdefault(resource, []).append(op)
    return found


def _uses(resource: Tensor, consumers: Mapping[Tensor, Sequence[Operation]]) -> Iterator[Operation]:
    """The reads of a resource that may come before its writes, and their consumers."""
    for read in consumers.get(resource, ()):
        if _reads_before_writes(read, resource):
            yield read
            for output in read.outputs:
                yield from consumers.get(output, ())


def _consumers(ops: Iterable[Operation]) -> dict[Tensor, list[Operation]]:
    found: dict[Tensor, list[Operation]] = {}
    for op in ops:
        for tensor in op.inputs:
            found.setdefault(tensor, []).append(op)
    return found
