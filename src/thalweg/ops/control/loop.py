"""Loops: a body that runs again and again, with values that are carried on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import repeat
from typing import Any, ClassVar, TypeVar

import numpy as np

from thalweg.base import dtypes, shapes
from thalweg.base.errors import DTypeError, InvalidArgumentError, OpError, ShapeError
from thalweg.base.shapes import is_known, known
from thalweg.graph import Body, Sample, Spec, Tensor, in_iteration
from thalweg.ops.control.control_flow import (
    ControlFlow,
    RunBody,
    Trimmed,
    body_of,
    check_inputs,
    selected,
)
from thalweg.ops.control.ragged import element_of, stacked
from thalweg.ops.elementwise.arithmetic import add, multiply
from thalweg.ops.elementwise.comparison import less
from thalweg.ops.samples import TABLE

T = TypeVar("T")


class Loop(ControlFlow):
    """A body that runs once for each element of some sequences, or as long as a condition holds.

        while condition(carried, captured):      or      for element in sequences:
            carried, item = body(carried, element, captured)
            collected.append(item)

    The inputs are the initial values of what is carried, the sequences (arrays whose first axis is
    that of the iterations) and the captured values, which are the same in each iteration. The
    outputs are the final values of what is carried, and each collected value of all iterations
    along a new first axis. An iteration's random numbers follow from a carried number.

    Attributes:
        condition: from the carried and captured values to a bool scalar; None if the loop runs once
            for each element of its sequences.
        body: from the carried values, an element of each sequence and the captured values to the
            next carried values and the values that are collected.
        carried: how many values are carried.
        sequences: how many inputs are taken element by element.
        reverse: whether the sequences are walked from the last element to the first; what is
            collected is stored in the same places.
    """

    type: ClassVar[str] = "Loop"
    condition: Body | None
    body: Body
    carried: int
    sequences: int = 0
    reverse: bool = False

    @cached_property
    def bodies(self) -> tuple[Body, ...]:
        return (self.body,) if self.condition is None else (self.body, self.condition)

    @cached_property
    def static(self) -> tuple[int, ...]:  # type: ignore[override]
        """The captured inputs whose values decide about shapes in the bodies."""
        before = self.carried + self.sequences
        found = {n for n in self.body.static if n >= before}
        if self.condition is not None:
            found |= {n + self.sequences for n in self.condition.static if n >= self.carried}
        return tuple(sorted(found))

    @property
    def sources(self) -> tuple[tuple[int, ...], ...]:
        count = len(self.body.inputs)
        outside = [n for n in range(count) if not self.is_sequence(n)]
        return (tuple(range(count)), tuple(outside))[: len(self.bodies)]

    def iterations(self, *inputs: Tensor) -> int:
        return known(inputs[self.carried].static_shape)[0] if self.sequences else 1

    @property
    def collects_until(self) -> bool:
        return self.condition is not None and len(self.body.outputs) > self.carried

    @property
    def first_written(self) -> int:
        return self.carried

    def is_sequence(self, number: int) -> bool:
        return self.carried <= number < self.carried + self.sequences

    def is_captured(self, number: int) -> bool:
        return number >= self.carried + self.sequences

    def with_bodies(self, bodies: Sequence[Body]) -> Loop:
        condition = None if self.condition is None else bodies[1]
        return Loop(condition, bodies[0], self.carried, self.sequences, self.reverse)

    def parts(self, inputs: Sequence[T]) -> tuple[list[T], list[T], list[T]]:
        """The inputs by kind: what is carried, sequences, captured values."""
        first, last = self.carried, self.carried + self.sequences
        return list(inputs[:first]), list(inputs[first:last]), list(inputs[last:])

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        carried, sequences, captured = self.parts(inputs)
        elements = [_element(spec) for spec in sequences]
        check_inputs(self.body, [*carried, *elements, *captured])
        if self.condition is not None:
            check_inputs(self.condition, [*carried, *captured])
            self._check_condition(self.condition)
        elif not sequences:
            raise ShapeError("a loop without a condition needs a sequence")
        self._check_carried()
        count = _merged([spec.shape[0] for spec in sequences if spec.shape is not None])
        collected = [t.spec for t in self.body.outputs[self.carried :]]
        kept = [t.spec for t in self.body.inputs[: self.carried]]
        return (*kept, *[_stacked(count, spec) for spec in collected])

    @staticmethod
    def _check_condition(condition: Body) -> None:
        (spec,) = [tensor.spec for tensor in condition.outputs]
        if not spec.dtype.is_bool or spec.shape not in (None, ()):
            raise DTypeError(f"the condition must be a bool scalar, not {spec}")

    def _check_carried(self) -> None:
        for number in range(self.carried):
            before, after = self.body.inputs[number].spec, self.body.outputs[number].spec
            if before.dtype != after.dtype or not shapes.compatible(before.shape, after.shape):
                raise ShapeError(
                    f"loop variable {number} is {before} before an iteration and {after} after it"
                )

    def run(self, inputs: Sequence[Any], run: RunBody, xp: Any) -> list[Any]:
        """See the base.

        Raises:
            InvalidArgumentError: if the sequences have not the same length.
        """
        carried, sequences, captured = self.parts(inputs)
        collected: list[Sequence[Any]] = []
        for number, element in enumerate(_elements(self, sequences)):
            if self.condition is not None:
                (goes_on,) = run(self.condition, [*carried, *captured])
                if not goes_on:
                    break
            try:
                made = list(run(self.body, [*carried, *element, *captured]))
            except OpError as error:
                raise in_iteration(error, number) from error
            carried = made[: self.carried]
            collected.append(made[self.carried :])
        return [*carried, *_gathered(self, collected, xp)]

    def alike(self) -> list[tuple[Tensor, Tensor]]:
        return list(zip(self.body.inputs[: self.carried], self.body.outputs, strict=False))

    def varies(self, inputs: Sequence[Spec]) -> bool:
        """See the base."""
        bodies = zip(self.bodies, self.sources, strict=True)
        deciding = {numbers[n] for body, numbers in bodies for n in body.static}
        if not all(map(self.is_captured, deciding)):
            return True
        pairs = zip(inputs[: self.carried], self.body.inputs, strict=False)
        return any(is_known(a.shape) and not is_known(b.static_shape) for a, b in pairs)

    def trim(self, used: Collection[int]) -> Trimmed:
        if self.effects.acts:
            used = range(len(self.body.outputs))
        tested = set() if self.condition is None else self.condition.reads(self.condition.outputs)
        carried = {n for n in (*used, *tested) if n < self.carried}
        outputs, reads = self._needed(carried, {n for n in used if n >= self.carried})
        reads |= {n + (self.sequences if n >= self.carried else 0) for n in tested}
        return self._kept(outputs, self._counting(reads))

    def _needed(self, carried: set[int], collected: set[int]) -> tuple[list[int], set[int]]:
        """The outputs that some outputs need in earlier iterations too, and what they read."""
        while True:
            outputs = sorted(carried | collected)
            reads = self.body.reads([self.body.outputs[n] for n in outputs])
            more = {n for n in reads if n < self.carried}
            if more <= carried:
                return outputs, reads
            carried = carried | more

    def _counting(self, inputs: set[int]) -> set[int]:
        """The inputs that are kept, with one that says how many iterations there are."""
        sequences = range(self.carried, self.carried + self.sequences)
        if self.condition is None and inputs.isdisjoint(sequences):
            return inputs | {sequences[0]}
        return inputs

    def _kept(self, outputs: Sequence[int], wanted: Collection[int]) -> Trimmed:
        """The loop with some of its outputs and inputs; what is carried is both."""
        carried = [n for n in outputs if n < self.carried]
        inputs = sorted({*carried, *wanted})
        condition = self.condition
        if condition is not None:
            own = [n for n in inputs if not self.is_sequence(n)]
            places = [n if n < self.carried else n - self.sequences for n in own]
            condition = selected(condition, places, range(1))
        body = selected(self.body, inputs, outputs)
        sequences = sum(map(self.is_sequence, inputs))
        record = Loop(condition, body, len(carried), sequences, self.reverse)
        return Trimmed(record, tuple(inputs), tuple(outputs))

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        scalar, row = Spec((), dtypes.float32), Spec((3,), dtypes.float32)
        step = body_of(lambda h, x, w: [add(multiply(h, w), x), multiply(h, x)], row, row, scalar)
        for reverse in (False, True):
            yield Sample(cls(None, step, 1, 1, reverse), (TABLE[0], TABLE, np.float32(0.5)))
            yield Sample(cls(None, step, 1, 1, reverse), (TABLE[0], TABLE[:0], np.float32(0.5)))
        double = body_of(lambda n, h, w: [add(n, n), add(multiply(h, w), w)], scalar, row, scalar)
        below = body_of(lambda n, h, w: [less(n, w)], scalar, row, scalar)
        for first in (1, 100):
            yield Sample(cls(below, double, 2), (np.float32(first), TABLE[0], np.float32(9)))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        row = Spec((3,), dtypes.float32)
        same, sums = body_of(lambda h, x: [h], row, row), body_of(lambda h: [less(h, h)], row)
        yield Sample(cls(None, same, 1, 1), (TABLE[0], TABLE[:, :2]), "the body takes [3]")
        yield Sample(
            cls(None, same, 1, 1), (TABLE[0], np.int32(TABLE)), "the body takes float32[3]"
        )
        yield Sample(cls(None, same, 2), (TABLE[0], TABLE[0]), "needs a sequence")
        yield Sample(cls(sums, same, 2), (TABLE[0], TABLE[0]), "there are 2 inputs, and")


def _elements(record: Loop, sequences: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """What each iteration takes of the sequences."""
    if not sequences:
        return repeat(())
    counts = {len(sequence) for sequence in sequences}
    if len(counts) > 1:
        raise InvalidArgumentError(
            f"the sequences of a loop must have one length, not {sorted(counts)}"
        )
    return _walk(record, sequences, counts.pop())


def _walk(record: Loop, sequences: Sequence[Any], count: int) -> Iterator[Sequence[Any]]:
    for n in reversed(range(count)) if record.reverse else range(count):
        yield [element_of(sequence, n) for sequence in sequences]


def _gathered(record: Loop, collected: list[Sequence[Any]], xp: Any) -> Iterator[Any]:
    """The arrays of what each iteration has given."""
    if record.reverse:
        collected.reverse()
    for number, tensor in enumerate(record.body.outputs[record.carried :]):
        parts = [items[number] for items in collected]
        extents = [0 if extent is None else extent for extent in tensor.static_shape or ()]
        yield stacked(parts, xp) if parts else xp.zeros((0, *extents), tensor.dtype.numpy)


def _element(sequence: Spec) -> Spec:
    if sequence.shape == ():
        raise ShapeError("a sequence must have rank 1 or more; it is a scalar")
    return Spec(None if sequence.shape is None else sequence.shape[1:], sequence.dtype)


def _stacked(count: int | None, spec: Spec) -> Spec:
    return Spec(None if spec.shape is None else (count, *spec.shape), spec.dtype)


def _merged(extents: Sequence[int | None]) -> int | None:
    merged: shapes.Shape = (None,)
    for extent in extents:
        merged = shapes.merge(merged, (extent,))
    assert merged is not None
    return merged[0]
