"""Many runs in one: a loop on the device, over rows of data sets that lie there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from thalweg.backends.xla import checks
from thalweg.backends.xla.function import Outcome

MOST_STEPS = 1024  # of a loop, between two looks of Python
MOST_BYTES = 1 << 22  # of the results of a loop, unless one step makes more


def most_steps(bytes_a_step: int) -> int:
    """Of how many steps a loop has room for the results."""
    return max(1, min(MOST_STEPS, MOST_BYTES // max(1, bytes_a_step)))


class StepLoop:
    """A function that makes steps until there are as many as asked for, or one fails.

    Args:
        run: one step, from variables, constants, feeds and the run's number to an outcome.
        batched: the dtypes of the feeds that take other rows of a data set in each step.
        kept: the shapes and dtypes of what a step makes.
        room: of how many steps there is room for that.
    """

    def __init__(
        self,
        run: Callable[..., Outcome],
        batched: Mapping[int, np.dtype[Any]],
        kept: Sequence[tuple[Sequence[int], np.dtype[Any]]],
        room: int,
    ) -> None:
        self._run, self._batched, self._kept, self._room = run, batched, kept, room

    def __call__(
        self,
        written: Sequence[Any],
        read: Sequence[Any],
        constants: Sequence[Any],
        feeds: Sequence[Any],
        order: Any,
        run_counter: Any,
        steps: Any,
    ) -> tuple[list[Any], list[Any], Any, Any]:
        """Make steps.

        Args:
            written: the variables that are written.
            read: the others.
            constants: see `PlanFunction`.
            feeds: what every step is fed, and data sets of which each takes rows.
            order: the numbers of these rows, [steps, batch].
            run_counter: the number of the first run.
            steps: how many.

        Returns:
            The variables, what was made by step, how many steps there were, the word of failure.
        """

        def step(carry: Any) -> Any:
            number, written, kept, _ = carry
            fed = [self._fed(n, feed, order, number) for n, feed in enumerate(feeds)]
            made = self._run(written, read, constants, fed, run_counter + number)
            pairs = zip(kept, made.fetched, strict=True)
            kept = [lax.dynamic_update_index_in_dim(room, f, number, 0) for room, f in pairs]
            return number + checks.is_well(made.failure), made.written, kept, made.failure

        def goes_on(carry: Any) -> Any:
            number, _, _, failure = carry
            return (number < steps) & checks.is_well(failure)

        kept = [jnp.zeros((self._room, *shape), dtype) for shape, dtype in self._kept]
        carry = jnp.int64(0), list(written), kept, checks.none()
        number, new, kept, failure = lax.while_loop(goes_on, step, carry)
        return new, kept, number, failure

    def _fed(self, place: int, feed: Any, order: Any, number: Any) -> Any:
        if place not in self._batched:
            return feed
        rows = lax.dynamic_index_in_dim(order, number, keepdims=False)
        return jnp.take(feed, rows, axis=0, mode="clip").astype(self._batched[place])
