"""Damaged event files and TFRecord files: `python -m tests.summary.mutations --count 10000`.

A file is right up to some record, or an error. With `--checked` the checksums of a damaged file are
corrected, so that the messages themselves are read.
"""

from __future__ import annotations

import argparse
import random
import struct
import sys
import tempfile
import tracemalloc
from functools import cache
from pathlib import Path

import numpy as np

import thalweg as tf
from thalweg.base.errors import ThalwegError
from thalweg.saving.records import framed

OVERHEAD = 1 << 20  # bytes that a reader may take beside those of the file
PER_BYTE = 200  # bytes of memory for one of a message: an object for an empty one of two bytes


def event_file(folder: Path) -> bytes:
    """An event file with every kind of event."""
    with tf.Graph().as_default() as graph, tf.Session() as session:
        tf.summary.scalar("a", tf.constant(1.0))
        tf.summary.histogram("h", tf.constant(np.arange(20.0)))
        tf.summary.image("i", tf.zeros([1, 3, 3, 1]))
        tf.summary.text("t", tf.constant(["x", "y"]))
        with tf.summary.FileWriter(folder, graph) as writer:
            for step in range(4):
                writer.add_summary(session.run(tf.summary.merge_all()), step)
            writer.add_run_metadata(tf.RunMetadata(), "m")
            writer.add_session_log(tf.SessionLog(status=1, msg="text"))
    (path,) = folder.glob("*tfevents*")
    return path.read_bytes()


def records_of(data: bytes) -> list[bytes]:
    """The records of a file that is whole."""
    found, at = [], 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        found.append(data[at + 12 : at + 12 + length])
        at += 16 + length
    return found


def mutated(data: bytes, r: random.Random) -> bytes:
    """Some bytes with bits flipped, a part cut out, doubled, overwritten, or the end cut off."""
    made = bytearray(data)
    for _ in range(r.choice([1, 1, 1, 2, 8])):
        at = r.randrange(len(made) + 1)
        size = min(r.choice([1, 4, 8, 50]), len(made) - at)
        match r.randrange(6):
            case 0 if at < len(made):
                made[at] ^= 1 << r.randrange(8)
            case 1:
                del made[at : at + size]
            case 2:
                made[at:at] = made[at : at + size]
            case 3:
                made[at : at + size] = r.randbytes(size)
            case 4:
                made[at : at + size] = b"\xff" * size
            case 5:
                del made[at:]
    return bytes(made)


def read(path: Path, as_events: bool) -> tuple[list[bytes], str]:
    """The records, or the events, up to an error of ours, and that error.

    Raises:
        AssertionError: if reading takes too much memory.
    """
    found: list[bytes] = []
    problem = ""
    tracemalloc.start()
    try:
        if as_events:
            found.extend(event.SerializeToString() for event in tf.train.summary_iterator(path))
        else:
            found.extend(tf.python_io.tf_record_iterator(path))
    except ThalwegError as error:
        problem = str(error)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    size = path.stat().st_size
    assert peak <= (PER_BYTE if as_events else 3) * size + OVERHEAD, f"{peak} bytes for {size}"
    return found, problem


def check(folder: Path, data: bytes, seed: int, checked: bool) -> bool:
    """Read a damaged file; whether that ended in an error.

    Raises:
        AssertionError: if what was read is wrong.
    """
    r, path, records = random.Random(seed), folder / "damaged", records_of(data)
    if checked:
        place = r.randrange(len(records))
        record = mutated(records[place], r)
        path.write_bytes(b"".join(map(framed, [*records[:place], record, *records[place + 1 :]])))
        found, problem = read(path, as_events=True)
        assert found[:place] == [
            tf.Event.FromString(x).SerializeToString() for x in records[:place]
        ]
        return bool(problem)
    path.write_bytes(mutated(data, r))
    found, problem = read(path, as_events=False)
    # A part that was doubled or cut out may have been whole records; nothing else passes.
    assert set(found) <= set(records), f"seed {seed}: a record that was never written"
    return bool(problem)


@cache
def _in_order(record: bytes) -> bytes:
    """An event with its fields in the order of their numbers."""
    return tf.Event.FromString(record).SerializeToString()


def run(count: int, seed: int, checked: bool) -> int:
    """Read many damaged files; how many of them ended in an error."""
    with tempfile.TemporaryDirectory() as place:
        data = event_file(Path(place))
        return sum(check(Path(place), data, n, checked) for n in range(seed, seed + count))


def main() -> int:
    """Read many damaged files; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for checked in (False, True):
        errors = run(arguments.count, arguments.seed, checked)
        kind = "messages" if checked else "files"
        print(f"{arguments.count:,} damaged {kind}: {errors:,} are errors, the others are right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
