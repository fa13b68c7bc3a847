"""Many steps in one call: which plan runs when, and for how long native code runs at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from thalweg.backends.protocol import Feed, MiniBatches
from thalweg.base.errors import InvalidArgumentError, OpError
from thalweg.graph import Operation, Tensor, failed, with_place
from thalweg.passes.prune import prune
from thalweg.passes.rebuild import effects
from thalweg.session.batches import Batches, is_whole
from thalweg.session.fetches import Fetches

Array = np.ndarray[Any, Any]
Callback = Callable[[int, Any], object]

SLICE_SECONDS = 0.05  # after which Python looks for signals


class RunSlice(Protocol):
    """What runs some steps, all alike."""

    def __call__(
        self,
        fetches: tuple[Tensor, ...],
        targets: tuple[Operation, ...],
        feeds: Mapping[Tensor, Feed],
        steps: int,
    ) -> list[Array]:
        """The values of the fetches in each of the steps, along a new first axis."""
        ...


class StepLoop:
    """Steps of which some report.

    Args:
        run_slice: of the session.
        fetched: what is computed in the steps that report.
        feeds: what every step is fed.
        batches: what each step is fed anew.
    """

    def __init__(
        self,
        run_slice: RunSlice,
        fetched: Fetches,
        feeds: Mapping[Tensor, Array],
        batches: Batches,
    ) -> None:
        self._run_slice = run_slice
        self._fetched = fetched
        self._feeds = feeds
        self._batches = batches
        fed = {**feeds, **batches.take(0)}
        self._wanted = tuple(tensor for tensor in fetched.tensors if tensor not in fed)
        self._slice = 1
        self._finished = 0

    @cached_property
    def _effects(self) -> tuple[Operation, ...]:
        """What steps without a report run; to find it takes longer than a small step."""
        fed = {**self._feeds, **self._batches.take(0)}
        return tuple(effects(prune(self._wanted, self._fetched.targets, fed)))

    def run(self, steps: int, every: int, callback: Callback | None) -> list[Array]:
        """The values of each fetched tensor, along a new first axis."""
        if every == 1 and callback is None:
            reports = list(self._reports(steps))
        else:
            reports = [
                self._report(step, every, callback) for step in range(every, steps + 1, every)
            ]
            self._skip(steps % every)
        reports = reports or [self._values(0)]  # for their shapes
        values = zip(*reports, strict=True)
        return [joined(*both) for both in zip(self._fetched.tensors, values, strict=True)]

    def _report(self, step: int, every: int, callback: Callback | None) -> list[Array]:
        """Make `every` steps, up to `step`; the values of the last."""
        self._skip(every - 1)
        values = self._values(1)
        if callback is not None:
            callback(step, self._fetched.pack([value[0].copy() for value in values]))
        return values

    def _reports(self, steps: int) -> Iterator[list[Array]]:
        for part in self._slices(steps):
            yield self._values(part)

    def _skip(self, steps: int) -> None:
        for part in self._slices(steps):
            self._made((), self._effects, self._next_feeds(part), part)

    def _values(self, steps: int) -> list[Array]:
        """What the next steps compute, and what they are fed if that is fetched."""
        feeds = self._next_feeds(steps)
        made = self._made(self._wanted, self._fetched.targets, feeds, steps)
        known = dict(zip(self._wanted, made, strict=True))
        return [known[t] if t in known else _fed(feeds[t], steps) for t in self._fetched.tensors]

    def _made(
        self,
        fetches: tuple[Tensor, ...],
        targets: tuple[Operation, ...],
        feeds: Mapping[Tensor, Feed],
        steps: int,
    ) -> list[Array]:
        """What the next steps make; an error names the step, of which the first is 0."""
        try:
            made = self._run_slice(fetches, targets, feeds, steps)
        except OpError as error:
            if error.finished is None:
                raise
            raise with_place(error, f"in step {self._finished + error.finished}") from error
        self._finished += steps
        return made

    def _next_feeds(self, steps: int) -> dict[Tensor, Feed]:
        return {**self._feeds, **self._batches.take(steps)}

    def _slices(self, steps: int) -> Iterator[int]:
        """Numbers of steps that each take about `SLICE_SECONDS`, as the one before took it."""
        while steps:
            part = min(steps, self._slice, self._batches.most)
            start = time.perf_counter()
            yield part
            seconds = max(time.perf_counter() - start, 1e-9)
            self._slice = max(1, min(8 * part, int(part * SLICE_SECONDS / seconds)))
            steps -= part


def joined(tensor: Tensor, values: Sequence[Array]) -> Array:
    """A tensor's values of all reports, from those of some reports each.

    Raises:
        InvalidArgumentError: if they have different shapes.
    """
    if len({value.shape[1:] for value in values}) > 1:
        raise failed(tensor.op, f"{tensor.name!r} has different shapes in different steps")
    return np.concatenate(values)


def _fed(feed: Feed, steps: int) -> Array:
    """What each of the steps is fed."""
    if isinstance(feed, MiniBatches):
        return feed.batch(slice(None))
    return np.repeat(feed[np.newaxis], steps, axis=0)


def check_counts(steps: int, every: int) -> None:
    """Check how many steps a loop makes, and how many of them make a report.

    Raises:
        InvalidArgumentError: if they are no integers, or too small.
    """
    for name, count in (("steps", steps), ("every", every)):
        if not is_whole(count):
            raise InvalidArgumentError(f"run_steps: {name} must be an integer, not {count!r}")
    if steps < 0:
        raise InvalidArgumentError(f"run_steps: steps must be at least 0, not {steps}")
    if every < 1:
        raise InvalidArgumentError(f"run_steps: every must be at least 1, not {every}")
