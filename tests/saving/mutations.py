"""Changes files at random, and reads them: an error of ours, or the right values.

    python -m tests.saving.mutations --count 10000 --seed 0 [safetensors|bundle|state]

The readers are those of our safetensors files with their manifest, of other safetensors files, of
tensor bundles and of state files. Each case changes a sound file: bits, bytes, cuts, splices of two
files, or numbers and texts that mean something. Checksums are made right again in half of the
cases, so that what is behind them is reached. A reader may take a second and, beyond a constant,
twice the file's bytes of memory.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

import thalweg as tf
from thalweg.saving.bundle.bundle import BundleFile
from thalweg.saving.bundle.table import read_table, write_table
from thalweg.saving.bundle.write import write_bundle
from thalweg.saving.crc32c import crc32c
from thalweg.saving.manifest import manifest_text, progress_of
from thalweg.saving.safetensors import _SEALED, read_tensors, write_tensors
from thalweg.session.progress import LoopPosition, Progress

MOST_SECONDS = 1.0  # of this process's time
MOST_BYTES = 8 << 20  # beyond twice the file's
MEANINGFUL = [b"0", b"-1", b"1e9", b"9" * 30, b"null", b"[]", b"{}", b'"', b"\\u0000", b"\0" * 8]
MEANINGFUL += [
    b"\xff" * 8,
    (2**31).to_bytes(8, "little"),
    (2**63).to_bytes(8, "little"),
    b"[" * 500,
]
MEANINGFUL += [b'"F64"', b'"I8"', b"[0,0]", b"data_offsets", b"__metadata__", b"[" * 500]

VALUES: dict[str, Any] = {
    "a/weights": np.arange(12, dtype=np.float32).reshape(3, 4),
    "b": np.arange(5, dtype=np.int64),
    "words": np.array([b"one", b"", b"three"], object),
    "empty": np.zeros((0, 2), np.float16),
}
OTHERS = {"other": np.ones(300, np.int16)}
PROGRESS = Progress(1234, LoopPosition(7, 5, 60_000, 50, True))


class Wrong(Exception):  # noqa: N818  a finding, and no error of the program
    """A reader that took what it should not."""


class Format:
    """A reader, and what is right.

    Args:
        folder: for files.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "file"
        self.sound = self.write()

    def write(self) -> list[bytes]:
        """The contents of a few sound files."""
        raise NotImplementedError

    def repaired(self, data: bytes) -> bytes:
        """The same with checksums that are right."""
        return data

    def check(self, data: bytes, is_repaired: bool) -> None:
        """Read a file, and compare what it has.

        Raises:
            Wrong: if it is something else than what was written.
        """
        raise NotImplementedError


class Ours(Format):
    """Our safetensors files, with a manifest."""

    def write(self) -> list[bytes]:
        write_tensors(self.path, VALUES, {"thalweg.checkpoint": manifest_text(PROGRESS)})
        first = self.path.read_bytes()
        write_tensors(self.path, OTHERS)
        return [first, self.path.read_bytes()]

    def repaired(self, data: bytes) -> bytes:
        start = 8 + len(_SEALED)
        end = 8 + int.from_bytes(data[:8], "little")
        if data[8:start] != _SEALED or end > len(data):
            return data
        header = data[8:start] + b"0" * 8 + data[start + 8 : end]
        return data[:start] + f"{crc32c(header):08x}".encode() + data[start + 8 :]

    def check(self, data: bytes, is_repaired: bool) -> None:
        self.path.write_bytes(data)
        read = read_tensors(self.path)
        values = dict(read)
        text = read.metadata.get("thalweg.checkpoint")
        progress = progress_of(text) if text is not None else None
        if not is_repaired and not _right(values) and not _right(values, OTHERS):
            raise Wrong(f"{values}")
        if not is_repaired and text is not None and progress != PROGRESS:
            raise Wrong(f"{progress}")


class Theirs(Format):
    """Safetensors files without checksums: what the format's own library reads, or an error."""

    def write(self) -> list[bytes]:
        plain = {name: array for name, array in VALUES.items() if array.dtype != object}
        return [
            safetensors.numpy.save(plain, {"format": "pt"}),
            safetensors.numpy.save({f"n{n}": np.full(n, n, np.uint8) for n in range(20)}),
        ]

    def check(self, data: bytes, is_repaired: bool) -> None:
        self.path.write_bytes(data)
        values = dict(read_tensors(self.path))
        try:
            expected = safetensors.numpy.load_file(self.path)
        except (safetensors.SafetensorError, KeyError) as error:
            raise Wrong(f"the library refuses it: {error}") from None
        if values.keys() != expected.keys():
            raise Wrong(f"{values.keys()} and not {expected.keys()}")
        for name, array in values.items():
            if array.tobytes() != expected[name].tobytes():
                raise Wrong(f"{name}: {array} and not {expected[name]}")


class Index(Format):
    """Indices of tensor bundles."""

    def write(self) -> list[bytes]:
        write_bundle(self.path, {f"x{n}": np.full(n, n, np.int16) for n in range(40)})
        other = Path(f"{self.path}.index").read_bytes()
        write_bundle(self.path, VALUES)
        return [Path(f"{self.path}.index").read_bytes(), other]

    def repaired(self, data: bytes) -> bytes:
        """The entries of a table, as far as they can be read, in a sound one; some are changed."""
        try:
            entries = [(key, bytes(value)) for key, value in read_table(memoryview(data))]
        except tf.errors.OpError:
            entries = []
        if not entries:
            entries = [(k, bytes(v)) for k, v in read_table(memoryview(self.sound[0]))]
        draw = random.Random(data)
        place = draw.randrange(len(entries))
        key, value = entries[place]
        entries[place] = key, mutated(draw, value, [v for _, v in entries])
        return write_table(sorted(entries))

    def check(self, data: bytes, is_repaired: bool) -> None:
        Path(f"{self.path}.index").write_bytes(data)
        values = dict(BundleFile(str(self.path)))
        if not is_repaired and not _right(values):
            raise Wrong(f"{values}")


class Data(Index):
    """Data files of tensor bundles."""

    def write(self) -> list[bytes]:
        super().write()
        return [Path(f"{self.path}.data-00000-of-00001").read_bytes()]

    def repaired(self, data: bytes) -> bytes:
        return data

    def check(self, data: bytes, is_repaired: bool) -> None:
        Path(f"{self.path}.data-00000-of-00001").write_bytes(data)
        values = dict(BundleFile(str(self.path)))
        if not _right(values):
            raise Wrong(f"{values}")


class State(Format):
    """State files: they have no checksum, so whatever is well formed is right."""

    def write(self) -> list[bytes]:
        self.path = self.path.parent / "checkpoint"
        paths = [str(self.path.parent / f"mödel-{n}") for n in range(5)]
        tf.train.update_checkpoint_state(self.path.parent, paths[-1], paths, None, [1.5] * 5)
        absolute = b"".join(b'all_model_checkpoint_paths: "/a/b/model-%d"\n' % n for n in range(3))
        return [self.path.read_bytes(), b'model_checkpoint_path: "/a/b/model"\n' + absolute]

    def check(self, data: bytes, is_repaired: bool) -> None:
        self.path.write_bytes(data)
        state = tf.train.get_checkpoint_state(self.path.parent)
        tf.train.latest_checkpoint(self.path.parent)
        if state is not None and not isinstance(state.model_checkpoint_path, str):
            raise Wrong(f"{state}")


FORMATS: dict[str, list[type[Format]]] = {
    "safetensors": [Ours, Theirs],
    "bundle": [Index, Data],
    "state": [State],
}


def _right(values: dict[str, Any], expected: dict[str, Any] = VALUES) -> bool:
    return _described(values) == _described(expected)


def _described(tensors: dict[str, Any]) -> dict[str, Any]:
    return {n: (a.dtype, a.shape, a.tolist()) for n, a in tensors.items()}


def mutated(draw: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """A change of some bytes; of several kinds in a row sometimes."""
    for _ in range(draw.choice([1, 1, 1, 2, 5])):
        data = draw.choice(CHANGES)(draw, data, others)
    return data


def flip(draw: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """Change some bits."""
    made = bytearray(data)
    for _ in range(draw.choice([1, 1, 2, 8]) if made else 0):
        made[draw.randrange(len(made))] ^= 1 << draw.randrange(8)
    return bytes(made)


def cut(draw: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """Leave the end out."""
    return data[: draw.randrange(len(data) + 1)]


def leave_out(draw: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """Leave something out within."""
    start, end = sorted(draw.randrange(len(data) + 1) for _ in range(2))
    return data[:start] + data[min(end, start + 40) :]


def repeat(draw: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """Repeat something."""
    start, end = sorted(draw.randrange(len(data) + 1) for _ in range(2))
    return data[:end] + data[start:end] * draw.choice([1, 1, 100]) + data[end:]


def splice(draw: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """The begin of one file and the end of another."""
    other = draw.choice(others)
    return data[: draw.randrange(len(data) + 1)] + other[draw.randrange(len(other) + 1) :]


def put(draw: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """Put something that means something somewhere."""
    start = draw.randrange(len(data) + 1)
    word = draw.choice(MEANINGFUL)
    return data[:start] + word + data[start + draw.choice([0, len(word), 1]) :]


def change_number(draw: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """Change a digit: another extent, offset or count."""
    places = [n for n, byte in enumerate(data) if 48 <= byte < 58]
    if not places:
        return data
    place = draw.choice(places)
    return (
        data[:place] + str(draw.randrange(1000)).encode()[: draw.choice([1, 3])] + data[place + 1 :]
    )


CHANGES: list[Callable[[random.Random, bytes, list[bytes]], bytes]] = [
    flip, cut, leave_out, repeat, splice, put, change_number,
]  # fmt: skip


def findings(kinds: list[type[Format]], count: int, seed: int, folder: Path) -> Iterator[str]:
    """What goes wrong in so many cases of each kind."""
    for kind in kinds:
        format = kind(folder)
        format.check(format.sound[0], False)
        for case in range(count):
            draw = random.Random(f"{kind.__name__} {seed} {case}")
            is_repaired = draw.random() < 0.5
            data = mutated(draw, draw.choice(format.sound), format.sound)
            if is_repaired:
                data = format.repaired(data)
            problem = _problem(format, data, is_repaired and data not in format.sound)
            if problem:
                yield f"{kind.__name__} {case}: {problem}"


def _problem(format: Format, data: bytes, is_repaired: bool) -> str:
    begin = time.process_time()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    try:
        format.check(data, is_repaired)
    except tf.errors.OpError:
        pass
    except Wrong as wrong:
        return f"wrong: {str(wrong)[:300]}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:300]}"
    if (seconds := time.process_time() - begin) > MOST_SECONDS:
        return f"it took {seconds:.1f} s"
    used = tracemalloc.get_traced_memory()[1] - before
    if tracemalloc.is_tracing() and used > 2 * len(data) + MOST_BYTES:
        return f"it took {used:,} bytes of memory, for {len(data):,} of the file"
    return ""


def main() -> int:
    """Prints what goes wrong; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.saving.mutations")
    parser.add_argument("format", nargs="*", help=f"of {', '.join(FORMATS)}; all")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    kinds = [kind for name in given.format or FORMATS for kind in FORMATS[name]]
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))  # a bomb ends here, not the machine
    tracemalloc.start()
    with tempfile.TemporaryDirectory() as folder:
        found = 0
        for problem in findings(kinds, given.count, given.seed, Path(folder)):
            found += 1
            print(problem, flush=True)
    print(f"{given.count} files for each of {len(kinds)} readers, {found} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
