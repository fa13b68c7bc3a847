"""Programs of XLA: what is compiled of a plan, with the variables that it runs on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.backends.protocol import Feed, MiniBatches
from thalweg.backends.trace import RunTrace, Unit
from thalweg.backends.xla.checks import FULL
from thalweg.backends.xla.computation import Compiled, Computation
from thalweg.backends.xla.runtime import exact_types, jax, out_of_memory, wait
from thalweg.backends.xla.variables import DeviceVariables
from thalweg.base.dims import Given

Array = np.ndarray[Any, Any]


class XlaProgram:
    """A plan on a device.

    Args:
        computation: what is compiled of it.
        state: the variables.
    """

    def __init__(self, computation: Computation, state: DeviceVariables) -> None:
        self._computation, self._state = computation, state
        self.finished = 0

    def tune(self) -> dict[str, float]:
        """Nothing: XLA has made its choices when it has compiled."""
        return {}

    def run(self, feeds: Sequence[Array], run_counter: int) -> list[Array]:
        waits = bool(self._computation.function.fetched)
        made = self._run(feeds, run_counter, waits)
        return [np.array(array) for array in made]  # a copy: JAX's own cannot be written to

    def run_on_device(self, feeds: Sequence[Any], run_counter: int) -> list[Any]:
        return self._run(feeds, run_counter, waits=False)

    def _run(self, feeds: Sequence[Any], run_counter: int, waits: bool) -> list[Any]:
        """The values of the fetches, perhaps not yet computed.

        Args:
            feeds: arrays of NumPy or JAX.
            run_counter: the number of the run.
            waits: whether the caller waits for the values before anybody can change the feeds.
        """
        while True:
            step = self._computation.step
            given = [self._placed(feed, waits or step.may_fail) for feed in feeds]
            made, counts, failure = self._called(step, given, np.int64(run_counter))
            if not step.may_fail or not self._lacks_room(step, np.asarray(failure)):
                return self._cut(made, counts)

    def _called(self, compiled: Compiled, *arguments: Any) -> Any:
        """What a compiled function makes, but for the variables, which get their new values."""
        function, arrays = self._computation.function, self._state.arrays
        written, read = [arrays[n] for n in function.written], [arrays[n] for n in function.read]
        try:
            with exact_types():
                new, *made = compiled.call(written, read, self._computation.constants, *arguments)
        except Exception as error:
            raise out_of_memory(error) or error from error
        arrays.update(zip(function.written, new, strict=True))
        return made

    def _placed(self, feed: Any, waits: bool) -> Any:
        """A feed as a program takes it: JAX may look at an array of NumPy after the call, too."""
        if isinstance(feed, np.ndarray):
            return feed if waits else feed.copy()
        with exact_types():
            return jax.device_put(feed, self._computation.device)

    def _lacks_room(self, compiled: Compiled, words: Array) -> bool:
        """Whether a run is to be repeated with more room for what a loop collects.

        Raises:
            InvalidArgumentError: if a check has failed.
        """
        number = int(words[0])
        if number > 0:
            raise compiled.checked[number - 1].error(words.tolist())
        if number == FULL:
            self._computation.make_room(int(words[1]))
        return number == FULL

    def _cut(self, made: list[Any], counts: Sequence[Any]) -> list[Any]:
        """The fetches without the room that a loop has left."""
        for place, count in zip(self._computation.function.collected, counts, strict=True):
            made[place] = np.asarray(made[place])[: int(count)]
        return made

    def run_steps(self, feeds: Sequence[Feed], run_counter: int, steps: int) -> list[Array]:
        self.finished = 0
        function = self._computation.function
        made = [np.empty((steps, *shape), dtype) for shape, dtype in function.fetched]
        given = [self._data(feed) for feed in feeds]
        orders = [feed.order for feed in feeds if isinstance(feed, MiniBatches)]
        order = orders[0] if orders else np.empty((steps, 0), np.int64)  # the same for all
        while self.finished < steps:
            begun = self.finished
            kept = self._some_steps(given, order[begun:], run_counter + begun)
            for whole, part in zip(made, kept, strict=True):
                whole[begun : self.finished] = part[: self.finished - begun]
        return made

    def _some_steps(self, feeds: Sequence[Any], order: Array, run_counter: int) -> list[Array]:
        """Make as many steps as there is room for, or is left; what they have made."""
        room, batch = self._computation.room, order.shape[1]
        rows, part = np.zeros((room, batch), np.int64), min(room, len(order))
        rows[:part] = order[:part]
        loop = self._computation.loop(feeds, batch)
        numbers = np.int64(run_counter), np.int64(part)
        kept, number, failure = self._called(loop, feeds, rows, *numbers)
        self.finished += int(number)
        self._lacks_room(loop, np.asarray(failure))
        return [np.asarray(array) for array in kept]

    def _data(self, feed: Feed) -> Any:
        """A feed on the device; a data set is brought there once, for all parts of a loop."""
        if not isinstance(feed, MiniBatches):
            return feed
        device = self._computation.device
        if device not in feed.kept:
            with exact_types():
                feed.kept[device] = jax.device_put(feed.source.copy(), device)
        return feed.kept[device]

    def trace(self, feeds: Sequence[Array], run_counter: int, trace: RunTrace) -> list[Array]:
        """Run as `run` does: XLA tells no more than how long the whole took."""
        cost = self._computation.cost
        flops, moved = cost.get("flops", 0.0), cost.get("bytes accessed", 0.0)
        with trace.timing(Unit(self._computation.function.names, "XLA", flops, moved)):
            made = self.run(feeds, run_counter)
            wait(self._state.arrays)
        return made

    def at(self, given: Sequence[Given]) -> None:
        """None: another shape needs a program of its own."""
        return None

    def clone(self, workspace: int | None) -> XlaProgram:
        """The same program: JAX keeps the memory of runs apart."""
        return XlaProgram(self._computation, self._state)

    def stablehlo(self, platform: str) -> str:
        """What XLA compiles for a platform, "cuda" or "tpu" say, which need not be there."""
        return self._computation.stablehlo(platform)

    def describe(self) -> str:
        return self._computation.describe()
