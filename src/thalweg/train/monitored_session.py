"""Monitored sessions: sessions with hooks, which restore themselves and recover."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from thalweg.base.errors import (
    AbortedError,
    InvalidArgumentError,
    OutOfRangeError,
    UnavailableError,
)
from thalweg.graph import Graph, default_graph
from thalweg.platform import logging
from thalweg.session.run_metadata import RunMetadata, RunOptions
from thalweg.session.session import Session
from thalweg.train.coordinator import Coordinator
from thalweg.train.queue_runner import start_queue_runners
from thalweg.train.saving_hooks import CheckpointSaverHook, StepCounterHook, SummarySaverHook
from thalweg.train.scaffold import Scaffold
from thalweg.train.session_creator import ChiefSessionCreator, SessionCreator, WorkerSessionCreator
from thalweg.train.session_run_hook import (
    SessionRunArgs,
    SessionRunContext,
    SessionRunHook,
    SessionRunValues,
)

USE_DEFAULT: Any = object()
_LOST = (AbortedError, UnavailableError)  # a task of the cluster went away: begin anew


class StepContext:
    """What a step function works with.

    Args:
        session: the session itself, without its hooks.
        run_with_hooks_fn: as `MonitoredSession.run`.
    """

    def __init__(self, session: Session, run_with_hooks_fn: Callable[..., Any]) -> None:
        self._session, self._run = session, run_with_hooks_fn

    @property
    def session(self) -> Session:
        """The session itself, without its hooks."""
        return self._session

    def run_with_hooks(self, *args: Any, **kwargs: Any) -> Any:
        """As `MonitoredSession.run`."""
        return self._run(*args, **kwargs)

    def request_stop(self) -> None:
        """End the training: leaves the step function, and the `with` block around it."""
        raise StopIteration("step_fn has requested the iterations to stop.")


class _Monitored:
    """A session with hooks.

    Args:
        session_creator: makes the session; by default a `ChiefSessionCreator`.
        hooks: are called around each run.
        should_recover: whether a lost session is made again.
        stop_grace_period_secs: how long threads may take to end.
    """

    StepContext = StepContext

    def __init__(
        self,
        session_creator: SessionCreator | None,
        hooks: Sequence[SessionRunHook] | None,
        should_recover: bool,
        stop_grace_period_secs: float = 120,
    ) -> None:
        self._hooks, self._recovers = list(hooks or ()), should_recover
        self._creator = session_creator or ChiefSessionCreator()
        self._grace = stop_grace_period_secs
        self._graph, was_final = default_graph(), default_graph().finalized
        self._should_stop = False
        self._session: Session | None = None
        self._coordinator = Coordinator()
        self._unlocks = not was_final
        for hook in self._hooks:
            hook.begin()
        self._ready()

    @property
    def graph(self) -> Graph | None:
        """The graph; None once it is closed."""
        return None if self._session is None else self._session.graph

    def run(
        self,
        fetches: Any,
        feed_dict: Mapping[Any, Any] | None = None,
        options: RunOptions | None = None,
        run_metadata: RunMetadata | None = None,
    ) -> Any:
        """As `Session.run`, with the hooks.

        A session that was lost with a task of its cluster is made again from the latest checkpoint,
        and the run is repeated, if this is a session that recovers.

        Raises:
            RuntimeError: after the end.
            as `Session.run` does; also what a hook, or a thread of the coordinator, raises.
        """
        return self._recovering(lambda: self._run(fetches, feed_dict, options, run_metadata))

    def run_step_fn(self, step_fn: Callable[..., Any]) -> Any:
        """Call a function with a `StepContext`, to run several things as one step.

        Args:
            step_fn: takes the context as `step_context`; a method takes `self` before it.

        Returns:
            what it returns.

        Raises:
            ValueError: if it takes other arguments.
        """
        names = list(inspect.signature(step_fn).parameters)
        if names != ["step_context"]:
            raise ValueError(
                "`step_fn` may either have one `step_context` argument, or `self` and "
                f"`step_context` arguments if it's an instance method. Got {names} instead."
            )
        return self._recovering(lambda: step_fn(StepContext(self._ready(), self._run)))

    def should_stop(self) -> bool:
        """Whether the training is over: a hook, or a thread, asked for it, or this is closed."""
        return self._session is None or self._should_stop or self._coordinator.should_stop()

    def close(self) -> None:
        """Call the hooks' `end`, stop the threads and close the session."""
        self._close(is_failed=False)

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """The end of the data, and of the iteration, are no errors."""
        is_end = kind is not None and issubclass(kind, OutOfRangeError | StopIteration)
        self._close(is_failed=kind is not None and not is_end)
        return is_end

    # -- what it is made of

    def _ready(self) -> Session:
        """The session, which is made if it was lost."""
        if self._session is None:
            session = self._creator.create_session()
            self._coordinator = Coordinator(clean_stop_exception_types=())
            start_queue_runners(session, self._coordinator)
            for hook in self._hooks:
                hook.after_create_session(session, self._coordinator)
            self._session = session
        return self._session

    def _recovering(self, work: Callable[[], Any]) -> Any:
        if self.should_stop():
            self._coordinator.raise_requested_exception()
            raise RuntimeError("Run called even after should_stop requested.")
        while True:
            try:
                self._ready()
                return work()
            except _LOST as error:
                if not self._recovers:
                    raise
                logging.info("The session was lost, and is made again: %s", error)
                self._lose()
            except StopIteration:
                raise
            except Exception:
                self._coordinator.raise_requested_exception()  # it may be why the run failed
                raise

    def _run(
        self,
        fetches: Any,
        feed_dict: Mapping[Any, Any] | None = None,
        options: RunOptions | None = None,
        run_metadata: RunMetadata | None = None,
    ) -> Any:
        if self.should_stop():
            raise RuntimeError("Run called even after should_stop requested.")
        session = self._ready()
        context = SessionRunContext(SessionRunArgs(fetches, feed_dict), session)
        asked = [hook.before_run(context) for hook in self._hooks]
        feeds = _merged_feeds(feed_dict, asked)
        settings, measured = _merged_options(options, asked), run_metadata or RunMetadata()
        extra = [one.fetches for one in asked if one is not None and one.fetches is not None]
        wanted = [fetches, extra]
        value, found = session.run(wanted, feeds, settings, measured)
        results = iter(found)
        for hook, one in zip(self._hooks, asked, strict=True):
            result = None if one is None or one.fetches is None else next(results)
            hook.after_run(context, SessionRunValues(result, settings, measured))
        self._should_stop = self._should_stop or context.stop_requested
        return value

    def _lose(self) -> None:
        """Drop a session that failed. Closing it may fail, too."""
        session, self._session = self._session, None
        try:
            self._stop_threads()
            if session is not None:
                session.close()
        except Exception as error:
            logging.info("The lost session did not close: %s", error)

    def _stop_threads(self) -> None:
        self._coordinator.request_stop()
        self._coordinator.join(stop_grace_period_secs=self._grace, ignore_live_threads=True)

    def _close(self, is_failed: bool) -> None:
        session, self._should_stop = self._session, True
        if session is None:
            return
        try:
            if not is_failed:
                for hook in self._hooks:
                    hook.end(session)
        finally:
            self._session = None
            try:
                self._stop_threads()
            finally:
                session.close()
                if self._unlocks:
                    self._graph.unfinalize()


class MonitoredSession(_Monitored):
    """A session with hooks, which makes itself again when a task of its cluster was lost.

        with tf.train.MonitoredSession(hooks=[tf.train.StopAtStepHook(1000)]) as session:
            while not session.should_stop():
                session.run(train)

    Args:
        session_creator: makes the session; by default a `ChiefSessionCreator`.
        hooks: are called around each run.
        stop_grace_period_secs: how long threads may take to end.
    """

    def __init__(
        self,
        session_creator: SessionCreator | None = None,
        hooks: Sequence[SessionRunHook] | None = None,
        stop_grace_period_secs: float = 120,
    ) -> None:
        super().__init__(session_creator, hooks, True, stop_grace_period_secs)


class SingularMonitoredSession(_Monitored):
    """A session with hooks, which does not recover; `raw_session` gives the session itself.

    Args:
        hooks: are called around each run.
        scaffold: what the program needs around its step; made if not given.
        master: the target of the session.
        config: a `ConfigProto`.
        checkpoint_dir: the folder of checkpoints, the latest of which is restored.
        stop_grace_period_secs: how long threads may take to end.
        checkpoint_filename_with_path: the prefix of a checkpoint, in place of the folder.
    """

    def __init__(
        self,
        hooks: Sequence[SessionRunHook] | None = None,
        scaffold: Scaffold | None = None,
        master: str = "",
        config: Any = None,
        checkpoint_dir: str | None = None,
        stop_grace_period_secs: float = 120,
        checkpoint_filename_with_path: str | None = None,
    ) -> None:
        creator = ChiefSessionCreator(
            scaffold, master, config, checkpoint_dir, checkpoint_filename_with_path
        )
        super().__init__(creator, hooks, False, stop_grace_period_secs)

    def raw_session(self) -> Session | None:
        """The session itself, without its hooks; None once it is closed."""
        return self._session


def MonitoredTrainingSession(  # noqa: N802  TensorFlow's name
    master: str = "",
    is_chief: bool = True,
    checkpoint_dir: str | None = None,
    scaffold: Scaffold | None = None,
    hooks: Sequence[SessionRunHook] | None = None,
    chief_only_hooks: Sequence[SessionRunHook] | None = None,
    save_checkpoint_secs: Any = USE_DEFAULT,
    save_summaries_steps: Any = USE_DEFAULT,
    save_summaries_secs: Any = USE_DEFAULT,
    config: Any = None,
    stop_grace_period_secs: float = 120,
    log_step_count_steps: int | None = 100,
    max_wait_secs: float = 7200,
    save_checkpoint_steps: Any = USE_DEFAULT,
    summary_dir: str | None = None,
) -> MonitoredSession:
    """A monitored session for training, which restores, saves and writes summaries.

    Args:
        master: the target of the session.
        is_chief: whether this is the process that initialises, restores and saves.
        checkpoint_dir: the folder of checkpoints; without one nothing is saved.
        scaffold: what the program needs around its step; made if not given.
        hooks: are called around each run.
        chief_only_hooks: the same, in the chief only.
        save_checkpoint_secs: seconds from one checkpoint to the next; 600 by default.
        save_summaries_steps: steps from one summary to the next; 100 by default.
        save_summaries_secs: seconds, in their place.
        config: a `ConfigProto`.
        stop_grace_period_secs: how long threads may take to end.
        log_step_count_steps: steps from one measurement of the speed to the next.
        max_wait_secs: how long a worker waits for the chief.
        save_checkpoint_steps: steps from one checkpoint to the next, in place of seconds.
        summary_dir: the folder of the summaries; that of the checkpoints if not given.
    """
    made = scaffold or Scaffold()
    if not is_chief:
        worker = WorkerSessionCreator(made, master, config, max_wait_secs)
        return MonitoredSession(worker, hooks, stop_grace_period_secs)
    saves = _interval(save_checkpoint_steps, save_checkpoint_secs, None, 600)
    summaries = _interval(save_summaries_steps, save_summaries_secs, 100, None)
    every: list[SessionRunHook] = list(chief_only_hooks or ())
    folder = summary_dir or checkpoint_dir
    if folder and log_step_count_steps:
        every.append(StepCounterHook(log_step_count_steps, output_dir=folder))
    if folder and any(summaries):
        every.append(SummarySaverHook(summaries[0], summaries[1], folder, scaffold=made))
    if checkpoint_dir and any(saves):
        every.append(CheckpointSaverHook(checkpoint_dir, saves[1], saves[0], scaffold=made))
    chief = ChiefSessionCreator(made, master, config, checkpoint_dir)
    return MonitoredSession(chief, [*every, *(hooks or ())], stop_grace_period_secs)


def _interval(steps: Any, seconds: Any, default_steps: Any, default_seconds: Any) -> list[Any]:
    """Steps and seconds, one of them None: the defaults hold if neither is given."""
    if steps is USE_DEFAULT and seconds is USE_DEFAULT:
        return [default_steps, default_seconds]
    return [None if given is USE_DEFAULT else given or None for given in (steps, seconds)]


def _merged_feeds(
    feed_dict: Mapping[Any, Any] | None, asked: Sequence[SessionRunArgs | None]
) -> dict[Any, Any] | None:
    """The user's feeds and those of the hooks.

    Raises:
        InvalidArgumentError: if a tensor is fed twice.
    """
    feeds = dict(feed_dict or {})
    for one in asked:
        for key, value in ((one and one.feed_dict) or {}).items():
            if key in feeds:
                raise InvalidArgumentError(f"the same tensor is fed twice, by a hook: {key}")
            feeds[key] = value
    return feeds or None


def _merged_options(
    options: RunOptions | None, asked: Sequence[SessionRunArgs | None]
) -> RunOptions:
    """The most that the user, or a hook, wants traced."""
    every = [one.options for one in asked if one is not None and one.options is not None]
    levels = [given.trace_level for given in [options or RunOptions(), *every]]
    merged = options or RunOptions()
    return merged if merged.trace_level == max(levels) else RunOptions(trace_level=max(levels))
