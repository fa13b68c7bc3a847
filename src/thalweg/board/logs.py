"""What a folder of event files holds, and why nothing of it is shown."""

from __future__ import annotations

import csv
import os
import struct
from collections.abc import Iterator
from typing import IO

from thalweg.base.errors import DataLossError
from thalweg.base.record import Record, field
from thalweg.protos.summaries import Summary
from thalweg.protos.wire import BYTES, FIXED64, VARINT, Value, fields
from thalweg.saving.records import open_records, read_records

__all__ = ["Logs", "Run", "logs"]

PathLike = str | os.PathLike[str]
MARK = "tfevents"  # what the names of event files contain
MOST = 1 << 28  # bytes of a run that are looked at to list its tags
KINDS = {2: "scalar", 4: "image", 5: "histogram", 6: "audio", 8: "tensor"}  # by field
EVENTS = {4: "graph", 8: "run metadata", 9: "graph"}


class Run(Record, frozen=False):
    """What is in the event files of one folder.

    Attributes:
        name: the folder, from the one that was asked for.
        files: the paths of its event files.
        tags: by kind, such as "scalar".
        last_step: the highest step of a summary.
        events: how many there are, but for those that begin a file.
        is_whole: whether all of it was looked at.
        problem: what is wrong with a file; "" if nothing is.
    """

    name: str
    files: list[str]
    tags: dict[str, set[str]] = field(default_factory=dict)
    last_step: int = 0
    events: int = 0
    is_whole: bool = True
    problem: str = ""

    def __str__(self) -> str:
        counts = [f"{len(tags):,} {_plural(kind, len(tags))}" for kind, tags in self.tags.items()]
        lines = [f"{self.name}: {', '.join(counts) or 'nothing yet'}"]
        if self.tags:
            lines[0] += f"; last step {self.last_step:,}"
        if not self.is_whole:
            lines[0] += f" (in its first {MOST >> 20} MB)"
        names = sorted(self.tags.get("scalar", ()))
        lines += [f"  {', '.join(names[:8])}{' ...' if len(names) > 8 else ''}"] if names else []
        return "\n".join([*lines, f"  {self.problem}"] if self.problem else lines)


class Logs(Record):
    """What is in a folder and those in it.

    Attributes:
        folder: the path.
        runs: one for each folder with event files.
        hint: why there is nothing to see; "" if there is something.
    """

    folder: str
    runs: tuple[Run, ...]
    hint: str

    def __str__(self) -> str:
        count = len(self.runs)
        lines = [f"{self.folder}: {count} run{'' if count == 1 else 's'}", *map(str, self.runs)]
        return "\n".join([*lines, self.hint] if self.hint else lines)

    def write_csv(self, file: IO[str]) -> int:
        """Write all scalars: run, tag, step, wall time in seconds since 1970, value.

        Returns:
            how many there are.
        """
        writer, count = csv.writer(file), 0
        writer.writerow(["run", "tag", "step", "wall_time", "value"])
        for run in self.runs:
            for row in _scalars(run):
                writer.writerow([run.name, *row])
                count += 1
        return count


def logs(folder: PathLike) -> Logs:
    """What is in the event files of a folder and of the folders in it.

    A damaged file is read up to the damage, which the run's `problem` names.
    """
    path = os.fspath(folder)
    found = [
        _looked_at(os.path.relpath(where, path), where, files) for where, files in _folders(path)
    ]
    runs = tuple(sorted(found, key=lambda run: run.name))
    return Logs(path, runs, _hint(path, runs))


def _folders(path: str) -> Iterator[tuple[str, list[str]]]:
    """The folders with event files, and these."""
    for where, _, names in os.walk(path, followlinks=True):
        if files := sorted(os.path.join(where, name) for name in names if MARK in name):
            yield where, files


def _looked_at(name: str, where: str, files: list[str]) -> Run:
    run, left = Run(name, files), MOST
    for path in files:
        left = _look_at(path, run, left)
    return run


def _look_at(path: str, run: Run, left: int) -> int:
    """Take note of what a file holds; how many bytes may still be looked at afterwards."""
    try:
        for record in _records(path):
            left -= len(record)
            if left < 0:
                run.is_whole = False
                return left
            _note(record, run)
    except DataLossError as error:
        run.problem = f"damaged: {error}"
    except OSError as error:
        run.problem = f"cannot be read: {path}: {error.strerror}"
    return left


def _records(path: str) -> Iterator[bytes]:
    with open_records(path) as file:
        yield from read_records(file, path, growing=True)


def _note(record: bytes, run: Run) -> None:
    """Take note of an event, without reading what it shows."""
    found = {number: value for number, _, value in fields(memoryview(record))}
    if 3 in found:  # the version, with which a file begins
        return
    run.events += 1
    for number, kind in EVENTS.items():
        if number in found:
            run.tags.setdefault(kind, set()).add(f"{kind}{run.events if number == 8 else ''}")
    if isinstance(summary := found.get(5), memoryview):
        step = found.get(2, 0)
        run.last_step = max(run.last_step, step if isinstance(step, int) else 0)
        for kind, tag in _values(summary):
            run.tags.setdefault(kind, set()).add(tag)


def _values(summary: memoryview) -> Iterator[tuple[str, str]]:
    """The kinds and tags of the values of a summary."""
    for number, wire, value in fields(summary):
        if number != 1 or wire != BYTES:
            continue
        assert isinstance(value, memoryview)
        parts = {n: part for n, _, part in fields(value)}
        kind = next((name for n, name in KINDS.items() if n in parts), "tensor")
        yield _plugin(parts.get(9)) or kind, _text(parts.get(1))


def _plugin(metadata: Value | None) -> str:
    """The plugin that shows a value, in the singular; "" if the value does not say."""
    if not isinstance(metadata, memoryview):
        return ""
    data = next((v for n, w, v in fields(metadata) if (n, w) == (1, BYTES)), None)
    if not isinstance(data, memoryview):
        return ""
    name = next((v for n, w, v in fields(data) if (n, w) == (1, BYTES)), None)
    return _text(name).replace("_", " ").removesuffix("s").replace("pr curve", "PR curve")


def _text(value: Value | None) -> str:
    return bytes(value).decode(errors="replace") if isinstance(value, memoryview) else ""


def _scalars(run: Run) -> Iterator[tuple[str, int, str, str]]:
    """Tag, step, time and value of the scalars of a run, up to what is damaged."""
    for path in run.files:
        try:
            for record in _records(path):
                yield from _scalars_of(record)
        except (DataLossError, OSError):
            continue  # the run's `problem` says so


def _scalars_of(record: bytes) -> Iterator[tuple[str, int, str, str]]:
    found = {(number, wire): value for number, wire, value in fields(memoryview(record))}
    summary, step = found.get((5, BYTES)), found.get((2, VARINT), 0)
    if isinstance(summary, memoryview) and isinstance(step, int):
        (time,) = struct.unpack("<d", found.get((1, FIXED64), bytes(8)))  # type: ignore[arg-type]
        for value in Summary.FromString(bytes(summary)).value:
            if value.HasField("simple_value"):
                yield value.tag, step, f"{time:.6f}", f"{value.simple_value:.9g}"


def _hint(path: str, runs: tuple[Run, ...]) -> str:
    """Why TensorBoard would show nothing; "" if it would show something."""
    if not os.path.isdir(path):
        return f"There is no such folder: {os.path.basename(path)!r}."
    if not runs:
        count = sum(len(files) for _, _, files in os.walk(path))
        above = os.path.dirname(os.path.abspath(path))
        hint = f"Nothing to show: of {count} files here, none has {MARK!r} in its name."
        other = any(MARK in name for name in os.listdir(above))
        return f"{hint} {above} has event files." if other else hint
    if not any(run.tags for run in runs):
        return "Nothing to show yet: the files hold no events. FileWriter.add_summary adds them."
    return ""


def _plural(kind: str, count: int) -> str:
    has_no_plural, has_no_singular = kind in ("audio", "run metadata"), kind == "hparam"
    return kind if has_no_plural or (count == 1 and not has_no_singular) else f"{kind}s"
