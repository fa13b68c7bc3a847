"""Supervisors: the older way to train with checkpoints, summaries and threads."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from thalweg.graph import Graph, default_graph
from thalweg.graph.keys import GraphKeys
from thalweg.ops.control.control import group
from thalweg.ops.host.initialised import report_uninitialized_variables
from thalweg.ops.state.variable_lists import (
    global_variables_initializer,
    local_variables_initializer,
)
from thalweg.ops.summaries.merge import merge_all
from thalweg.protos.events import SessionLog
from thalweg.protos.summaries import Summary
from thalweg.saving.export_meta_graph import write_graph
from thalweg.saving.saver import Saver
from thalweg.session.session import Session
from thalweg.summary.file_writer import FileWriter
from thalweg.train.coordinator import Coordinator, LooperThread
from thalweg.train.queue_runner import start_queue_runners
from thalweg.train.scaffold import Scaffold
from thalweg.train.session_manager import SessionManager
from thalweg.train.training_util import get_global_step

_DEFAULT: Any = object()


class Supervisor:
    """Restores or initialises, saves and writes summaries from threads of its own, and stops.

        supervisor = tf.train.Supervisor(logdir="logs")
        with supervisor.managed_session() as session:
            while not supervisor.should_stop():
                session.run(train)

    What is `USE_DEFAULT` is taken from the graph's collections, or made. None means without.

    Args:
        graph: the default graph if not given.
        ready_op: names the variables without a value.
        ready_for_local_init_op: the same, for `local_init_op` to be run.
        is_chief: whether this is the process that initialises, restores and saves.
        init_op: gives the global variables their initial values.
        init_feed_dict: feeds for it.
        local_init_op: gives the local variables their initial values.
        logdir: the folder of checkpoints and summaries; without one nothing is written.
        summary_op: the merged summaries.
        saver: saves the variables.
        global_step: counts steps.
        save_summaries_secs: seconds from one summary to the next; 0 for none.
        save_model_secs: seconds from one checkpoint to the next; 0 for none.
        recovery_wait_secs: how long to wait before asking again whether the session is ready.
        stop_grace_secs: how long threads may take to end.
        checkpoint_basename: how the names of checkpoints begin.
        session_manager: makes the sessions.
        summary_writer: writes the summaries.
        init_fn: called with the session after `init_op`.
        local_init_run_options: a `RunOptions` for `local_init_op`.
    """

    USE_DEFAULT = _DEFAULT

    def __init__(
        self,
        graph: Graph | None = None,
        ready_op: Any = _DEFAULT,
        ready_for_local_init_op: Any = _DEFAULT,
        is_chief: bool = True,
        init_op: Any = _DEFAULT,
        init_feed_dict: Mapping[Any, Any] | None = None,
        local_init_op: Any = _DEFAULT,
        logdir: str | None = None,
        summary_op: Any = _DEFAULT,
        saver: Any = _DEFAULT,
        global_step: Any = _DEFAULT,
        save_summaries_secs: float = 120,
        save_model_secs: float = 600,
        recovery_wait_secs: float = 30,
        stop_grace_secs: float = 120,
        checkpoint_basename: str = "model.ckpt",
        session_manager: SessionManager | None = None,
        summary_writer: Any = _DEFAULT,
        init_fn: Callable[[Any], Any] | None = None,
        local_init_run_options: Any = None,
    ) -> None:
        self._graph = graph or default_graph()
        self._is_chief, self._grace = is_chief, stop_grace_secs
        self._init_feeds, self._init_fn = init_feed_dict, init_fn
        self._summary_secs, self._model_secs = save_summaries_secs, save_model_secs
        self._coord = Coordinator()
        keys = GraphKeys
        with self._graph.as_default():
            self._init_op = _or_made(init_op, keys.INIT_OP, global_variables_initializer)
            self._ready_op = _or_made(ready_op, keys.READY_OP, report_uninitialized_variables)
            self._local_init_op = _or_made(
                local_init_op, keys.LOCAL_INIT_OP, lambda: group(local_variables_initializer())
            )
            self._summary_op = _or_made(summary_op, keys.SUMMARY_OP, merge_all)
            self._saver = _or_made(saver, keys.SAVERS, lambda: Saver(allow_empty=True))
            self._step = get_global_step(self._graph) if global_step is _DEFAULT else global_step
        self._logdir = os.fspath(logdir) if logdir is not None and is_chief else None
        self._save_path = None if logdir is None else os.path.join(logdir, checkpoint_basename)
        self._writer = self._chosen_writer(summary_writer)
        ready_locally = None if ready_for_local_init_op is _DEFAULT else ready_for_local_init_op
        self._manager = session_manager or SessionManager(
            local_init_op=self._local_init_op,
            ready_op=self._ready_op,
            ready_for_local_init_op=ready_locally,
            graph=self._graph,
            recovery_wait_secs=recovery_wait_secs,
            local_init_run_options=local_init_run_options,
        )
        self._graph.finalize()

    def _chosen_writer(self, given: Any) -> Any:
        if given is not _DEFAULT:
            return given
        return FileWriter(self._logdir) if self._logdir else None

    # -- what it has

    @property
    def is_chief(self) -> bool:
        """Whether this is the process that initialises, restores and saves."""
        return self._is_chief

    @property
    def session_manager(self) -> SessionManager:
        """Makes the sessions."""
        return self._manager

    @property
    def coord(self) -> Coordinator:
        """Stops the threads."""
        return self._coord

    @property
    def init_op(self) -> Any:
        """Gives the global variables their initial values."""
        return self._init_op

    @property
    def ready_op(self) -> Any:
        """Names the variables without a value."""
        return self._ready_op

    @property
    def summary_op(self) -> Any:
        """The merged summaries, or None."""
        return self._summary_op

    @property
    def summary_writer(self) -> Any:
        """Writes the summaries, or None."""
        return self._writer

    @property
    def saver(self) -> Any:
        """Saves the variables."""
        return self._saver

    @property
    def save_path(self) -> str | None:
        """How the names of checkpoints begin."""
        return self._save_path

    @property
    def save_model_secs(self) -> float:
        """Seconds from one checkpoint to the next."""
        return self._model_secs

    @property
    def save_summaries_secs(self) -> float:
        """Seconds from one summary to the next."""
        return self._summary_secs

    @property
    def global_step(self) -> Any:
        """Counts steps; None if the graph has none."""
        return self._step

    # -- sessions

    def prepare_or_wait_for_session(
        self,
        master: str = "",
        config: Any = None,
        wait_for_checkpoint: bool = False,
        max_wait_secs: float = 7200,
        start_standard_services: bool = True,
    ) -> Session:
        """A session that is ready: the chief makes it so, the workers wait for the chief.

        Args:
            master: the target of the session.
            config: a `ConfigProto`.
            wait_for_checkpoint: whether to wait for a checkpoint.
            max_wait_secs: how long to wait.
            start_standard_services: whether the threads are started that save and write summaries.
        """
        self._coord.clear_stop()
        if not self._is_chief:
            session = self._manager.wait_for_session(master, config, max_wait_secs)
        else:
            session = self._manager.prepare_session(
                master,
                init_op=self._init_op,
                saver=self._saver,
                checkpoint_dir=self._logdir,
                wait_for_checkpoint=wait_for_checkpoint,
                max_wait_secs=max_wait_secs,
                config=config,
                init_feed_dict=self._init_feeds,
                init_fn=self._init_fn,
            )
            self._write_graph()
            if start_standard_services:
                self.start_standard_services(session)
        if start_standard_services:
            self.start_queue_runners(session)
        return session

    PrepareSession = prepare_or_wait_for_session

    @contextmanager
    def managed_session(
        self,
        master: str = "",
        config: Any = None,
        start_standard_services: bool = True,
        close_summary_writer: bool = True,
    ) -> Iterator[Session]:
        """Inside the block, a session that is ready and the default one. Afterwards all is stopped.

        The end of the data, an `OutOfRangeError`, ends the block and is no error.

        Args:
            master: the target of the session.
            config: a `ConfigProto`.
            start_standard_services: whether the threads are started that save and write summaries.
            close_summary_writer: whether the writer is closed at the end.
        """
        session = None
        try:
            session = self.prepare_or_wait_for_session(
                master, config, start_standard_services=start_standard_services
            )
            with session.as_default():
                yield session
        except Exception as error:
            self.request_stop(error)
        finally:
            try:
                self.stop(close_summary_writer=close_summary_writer)
            finally:
                if session is not None:
                    session.close()

    def start_standard_services(self, sess: Session) -> list[LooperThread]:
        """Start the threads that save, write summaries and count steps.

        Raises:
            RuntimeError: in a process that is not the chief.
        """
        if not self._is_chief:
            raise RuntimeError("Only chief supervisor can start standard services.")
        if not self._logdir:
            return []
        started: list[LooperThread] = []
        if self._step is not None and self._writer is not None:
            log = SessionLog(status=SessionLog.START)
            self._writer.add_session_log(log, sess.run(self._step))
        if self._summary_op is not None and self._summary_secs:
            started.append(self.loop(self._summary_secs, self._write_summary, [sess]))
        if self._step is not None and self._summary_secs:
            counter = _StepCounter(self, sess)
            started.append(self.loop(self._summary_secs, counter.write))
        if self._saver is not None and self._model_secs:
            started.append(self.loop(self._model_secs, self._save, [sess]))
        return started

    StartStandardServices = start_standard_services

    def start_queue_runners(
        self, sess: Session, queue_runners: Iterable[Any] | None = None
    ) -> list[threading.Thread]:
        """Start the threads of queue runners; by default those in the graph's collection."""
        if queue_runners is None:
            return start_queue_runners(sess, self._coord)
        return [
            thread
            for runner in queue_runners
            for thread in runner.create_threads(sess, coord=self._coord, daemon=True, start=True)
        ]

    StartQueueRunners = start_queue_runners

    # -- threads

    def loop(
        self,
        timer_interval_secs: float | None,
        target: Callable[..., Any],
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> LooperThread:
        """Start a thread that calls a function every so many seconds, until the end.

        Args:
            timer_interval_secs: seconds from one call to the next; None for none.
            target: the function.
            args: its arguments.
            kwargs: those by name.
        """
        return LooperThread.loop(self._coord, timer_interval_secs, target, args, kwargs)

    Loop = loop

    def should_stop(self) -> bool:
        """Whether a stop was requested."""
        return self._coord.should_stop()

    ShouldStop = should_stop

    def request_stop(self, ex: Any = None) -> None:
        """Ask all threads to stop.

        Args:
            ex: why: an exception, which `stop` raises.
        """
        self._coord.request_stop(ex)

    RequestStop = request_stop

    def stop_on_exception(self) -> Any:
        """Inside the block, an exception is a request to stop."""
        return self._coord.stop_on_exception()

    StopOnException = stop_on_exception

    def wait_for_stop(self) -> None:
        """Wait until a stop is requested."""
        self._coord.wait_for_stop()

    WaitForStop = wait_for_stop

    def stop(
        self,
        threads: Iterable[threading.Thread] | None = None,
        close_summary_writer: bool = True,
        ignore_live_threads: bool = False,
    ) -> None:
        """Stop the threads, and raise the first exception of any of them.

        Args:
            threads: to wait for, with its own.
            close_summary_writer: whether the writer is closed.
            ignore_live_threads: whether threads that do not end are no error.
        """
        self._coord.request_stop()
        try:
            self._coord.join(threads, self._grace, ignore_live_threads)
        finally:
            if close_summary_writer and self._writer is not None:
                self._writer.add_session_log(SessionLog(status=SessionLog.STOP))
                self._writer.close()

    Stop = stop

    # -- what its threads do

    def summary_computed(self, sess: Session, summary: Any, global_step: int | None = None) -> None:
        """Write a summary that the program has computed.

        Args:
            sess: has the global step.
            summary: what a session computed of a summary operation.
            global_step: the number of the step; by default the session's.

        Raises:
            RuntimeError: without a writer.
        """
        if self._writer is None:
            raise RuntimeError("Writing a summary requires a summary writer.")
        if global_step is None and self._step is not None:
            global_step = sess.run(self._step)
        self._writer.add_summary(summary, global_step)

    SummaryComputed = summary_computed

    def _write_graph(self) -> None:
        if self._logdir:
            write_graph(self._graph, self._logdir, "graph.pbtxt")
        if self._writer is not None:
            self._writer.add_graph(self._graph)

    def _write_summary(self, session: Session) -> None:
        if self._step is None:
            self.summary_computed(session, session.run(self._summary_op))
        else:
            summary, step = session.run([self._summary_op, self._step])
            self.summary_computed(session, summary, step)

    def _save(self, session: Session) -> None:
        path = str(self._save_path)
        self._saver.save(session, path, global_step=self._step)
        if self._writer is not None and self._step is not None:
            log = SessionLog(status=SessionLog.CHECKPOINT, checkpoint_path=path)
            self._writer.add_session_log(log, session.run(self._step))


class _StepCounter:
    """Writes how many steps were made in a second."""

    def __init__(self, supervisor: Supervisor, session: Session) -> None:
        self._supervisor, self._session = supervisor, session
        self._step, self._time = self._now(), time.monotonic()

    def write(self) -> None:
        step, now = self._now(), time.monotonic()
        speed = (step - self._step) / max(now - self._time, 1e-9)
        self._step, self._time = step, now
        tag = f"{self._supervisor.global_step.op.name}/sec"
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=speed)])
        if self._supervisor.summary_writer is not None:
            self._supervisor.summary_writer.add_summary(summary, step)

    def _now(self) -> int:
        return int(self._session.run(self._supervisor.global_step))


def _or_made(given: Any, collection: str, make: Callable[[], Any]) -> Any:
    """What was given; else the first of a collection; else what is made."""
    if given is not _DEFAULT:
        return given
    found = default_graph().get_collection(collection)
    return found[0] if found else Scaffold.get_or_default("", collection, make)
