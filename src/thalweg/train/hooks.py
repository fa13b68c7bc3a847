"""The hooks that training programs use: stop, log, and watch the loss."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.graph import Tensor, default_graph
from thalweg.ops.state.variable import Variable
from thalweg.platform import logging
from thalweg.train.session_run_hook import (
    SessionRunArgs,
    SessionRunContext,
    SessionRunHook,
    SessionRunValues,
)
from thalweg.train.training_util import get_global_step


def needed_global_step(hook: SessionRunHook) -> Variable:
    """The default graph's global step.

    Raises:
        RuntimeError: if there is none.
    """
    step = get_global_step()
    if step is None:
        raise RuntimeError(f"Global step should be created to use {type(hook).__name__}.")
    return step


class NanLossDuringTrainingError(RuntimeError):
    """The loss is not a number any more."""

    def __str__(self) -> str:
        return "NaN loss during training."


class SecondOrStepTimer:
    """Says when it is time again, by seconds or by steps. Exactly one of the two is given.

    Args:
        every_secs: seconds from one time to the next.
        every_steps: steps from one time to the next.
    """

    def __init__(self, every_secs: float | None = None, every_steps: int | None = None) -> None:
        if every_secs is None and every_steps is None:
            raise ValueError("Either every_secs or every_steps should be provided.")
        if every_secs is not None and every_steps is not None:
            raise ValueError("Can not provide both every_secs and every_steps.")
        self._every_secs, self._every_steps = every_secs, every_steps
        self.reset()

    def reset(self) -> None:
        """Forget the last time."""
        self._last_step: int | None = None
        self._last_time = 0.0

    def should_trigger_for_step(self, step: int) -> bool:
        """Whether it is time at this step. The first step always is one."""
        if self._last_step is None:
            return True
        if self._last_step == step:
            return False
        if self._every_secs is not None:
            return time.time() >= self._last_time + self._every_secs
        return self._every_steps is not None and step >= self._last_step + self._every_steps

    def update_last_triggered_step(self, step: int) -> tuple[float | None, int | None]:
        """Note that something was done at this step.

        Returns:
            the seconds and the steps since the last time; None, None at the first.
        """
        now = time.time()
        last, before = self._last_step, self._last_time
        self._last_step, self._last_time = step, now
        return (None, None) if last is None else (now - before, step - last)

    def last_triggered_step(self) -> int | None:
        """The step of the last time."""
        return self._last_step


class StopAtStepHook(SessionRunHook):
    """Ends the training after a number of steps, or at a step. Exactly one of the two is given.

    Args:
        num_steps: how many steps to make from where the training begins.
        last_step: the global step to stop at.
    """

    def __init__(self, num_steps: int | None = None, last_step: int | None = None) -> None:
        if num_steps is None and last_step is None:
            raise ValueError("One of num_steps or last_step must be specified.")
        if num_steps is not None and last_step is not None:
            raise ValueError("Only one of num_steps or last_step can be specified.")
        self._num_steps, self._last_step = num_steps, last_step

    def begin(self) -> None:
        self._step = needed_global_step(self)

    def after_create_session(self, session: Any, coord: Any) -> None:
        if self._last_step is None:
            assert self._num_steps is not None
            self._last_step = int(session.run(self._step)) + self._num_steps

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        return SessionRunArgs(self._step)

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        assert self._last_step is not None
        if run_values.results + 1 < self._last_step:
            return
        if run_context.session.run(self._step) >= self._last_step:
            run_context.request_stop()


class LoggingTensorHook(SessionRunHook):
    """Logs the values of tensors every so many runs or seconds, or at the end.

    Args:
        tensors: by the tag to log each with, or names of tensors.
        every_n_iter: runs from one line to the next.
        every_n_secs: seconds, in its place.
        at_end: whether to log at the end, too.
        formatter: makes the line of a dict of values by tags.
    """

    def __init__(
        self,
        tensors: Mapping[str, Any] | Sequence[Any],
        every_n_iter: int | None = None,
        every_n_secs: float | None = None,
        at_end: bool = False,
        formatter: Callable[[dict[Any, Any]], str] | None = None,
    ) -> None:
        only_at_end = at_end and every_n_iter is None and every_n_secs is None
        if not only_at_end and (every_n_iter is None) == (every_n_secs is None):
            raise ValueError(
                "either at_end and/or exactly one of every_n_iter and every_n_secs must be provided"
            )
        if every_n_iter is not None and every_n_iter <= 0:
            raise ValueError(f"invalid every_n_iter={every_n_iter}.")
        self._given = tensors if isinstance(tensors, Mapping) else {t: t for t in tensors}
        self._order = sorted(tensors) if isinstance(tensors, Mapping) else list(tensors)
        self._formatter, self._at_end = formatter, at_end
        self._timer = None if only_at_end else SecondOrStepTimer(every_n_secs, every_n_iter)

    def begin(self) -> None:
        if self._timer is not None:
            self._timer.reset()
        self._count = 0
        self._fetches = [_element(self._given[tag]) for tag in self._order]

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs | None:
        timer = self._timer
        self._due = timer is not None and timer.should_trigger_for_step(self._count)
        return SessionRunArgs(self._fetches) if self._due else None

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        if self._due:
            self._log(run_values.results)
        self._count += 1

    def end(self, session: Any) -> None:
        if self._at_end:
            self._log(session.run(self._fetches))

    def _log(self, results: Sequence[Any]) -> None:
        values = dict(zip(self._order, results, strict=True))
        seconds = None
        if self._timer is not None:
            seconds, _ = self._timer.update_last_triggered_step(self._count)
        if self._formatter is not None:
            logging.info(self._formatter(values))
            return
        line = ", ".join(f"{_tag(tag)} = {values[tag]}" for tag in self._order)
        logging.info("%s", line if seconds is None else f"{line} ({seconds:.3f} sec)")


class NanTensorHook(SessionRunHook):
    """Ends the training when the loss is not a number.

    Args:
        loss_tensor: the loss.
        fail_on_nan_loss: whether that is an error, or the end only.
    """

    def __init__(self, loss_tensor: Any, fail_on_nan_loss: bool = True) -> None:
        self._loss, self._fail = loss_tensor, fail_on_nan_loss

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        return SessionRunArgs(self._loss)

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        if not np.isnan(run_values.results).any():
            return
        if self._fail:
            logging.error("Model diverged with loss = NaN.")
            raise NanLossDuringTrainingError
        logging.warning("Model diverged with loss = NaN.")
        run_context.request_stop()


class GlobalStepWaiterHook(SessionRunHook):
    """Makes a worker wait with its first run until the global step has come so far.

    Args:
        wait_until_step: the step to wait for.
    """

    def __init__(self, wait_until_step: int) -> None:
        self._until = wait_until_step

    def begin(self) -> None:
        self._is_over = False
        self._step = needed_global_step(self)

    def before_run(self, run_context: SessionRunContext) -> None:
        while not self._is_over and self._until > 0:
            if run_context.session.run(self._step) >= self._until:
                break
            time.sleep(0.5)
        self._is_over = True


class FinalOpsHook(SessionRunHook):
    """Computes something at the end of the training.

    Args:
        final_ops: what to fetch.
        final_ops_feed_dict: feeds for it.
    """

    def __init__(
        self, final_ops: Any, final_ops_feed_dict: Mapping[Any, Any] | None = None
    ) -> None:
        self._fetches, self._feeds = final_ops, final_ops_feed_dict
        self._values: Any = None

    @property
    def final_ops_values(self) -> Any:
        """The values, once the training has ended."""
        return self._values

    def end(self, session: Any) -> None:
        if self._fetches is not None:
            self._values = session.run(self._fetches, feed_dict=self._feeds)


class FeedFnHook(SessionRunHook):
    """Feeds each run with what a function returns.

    Args:
        feed_fn: returns a feed_dict.
    """

    def __init__(self, feed_fn: Callable[[], Mapping[Any, Any]]) -> None:
        self.feed_fn = feed_fn

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        return SessionRunArgs(fetches=None, feed_dict=self.feed_fn())


def _element(given: Any) -> Any:
    """A tensor, or that of a name, with or without the number of the output."""
    return default_graph().as_graph_element(given) if isinstance(given, str) else given


def _tag(tag: Any) -> str:
    return tag.name if isinstance(tag, Tensor | Variable) else str(tag)
