"""The file that says which checkpoints a folder has: `checkpoint`, in TensorFlow's format.

Paths in it are relative to its folder, so that the folder can be moved. What others have written
with absolute paths is looked for beside the file when it is not where it was.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from thalweg.base.errors import DataLossError, NotFoundError
from thalweg.base.record import Record
from thalweg.saving.files import read_whole, write_atomically
from thalweg.saving.formats import is_checkpoint, is_whole
from thalweg.saving.text_proto import fields, line

__all__ = [
    "CheckpointState",
    "generate_checkpoint_state_proto",
    "get_checkpoint_state",
    "latest_checkpoint",
    "update_checkpoint_state",
]

_NAME = "checkpoint"
_MOST_BYTES = 1 << 20  # ten thousand checkpoints


class CheckpointState(Record, frozen=False):
    """Which checkpoints a folder has; the fields are those of TensorFlow's protocol buffer.

    Attributes:
        model_checkpoint_path: the latest checkpoint.
        all_model_checkpoint_paths: all that are kept, the oldest first.
        all_model_checkpoint_timestamps: when each was saved, in seconds since 1970.
        last_preserved_timestamp: when the latest was saved that is kept for good.
    """

    model_checkpoint_path: str = ""
    all_model_checkpoint_paths: Sequence[str] = ()
    all_model_checkpoint_timestamps: Sequence[float] = ()
    last_preserved_timestamp: float = 0.0


def get_checkpoint_state(
    checkpoint_dir: str | os.PathLike[str], latest_filename: str | None = None
) -> CheckpointState | None:
    """What the state file of a folder says, with paths that begin with the folder's.

    Args:
        checkpoint_dir: the folder.
        latest_filename: the name of the state file, if it is not "checkpoint".

    Returns:
        None if there is no state file, or it names no checkpoint.

    Raises:
        DataLossError: if the file is malformed.
    """
    folder = os.fspath(checkpoint_dir)
    try:
        text = read_whole(_state_path(folder, latest_filename), _MOST_BYTES)
    except NotFoundError:
        return None
    try:
        state = _parsed(text.decode("utf-8", "surrogateescape"))
    except (DataLossError, ValueError) as error:
        raise DataLossError(
            f"{_state_path(folder, latest_filename)!r} is no checkpoint state: {error}"
        ) from None
    if not state.model_checkpoint_path:
        return None
    state.model_checkpoint_path = _found(folder, state.model_checkpoint_path)
    state.all_model_checkpoint_paths = [_found(folder, p) for p in state.all_model_checkpoint_paths]
    return state


def latest_checkpoint(
    checkpoint_dir: str | os.PathLike[str], latest_filename: str | None = None
) -> str | None:
    """The latest checkpoint of a folder that is whole, for `Saver.restore`.

    Where the state file names one that is gone or damaged, this is the latest before it.

    Returns:
        its prefix, such as "folder/model.ckpt-1000"; None if there is no state file, or none of the
        checkpoints that it names is whole.

    Raises:
        DataLossError: if the state file is malformed.
    """
    state = get_checkpoint_state(checkpoint_dir, latest_filename)
    if state is None:
        return None
    named = [*state.all_model_checkpoint_paths, state.model_checkpoint_path]
    return next((path for path in reversed(named) if is_whole(path)), None)


def generate_checkpoint_state_proto(
    save_dir: str | os.PathLike[str],
    model_checkpoint_path: str,
    all_model_checkpoint_paths: Iterable[str] | None = None,
    all_model_checkpoint_timestamps: Iterable[float] | None = None,
    last_preserved_timestamp: float | None = None,
) -> CheckpointState:
    """The state for a folder, with paths relative to it.

    Raises:
        ValueError: if there are not as many timestamps as paths.
    """
    paths = list(all_model_checkpoint_paths or ())
    times = list(all_model_checkpoint_timestamps or ())
    if times and len(times) != len(paths):
        raise ValueError(f"there are {len(times)} timestamps for {len(paths)} checkpoints")
    if model_checkpoint_path not in paths:
        paths.append(model_checkpoint_path)
        if times:
            times.append(time.time())
    made = [_relative(os.fspath(save_dir), path) for path in paths]
    latest = _relative(os.fspath(save_dir), model_checkpoint_path)
    return CheckpointState(latest, made, times, last_preserved_timestamp or 0.0)


def update_checkpoint_state(
    save_dir: str | os.PathLike[str],
    model_checkpoint_path: str,
    all_model_checkpoint_paths: Iterable[str] | None = None,
    latest_filename: str | None = None,
    all_model_checkpoint_timestamps: Iterable[float] | None = None,
    last_preserved_timestamp: float | None = None,
) -> None:
    """Write a folder's state file, which is whole or as it was.

    Raises:
        ValueError: if there are not as many timestamps as paths.
        OSError: if the file cannot be written.
    """
    state = generate_checkpoint_state_proto(
        save_dir,
        model_checkpoint_path,
        all_model_checkpoint_paths,
        all_model_checkpoint_timestamps,
        last_preserved_timestamp,
    )
    path = _state_path(os.fspath(save_dir), latest_filename)
    write_atomically(path, lambda file: file.write(_text(state).encode()))


def _state_path(folder: str, latest_filename: str | None) -> str:
    return os.path.join(folder, latest_filename or _NAME)


def _parsed(text: str) -> CheckpointState:
    paths: list[str] = []
    times: list[float] = []
    state = CheckpointState(all_model_checkpoint_paths=paths, all_model_checkpoint_timestamps=times)
    take: dict[str, Callable[[str], Any]] = {
        "model_checkpoint_path": lambda v: setattr(state, "model_checkpoint_path", v),
        "all_model_checkpoint_paths": paths.append,
        "all_model_checkpoint_timestamps": lambda v: times.append(float(v)),
        "last_preserved_timestamp": lambda v: setattr(state, "last_preserved_timestamp", float(v)),
    }
    for key, value in fields(text):
        if key not in take:
            raise DataLossError(f"it has a field {key!r}")
        take[key](value)
    return state


def _text(state: CheckpointState) -> str:
    lines = [line("model_checkpoint_path", state.model_checkpoint_path)]
    lines += [line("all_model_checkpoint_paths", p) for p in state.all_model_checkpoint_paths]
    times = state.all_model_checkpoint_timestamps
    lines += [line("all_model_checkpoint_timestamps", float(t)) for t in times]
    if state.last_preserved_timestamp:
        lines.append(line("last_preserved_timestamp", float(state.last_preserved_timestamp)))
    return "".join(lines)


def _relative(folder: str, path: str) -> str:
    """A path as the state file of a folder has it; a relative one is of the working directory."""
    return os.path.relpath(os.path.abspath(path), os.path.abspath(folder))


def _found(folder: str, path: str) -> str:
    """A path of a state file, for whoever is not in its folder."""
    if not os.path.isabs(path):
        return os.path.join(folder, path)
    beside = os.path.join(folder, os.path.basename(path))
    return beside if not is_checkpoint(path) and is_checkpoint(beside) else path
