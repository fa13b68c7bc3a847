"""Hooks that write to a folder: checkpoints, summaries, the speed, profiles."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from thalweg.graph import default_graph
from thalweg.graph.keys import GraphKeys
from thalweg.platform import logging
from thalweg.profiler.timeline import Timeline
from thalweg.protos.events import SessionLog
from thalweg.protos.summaries import Summary
from thalweg.saving.export_meta_graph import write_graph
from thalweg.saving.saver import Saver
from thalweg.session.run_metadata import RunOptions
from thalweg.summary.file_writer import FileWriterCache
from thalweg.train.hooks import SecondOrStepTimer, needed_global_step
from thalweg.train.session_run_hook import (
    SessionRunArgs,
    SessionRunContext,
    SessionRunHook,
    SessionRunValues,
)


class CheckpointSaverListener:
    """Is told of each checkpoint of a `CheckpointSaverHook`. A subclass defines what it needs."""

    def begin(self) -> None:
        """Called once, before the session is made."""

    def before_save(self, session: Any, global_step_value: int) -> None:
        """Called before each save."""

    def after_save(self, session: Any, global_step_value: int) -> bool | None:
        """Called after each save.

        Returns:
            whether the training is to end.
        """

    def end(self, session: Any, global_step_value: int) -> None:
        """Called at the end of the training."""


class CheckpointSaverHook(SessionRunHook):
    """Saves a checkpoint every so many steps or seconds, at the beginning and at the end.

    Args:
        checkpoint_dir: the folder.
        save_secs: seconds from one checkpoint to the next.
        save_steps: steps, in their place.
        saver: saves; by default that of the scaffold or, without one, of the graph.
        checkpoint_basename: how the names of checkpoints begin.
        scaffold: has the saver.
        listeners: are told of each checkpoint.
    """

    def __init__(
        self,
        checkpoint_dir: str,
        save_secs: float | None = None,
        save_steps: int | None = None,
        saver: Saver | None = None,
        checkpoint_basename: str = "model.ckpt",
        scaffold: Any = None,
        listeners: Sequence[CheckpointSaverListener] | None = None,
    ) -> None:
        if saver is not None and scaffold is not None:
            raise ValueError("You cannot provide both saver and scaffold.")
        self._saver, self._scaffold = saver, scaffold
        self._folder = os.fspath(checkpoint_dir)
        self._path = os.path.join(self._folder, checkpoint_basename)
        self._timer = SecondOrStepTimer(save_secs, save_steps)
        self._listeners = list(listeners or ())

    def begin(self) -> None:
        self._writer = FileWriterCache.get(self._folder)
        self._step = needed_global_step(self)
        for listener in self._listeners:
            listener.begin()

    def after_create_session(self, session: Any, coord: Any) -> None:
        write_graph(session.graph, self._folder, "graph.pbtxt")
        self._writer.add_graph(session.graph)
        step = int(session.run(self._step))
        self._save(session, step)
        self._timer.update_last_triggered_step(step)

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        return SessionRunArgs(self._step)

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        if not self._timer.should_trigger_for_step(int(run_values.results) + 1):
            return
        step = int(run_context.session.run(self._step))  # it may be another worker's
        if self._timer.should_trigger_for_step(step):
            self._timer.update_last_triggered_step(step)
            if self._save(run_context.session, step):
                run_context.request_stop()

    def end(self, session: Any) -> None:
        step = int(session.run(self._step))
        if step != self._timer.last_triggered_step():
            self._save(session, step)
        for listener in self._listeners:
            listener.end(session, step)

    def _save(self, session: Any, step: int) -> bool:
        """Save, and say whether a listener wants the training to end."""
        logging.info("Saving checkpoints for %d into %s.", step, self._path)
        for listener in self._listeners:
            listener.before_save(session, step)
        self._chosen().save(session, self._path, global_step=step)
        log = SessionLog(status=SessionLog.CHECKPOINT, checkpoint_path=self._path)
        self._writer.add_session_log(log, step)
        wishes = [listener.after_save(session, step) for listener in self._listeners]
        return any(wishes)

    def _chosen(self) -> Saver:
        if self._saver is None:
            own = getattr(self._scaffold, "saver", None)
            savers = [own] if own else default_graph().get_collection(GraphKeys.SAVERS)
            if len(savers) != 1:
                raise RuntimeError(
                    f"CheckpointSaverHook needs one saver; the graph's collection 'savers' has "
                    f"{len(savers)}: pass saver or scaffold"
                )
            self._saver = savers[0]
        return self._saver


class StepCounterHook(SessionRunHook):
    """Logs how many steps are made in a second, and writes it as a summary.

    Args:
        every_n_steps: steps from one line to the next.
        every_n_secs: seconds, in their place; then `every_n_steps` is None.
        output_dir: the folder of the summaries.
        summary_writer: writes them, in its place.
    """

    def __init__(
        self,
        every_n_steps: int | None = 100,
        every_n_secs: float | None = None,
        output_dir: str | None = None,
        summary_writer: Any = None,
    ) -> None:
        if (every_n_steps is None) == (every_n_secs is None):
            raise ValueError("exactly one of every_n_steps and every_n_secs should be provided.")
        self._timer = SecondOrStepTimer(every_n_secs, every_n_steps)
        self._writer, self._folder = summary_writer, output_dir

    def begin(self) -> None:
        if self._writer is None and self._folder is not None:
            self._writer = FileWriterCache.get(self._folder)
        self._step = needed_global_step(self)
        self._tag = f"{self._step.op.name}/sec"

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        return SessionRunArgs(self._step)

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        if not self._timer.should_trigger_for_step(int(run_values.results) + 1):
            return
        step = int(run_context.session.run(self._step))
        if self._timer.should_trigger_for_step(step):
            seconds, steps = self._timer.update_last_triggered_step(step)
            if seconds and steps is not None:
                self._log(steps / seconds, step)

    def _log(self, speed: float, step: int) -> None:
        if self._writer is not None:
            value = Summary.Value(tag=self._tag, simple_value=speed)
            self._writer.add_summary(Summary(value=[value]), step)
        logging.info("%s: %g", self._tag, speed)


class SummarySaverHook(SessionRunHook):
    """Writes summaries every so many steps or seconds. Exactly one of the two is given.

    Args:
        save_steps: steps from one summary to the next.
        save_secs: seconds, in their place.
        output_dir: the folder.
        summary_writer: writes them, in its place.
        scaffold: has the summary operation; exactly one of the two is given.
        summary_op: a summary, or a list of them.
    """

    def __init__(
        self,
        save_steps: int | None = None,
        save_secs: float | None = None,
        output_dir: str | None = None,
        summary_writer: Any = None,
        scaffold: Any = None,
        summary_op: Any = None,
    ) -> None:
        if (scaffold is None) == (summary_op is None):
            raise ValueError("Exactly one of scaffold or summary_op must be provided.")
        self._scaffold, self._op = scaffold, summary_op
        self._writer, self._folder = summary_writer, output_dir
        self._timer = SecondOrStepTimer(save_secs, save_steps)

    def begin(self) -> None:
        if self._writer is None and self._folder is not None:
            self._writer = FileWriterCache.get(self._folder)
        self._next: int | None = None
        self._step = needed_global_step(self)

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        self._due = self._next is None or self._timer.should_trigger_for_step(self._next)
        summaries = self._summaries() if self._due else []
        return SessionRunArgs([self._step, summaries])

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        if self._writer is None:
            return
        stale, summaries = run_values.results
        step = int(stale) + 1
        if self._next is None or self._due:
            step = int(run_context.session.run(self._step))
        if self._next is None:
            self._writer.add_session_log(SessionLog(status=SessionLog.START), step)
        if self._due:
            self._timer.update_last_triggered_step(step)
        for summary in summaries:
            self._writer.add_summary(summary, step)
        self._next = step + 1

    def end(self, session: Any) -> None:
        if self._writer is not None:
            self._writer.flush()

    def _summaries(self) -> list[Any]:
        op = self._op if self._op is not None else self._scaffold.summary_op
        if op is None:
            return []
        return list(op) if isinstance(op, list | tuple) else [op]


class ProfilerHook(SessionRunHook):
    """Traces a run every so many steps or seconds, for chrome://tracing. One of the two is given.

    Args:
        save_steps: steps from one profile to the next.
        save_secs: seconds, in their place.
        output_dir: the folder; a file is named `timeline-STEP.json`.
        show_dataflow: whether it shows what waits for what.
        show_memory: whether it shows the memory of tensors.
    """

    def __init__(
        self,
        save_steps: int | None = None,
        save_secs: float | None = None,
        output_dir: str = "",
        show_dataflow: bool = True,
        show_memory: bool = False,
    ) -> None:
        self._folder = Path(output_dir)
        self._dataflow, self._memory = show_dataflow, show_memory
        self._timer = SecondOrStepTimer(save_secs, save_steps)

    def begin(self) -> None:
        self._next: int | None = None
        self._step = needed_global_step(self)

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        self._due = self._next is not None and self._timer.should_trigger_for_step(self._next)
        options = RunOptions(trace_level=RunOptions.FULL_TRACE) if self._due else None
        return SessionRunArgs(self._step, options=options)

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        step = int(run_values.results) + 1
        if self._next is None:
            self._timer.update_last_triggered_step(step)
        if self._due:
            step = int(run_context.session.run(self._step))
            self._timer.update_last_triggered_step(step)
            self._write(step, run_values.run_metadata.step_stats)
        self._next = step + 1

    def _write(self, step: int, stats: Any) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        text = Timeline(stats).generate_chrome_trace_format(self._dataflow, self._memory)
        (self._folder / f"timeline-{step}.json").write_text(text)
