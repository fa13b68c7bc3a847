"""`tf.train.Saver`: saves and restores the variables of a session."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, final

from thalweg.base.errors import GraphError, InvalidArgumentError, UnimplementedError
from thalweg.base.record import Record
from thalweg.graph import Graph, Tensor, default_graph
from thalweg.graph.keys import GraphKeys
from thalweg.ops.state.variable import Variable
from thalweg.saving.background import BackgroundWork
from thalweg.saving.bundle.bundle import MANIFEST_KEY
from thalweg.saving.checkpoint import FORMATS, open_checkpoint, remove_checkpoint, write_checkpoint
from thalweg.saving.checkpoint_state import update_checkpoint_state
from thalweg.saving.copies import Copies
from thalweg.saving.export_meta_graph import export_meta_graph, write_message
from thalweg.saving.files import remove_abandoned
from thalweg.saving.manifest import progress_of
from thalweg.saving.matching import matched
from thalweg.saving.meta_graph import MetaGraphDef, SaverSettings
from thalweg.saving.retention import Retention
from thalweg.session.progress import Progress, Snapshot
from thalweg.session.session import Session

__all__ = ["SaveReport", "Saver", "SaverDef"]

_PADDED_DIGITS = 8


@final
class SaverDef(Record):
    """The settings of a saver, as TensorFlow's message has them.

    Attributes:
        max_to_keep: see `Saver`.
        sharded: see `Saver`.
        keep_checkpoint_every_n_hours: see `Saver`.
        version: of the format: `SaverDef.V2`.
    """

    LEGACY: ClassVar[int] = 0
    V1: ClassVar[int] = 1
    V2: ClassVar[int] = 2
    max_to_keep: int = 5
    sharded: bool = False
    keep_checkpoint_every_n_hours: float = 10000.0
    version: int = 2


class SaveReport(Record, frozen=False):
    """What a save took.

    Attributes:
        path: the checkpoint's prefix.
        bytes: of all values.
        blocked_seconds: from the call of `save` until it returned.
        total_seconds: until the checkpoint was on the disk; None while it is being written.
        copied_bytes: what the saver holds in memory to write from: 0 but for saves in the
            background.
    """

    path: str
    bytes: int
    blocked_seconds: float = 0.0
    total_seconds: float | None = None
    copied_bytes: int = 0


class Saver:
    """Saves and restores variables.

    A checkpoint is one safetensors file, `PREFIX.safetensors`: all values, with their checksums
    and the session's progress. With `format="tensorflow"` it is a tensor bundle, which TensorFlow
    reads. `restore` takes either. A checkpoint is whole or absent, whatever ends the process.

    Args:
        var_list: the variables: a list, or a dict by the names that they have in checkpoints; by
            default the global variables that the default graph has now, by their own names.
        reshape: lets `restore` take tensors of other shapes, if they have as many elements.
        sharded: accepted for TensorFlow 1: there is one file.
        max_to_keep: how many checkpoints are kept, the latest; all of them if 0 or None.
        keep_checkpoint_every_n_hours: one in so many hours is kept for good.
        name: accepted for TensorFlow 1: a saver adds nothing to the graph.
        restore_sequentially: accepted for TensorFlow 1.
        saver_def: settings that replace those given here.
        builder: accepted for TensorFlow 1.
        defer_build: whether the variables are only looked for at `build`, or the first use.
        allow_empty: whether there may be no variables; then nothing is saved.
        write_version: `SaverDef.V2`.
        pad_step_number: whether steps have leading zeros in names, up to eight digits.
        save_relative_paths: accepted for TensorFlow 1: paths in state files are always relative.
        filename: accepted for TensorFlow 1.
        format: "thalweg" or "tensorflow".

    Attributes:
        last_save: what the latest save took; None before the first.

    Raises:
        ValueError: if there are no variables, or two of one name.
        TypeError: for something in var_list that is no variable.
        UnimplementedError: for write_version V1, which TensorFlow 1 itself calls deprecated.
    """

    last_save: SaveReport | None = None

    def __init__(
        self,
        var_list: Mapping[str, Variable] | Sequence[Variable] | None = None,
        reshape: bool = False,
        sharded: bool = False,
        max_to_keep: int | None = 5,
        keep_checkpoint_every_n_hours: float = 10000.0,
        name: str | None = None,
        restore_sequentially: bool = False,
        saver_def: SaverDef | None = None,
        builder: Any = None,
        defer_build: bool = False,
        allow_empty: bool = False,
        write_version: int = SaverDef.V2,
        pad_step_number: bool = False,
        save_relative_paths: bool = False,
        filename: str | None = None,
        *,
        format: str = "thalweg",
    ) -> None:
        self.saver_def = saver_def or SaverDef(
            max_to_keep or 0, sharded, keep_checkpoint_every_n_hours, write_version
        )
        _check_format(format, self.saver_def.version)
        self._given, self._format = var_list, format
        self._reshape, self._allow_empty, self._pad = reshape, allow_empty, pad_step_number
        self._variables: dict[str, Variable] | None = None
        self._retention = Retention(
            self.saver_def.max_to_keep, self.saver_def.keep_checkpoint_every_n_hours
        )
        self._background, self._copies = BackgroundWork(), Copies()
        self._exported: tuple[Graph, Any, MetaGraphDef] | None = None
        if not defer_build:
            self.build()

    def build(self) -> None:
        """Decide which variables are saved: those of `var_list`, or all that there are now."""
        if self._variables is None:
            self._variables = _by_name(self._given)
            if not self._variables and not self._allow_empty:
                raise ValueError("No variables to save")

    def as_saver_def(self) -> SaverDef:
        """Its settings."""
        return self.saver_def

    # -- saving

    def save(
        self,
        sess: Session,
        save_path: str | os.PathLike[str],
        global_step: int | Tensor | Variable | None = None,
        latest_filename: str | None = None,
        meta_graph_suffix: str = "meta",
        write_meta_graph: bool = True,
        write_state: bool = True,
        strip_default_attrs: bool = False,
        *,
        background: bool = False,
    ) -> str:
        """Save the variables, all at one moment between two runs.

        Args:
            sess: has the values. Variables without one are given their initial ones.
            save_path: the prefix of the checkpoint's name; its folder is made if there is none.
            global_step: is added to the name: "model.ckpt" becomes "model.ckpt-1000".
            latest_filename: the name of the folder's state file; "checkpoint" if not given.
            meta_graph_suffix: what the name of the graph's file ends with.
            write_meta_graph: whether the graph is written beside the values.
            write_state: whether the state file is written, and old checkpoints are removed.
            strip_default_attrs: accepted for TensorFlow 1.
            background: whether to return when the values have been copied, and write them in
                another thread. A save that comes before that is done waits for it. What fails there
                is raised by the next `save`, `restore` or `wait`.

        Returns:
            the checkpoint's prefix, for `restore`.

        Raises:
            ValueError: if the path or latest_filename is no name of a file.
            OSError: if the files cannot be written. The checkpoints of before are still there.
            DTypeError: if the format does not have a variable's element type.
        """
        begin = time.perf_counter()
        self.wait()
        prefix = self._prefix(sess, save_path, global_step, latest_filename)
        variables = self._of_graph(sess.graph)
        meta = self._meta_graph(sess.graph) if write_meta_graph else None
        state = (latest_filename or "checkpoint") if write_state else None
        with sess.reading(variables.values()) as live:
            values = {name: live.values[v.op.name] for name, v in variables.items()}
            report = SaveReport(prefix, sum(array.nbytes for array in values.values()))
            if background:
                values, report.copied_bytes = self._copies.of(values), report.bytes
            snapshot = Snapshot(values, live.progress)
            work = partial(self._write, snapshot, report, begin, state, meta, meta_graph_suffix)
            if not background:
                work()
        self.last_save = report
        if background:
            self._background.start(work, f"saving {prefix!r}")
        report.blocked_seconds = time.perf_counter() - begin
        return prefix

    def export_meta_graph(
        self,
        filename: str | None = None,
        collection_list: Collection[str] | None = None,
        as_text: bool = False,
        export_scope: str | None = None,
        clear_devices: bool = False,
        clear_extraneous_savers: bool = False,
        strip_default_attrs: bool = False,
        save_debug_info: bool = False,
    ) -> MetaGraphDef:
        """The graph of its variables as data, with its own settings.

        See `tf.train.export_meta_graph` for the arguments.
        """
        variables = self._variables or {}
        graph = next((one.graph for one in variables.values()), default_graph())
        return export_meta_graph(
            filename,
            saver_def=self._settings(),
            collection_list=collection_list,
            graph=graph,
            export_scope=export_scope,
            clear_devices=clear_devices,
        )

    def _settings(self) -> SaverSettings:
        """The saver as data."""
        made, variables = self.saver_def, self._variables or {}
        return SaverSettings(
            made.max_to_keep,
            made.keep_checkpoint_every_n_hours,
            made.sharded,
            made.version,
            self._format,
            {name: variable.name for name, variable in variables.items()},
        )

    def _meta_graph(self, graph: Graph) -> MetaGraphDef | None:
        """The graph as data; that it cannot be saved is no reason not to save the values."""
        keys = graph.get_all_collection_keys()
        size = len(graph.operations), [len(graph.get_collection_ref(key)) for key in keys]
        if self._exported is not None and self._exported[:2] == (graph, size):
            return self._exported[2]
        try:
            meta = export_meta_graph(saver_def=self._settings(), graph=graph)
            self._exported = graph, size, meta
            return meta
        except GraphError as error:
            warnings.warn(f"the graph is not saved beside the values: {error}", stacklevel=3)
            return None

    def wait(self) -> None:
        """Wait for a save in the background.

        Raises:
            OSError, DTypeError: what has failed there.
        """
        self._background.wait()

    def _write(
        self,
        snapshot: Snapshot,
        report: SaveReport,
        begin: float,
        state: str | None,
        meta: MetaGraphDef | None,
        suffix: str,
    ) -> None:
        """Write a checkpoint; then the state file; then remove what is not kept."""
        prefix = report.path
        folder = os.path.dirname(prefix) or "."
        remove_abandoned(folder)
        if meta is not None:
            write_message(f"{prefix}.{suffix}", meta)
        write_checkpoint(prefix, snapshot.values, snapshot.progress, self._format)
        if state is not None:
            old = self._retention.add(prefix)
            self._update_state(folder, prefix, state)
            for path in old:
                remove_checkpoint(path, meta_graph_suffix=suffix)
        report.total_seconds = time.perf_counter() - begin

    def _update_state(self, folder: str, prefix: str, name: str) -> None:
        paths, times = zip(*(self._retention.kept or [(prefix, time.time())]), strict=True)
        preserved = self._retention.preserved
        update_checkpoint_state(folder, prefix, paths, name, times, preserved)

    def _prefix(self, sess: Session, save_path: Any, step: Any, latest_filename: str | None) -> str:
        """The prefix of a new checkpoint."""
        if not isinstance(sess, Session):
            raise TypeError(f"sess must be a tf.Session, not {sess!r}")
        path = str(os.fspath(save_path))
        name = os.path.basename(path)
        if not name:
            raise InvalidArgumentError(
                f"save_path is the folder {path!r}, without a name for files"
            )
        if latest_filename is not None and os.path.basename(latest_filename) != latest_filename:
            raise InvalidArgumentError(
                f"latest_filename must be a name without a folder, not {latest_filename!r}"
            )
        if step is None:
            if name == (latest_filename or "checkpoint"):
                raise InvalidArgumentError(f"save_path {path!r} is the name of the state file")
            return path
        number = _step_number(sess, step)
        return f"{path}-{number:0{_PADDED_DIGITS}d}" if self._pad else f"{path}-{number}"

    def _of_graph(self, graph: Graph) -> dict[str, Variable]:
        """The variables by name, all of them of a session's graph."""
        self.build()
        variables = self._variables or {}
        for name, variable in variables.items():
            if variable.graph is not graph:
                raise InvalidArgumentError(
                    f"the session is of another graph than the variable {name!r}\n"
                    f"  {name!r} was made at {variable.op.source}"
                )
        return variables

    # -- restoring

    def restore(self, sess: Session, save_path: str | os.PathLike[str] | None) -> None:
        """Set the variables to the values of a checkpoint: all of them or, if one fails, none.

        A saver of all global variables restores the session's progress as well, if the checkpoint
        has it: later runs then draw the random numbers, and `run_steps` takes the mini-batches,
        that they would have if the session that was saved had gone on.

        Args:
            sess: gets the values. Nothing needs to be initialised before.
            save_path: what `save` has returned; or one of the checkpoint's files; or a folder, of
                which the latest checkpoint is taken; or any safetensors file.

        Raises:
            ValueError: if save_path is None.
            NotFoundError: if there is no such checkpoint, or it lacks a variable.
            InvalidArgumentError: if a variable has another shape or dtype there.
            DataLossError: if it is damaged.
            UnimplementedError: if it is in a format that is not known here.
        """
        self.wait()
        if save_path is None:
            raise InvalidArgumentError("Can't load save_path when it is None.")
        variables = self._of_graph(sess.graph)
        tensors = open_checkpoint(save_path)
        progress = _progress(tensors.metadata, sess.graph, variables.values())
        sess.restore(matched(variables, tensors, self._reshape), progress)

    # -- which checkpoints there are

    @property
    def last_checkpoints(self) -> list[str]:
        """The prefixes of the checkpoints that it has written and not removed, the oldest first."""
        return [path for path, _ in self._retention.kept]

    def set_last_checkpoints(self, last_checkpoints: Iterable[str]) -> None:
        """Say which checkpoints there are, the oldest first; written just now, as it were."""
        self.set_last_checkpoints_with_time([(path, time.time()) for path in last_checkpoints])

    def set_last_checkpoints_with_time(
        self, last_checkpoints_with_time: Iterable[tuple[str, float]]
    ) -> None:
        """Say which checkpoints there are, the oldest first, and when each was written."""
        self._retention.kept = list(last_checkpoints_with_time)

    def recover_last_checkpoints(self, checkpoint_paths: Iterable[str]) -> None:
        """Take over the checkpoints of an earlier process, as far as they are there."""
        self._retention.recover(checkpoint_paths)

    def __repr__(self) -> str:
        count = "no" if self._variables is None else len(self._variables)
        return f"<tf.train.Saver of {count} variables, {self._format}>"


def _check_format(format: str, version: int) -> None:
    if format not in FORMATS:
        raise InvalidArgumentError(f"format must be one of {', '.join(FORMATS)}, not {format!r}")
    if version == SaverDef.V1:
        raise UnimplementedError("checkpoints are not written in version 1: take SaverDef.V2")


def _by_name(given: Any) -> dict[str, Variable]:
    """The variables that a saver is given, by what they are called in checkpoints."""
    if given is None:
        given = default_graph().get_collection(GraphKeys.GLOBAL_VARIABLES)
    pairs = given.items() if isinstance(given, Mapping) else [(_name(one), one) for one in given]
    found: dict[str, Variable] = {}
    for name, variable in pairs:
        if not isinstance(variable, Variable):
            raise TypeError(f"a saver saves variables, not {variable!r}")
        if found.setdefault(name, variable) is not variable:
            raise ValueError(
                f"At least two variables have the same name: {name}\n"
                f"  one was made at {found[name].op.source}\n"
                f"  the other was made at {variable.op.source}"
            )
    return found


def _name(variable: Any) -> str:
    return variable.op.name if isinstance(variable, Variable) else ""


def _step_number(sess: Session, step: Any) -> int:
    value: Any = step
    if isinstance(step, Variable):  # read without a run, which would count
        with sess.reading([step]) as now:
            value = now.values[step.op.name]
    elif isinstance(step, Tensor):
        value = sess.run(step)
    try:
        return int(value)
    except (TypeError, ValueError):
        raise TypeError(f"global_step must be an integer or a variable, not {step!r}") from None


def _progress(
    metadata: Mapping[str, str], graph: Graph, restored: Iterable[Variable]
) -> Progress | None:
    """The progress that a checkpoint has, if all that it goes with is restored."""
    every = graph.get_collection(GraphKeys.GLOBAL_VARIABLES)
    if MANIFEST_KEY not in metadata or not set(every) <= set(restored):
        return None
    return progress_of(metadata[MANIFEST_KEY])
