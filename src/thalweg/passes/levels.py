"""On which level of a run each operation stands: see `stages`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeAlias

from thalweg.base.shapes import is_known, known, size
from thalweg.graph import Operation, Origin, Tensor, Timing
from thalweg.passes.order import order_with_reasons
from thalweg.passes.place import Places

HOST = "host"  # in the place of a device: Python
SMALL = 16  # elements of a value that a plan computes with

Where: TypeAlias = tuple[int, str]  # the level of a stage, and its device


def is_group(op: Operation) -> bool:
    """Whether an operation only holds others together."""
    return not op.outputs and op.record.effects.pure


def is_plain_read(op: Operation) -> bool:
    """Whether an operation reads a variable where it is needed, and not once for all."""
    effects = op.record.effects
    is_read = effects.reads and not effects.writes and effects.timing is Timing.BEFORE_WRITES
    return bool(is_read) and not op.control_inputs


def is_free(op: Operation) -> bool:
    """Whether each stage makes the operation's values for itself: they are given, not computed."""
    return op.record.origin is not None


def next_level(level: int, device: str) -> int:
    """The first level from one on that a device has: the host's are odd."""
    return level + (level % 2 != (device == HOST))


class Levels:
    """The level of each operation.

    Args:
        ops: what the run needs, in graph order.
        places: the device of each.
        fed: the tensors that are fed.
        host: the operations that Python runs.
        tapes: the loops of which only the end tells how much they collect.

    Attributes:
        places: the device of each operation.
        before: for each operation, in an order in which they can run, those that it comes after.
        fed: as given, as are the `tapes`.
        of: the levels, by operation, in the same order; 0 for what is free.
        reasons: why an operation cannot be in the segment of what it depends on, if it cannot.
    """

    def __init__(
        self,
        ops: list[Operation],
        places: Places,
        fed: Collection[Tensor],
        host: set[Operation],
        tapes: set[Operation],
    ) -> None:
        self.places, self.fed, self.tapes = places, fed, tapes
        self._host = host
        self._behind: dict[Operation, dict[str, int]] = {}
        self.of: dict[Operation, int] = {}
        self.reasons: dict[Operation, str] = {}
        self._known_from: dict[Tensor, int] = {}
        self.before = order_with_reasons(ops)
        for op, before in self.before.items():
            self.of[op] = self._level(op, before)
            self._note_values(op)

    def where(self, op: Operation) -> Where:
        """The stage of an operation."""
        return self.of[op], self.device(op)

    def device(self, op: Operation) -> str:
        """Where an operation runs; a group, where the last of its operations do."""
        if op in self._host:
            return HOST
        ends = is_group(op) and self._behind[op]
        return max(ends, key=lambda device: ends[device]) if ends else self.places[op]

    def settle(self) -> None:
        """Let groups, and what is free, follow operations of which `of` was changed."""
        for op, before in self.before.items():
            if is_group(op) or is_free(op):
                self.of[op] = self._level_behind(op, before)

    def _level_behind(self, op: Operation, before: Sequence[Operation]) -> int:
        """The last level of what a group holds, or of what something free waits for."""
        ends = self._behind[op] = self._ends(before)
        return max(ends.values(), default=0)

    def _level(self, op: Operation, before: Sequence[Operation]) -> int:
        if is_group(op) or is_free(op):
            return self._level_behind(op, before)
        device = self.device(op)
        ends = self._ends([one for one in before if not self._crosses_unchanged(one, device)])
        lowest = max(
            (level if end == device else next_level(level + 1, device))
            for end, level in {device: next_level(0, device), **ends}.items()
        )
        if device == HOST:
            how = "body by body by" if op.record.bodies else "by"
            self.reasons[op] = f"{op.name!r} ({op.type}) is run {how} Python"
            return lowest
        for one in before:
            if one in self.tapes and self.of[one] + 2 == lowest:
                self.reasons[op] = f"only the end of {one.name!r} tells how much it has collected"
        return max(lowest, self._level_of_shapes(op, lowest))

    def _ends(self, before: Sequence[Operation]) -> dict[str, int]:
        """For each device the last level on which some operations end; a tape ends a stage."""
        ends: dict[str, int] = {}
        for one in before:
            own = self._behind.get(one)
            if own is None:
                own = {self.device(one): self.of[one] + 2 * (one in self.tapes)}
            for device, level in own.items():
                ends[device] = max(level, ends.get(device, level))
        return ends

    def _crosses_unchanged(self, op: Operation, device: str) -> bool:
        """Whether an operation reads a variable of another device than one.

        While nobody writes the variable, its value is there from the start. If somebody does before
        it is needed, the reader is on a later level than that, and so than the read.
        """
        return device not in (HOST, self.places[op]) and is_plain_read(op)

    def _level_of_shapes(self, op: Operation, lowest: int) -> int:
        """The level on which what decides about the operation's shape is known."""
        level = 0
        for number in op.record.static:
            value = op.inputs[number]
            first = self._known_from.get(value, 0)
            if lowest < first:
                self.reasons[op] = f"{value.name!r} decides about the shape of {op.name!r}"
            level = max(level, first)
        return level

    def _note_values(self, op: Operation) -> None:
        """From which level on a plan can know the outputs: they are constant there, or fed."""
        level, record = self.of[op], op.record
        if record.origin is Origin.CONSTANT or record.origin is Origin.FEED:
            first = 0
        elif op in self._host:
            first = level + 1
        else:
            first = level if self._folds(op, level) else level + 2
        for tensor in op.outputs:
            self._known_from[tensor] = 0 if tensor in self.fed else first

    def _folds(self, op: Operation, level: int) -> bool:
        """Whether a plan of a segment on this level computes an operation's values."""
        record = op.record
        if record.origin is not None or not record.effects.pure:
            return False
        parts = [t for n, t in enumerate(op.inputs) if n not in record.shape_only]
        return all(self._known_from.get(t, 0) <= level and self._is_small(t) for t in parts)

    def _is_small(self, tensor: Tensor) -> bool:
        """Whether a plan should compute with a value: not if it was fed, and may be large.

        Else each new batch would be planned anew, where the few numbers that are made of it may
        well be the same.
        """
        if tensor not in self.fed and tensor.op not in self._host:
            return True
        shape = tensor.static_shape
        return is_known(shape) and size(known(shape)) <= SMALL
