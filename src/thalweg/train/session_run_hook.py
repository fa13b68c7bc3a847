"""Session run hooks: code that is called around the runs of a monitored session."""

from __future__ import annotations

from typing import Any, NamedTuple

from thalweg.session.run_metadata import RunMetadata, RunOptions


class SessionRunArgs(NamedTuple):
    """What a hook adds to a run.

    Attributes:
        fetches: as for `Session.run`, or None.
        feed_dict: as for `Session.run`, or None.
        options: a `RunOptions`, or None.
    """

    fetches: Any
    feed_dict: Any = None
    options: RunOptions | None = None


class SessionRunValues(NamedTuple):
    """What a run gave.

    Attributes:
        results: the values of what the hook's `before_run` asked for, in the same structure.
        options: of the run.
        run_metadata: what was measured.
    """

    results: Any
    options: RunOptions
    run_metadata: RunMetadata


class SessionRunContext:
    """What a hook is told of a run.

    Args:
        original_args: what the user gave to `run`.
        session: the session itself, without its hooks.
    """

    def __init__(self, original_args: SessionRunArgs, session: Any) -> None:
        self._original_args, self._session = original_args, session
        self._stop_requested = False

    @property
    def original_args(self) -> SessionRunArgs:
        """What the user gave to `run`."""
        return self._original_args

    @property
    def session(self) -> Any:
        """The session itself, without its hooks."""
        return self._session

    @property
    def stop_requested(self) -> bool:
        """Whether a hook asked to stop."""
        return self._stop_requested

    def request_stop(self) -> None:
        """Ask for the end of the training: `should_stop` of the monitored session becomes True."""
        self._stop_requested = True


class SessionRunHook:
    """Extends the runs of a monitored session. A subclass defines what it needs of these.

    class PrintLoss(tf.train.SessionRunHook):
        def before_run(self, run_context):
            return tf.train.SessionRunArgs(loss)

        def after_run(self, run_context, run_values):
            print(run_values.results)
    """

    def begin(self) -> None:
        """Called once, before the session is made. The graph may still be added to."""

    def after_create_session(self, session: Any, coord: Any) -> None:
        """Called whenever a session was made: at first, and after each recovery.

        Args:
            session: the new one.
            coord: the coordinator of its threads.
        """

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs | None:
        """Called before each run.

        Returns:
            what to compute and feed besides, or None.
        """

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """Called after each run that did not fail."""

    def end(self, session: Any) -> None:
        """Called at the end, unless an error ended the training."""
