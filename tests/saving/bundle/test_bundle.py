"""Tensor bundles, of TensorFlow's making and of ours."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tf
from tests.saving.bundle.samples import described, samples
from thalweg.base.record import replace
from thalweg.saving.bundle import table
from thalweg.saving.bundle.bundle import BundleFile
from thalweg.saving.bundle.entries import BundleEntry, Header, Slice
from thalweg.saving.bundle.ordered_code import slice_key
from thalweg.saving.bundle.table import read_table, write_table
from thalweg.saving.bundle.write import write_bundle
from thalweg.saving.crc32c import masked_crc32c

THEIRS = Path(__file__).parent / "written_by_tensorflow"


def test_every_dtype_that_tensorflow_writes() -> None:
    read = BundleFile(str(THEIRS / "plain"))
    expected = samples()
    assert read.keys() == expected.keys()
    assert all(described(read[name]) == described(expected[name]) for name in expected)


def test_a_checkpoint_of_a_training_program(tmp_path: Path) -> None:
    """With slots, and variables that are partitioned along either axis."""
    expected = np.load(THEIRS / "training.npz")
    read = BundleFile(str(THEIRS / "training-3"))
    assert set(read) == set(expected) >= {"net/table", "wide/wide/Adam_1", "beta1_power"}
    assert len(read._entries["net/table"].slices) == 3
    for name in expected:
        np.testing.assert_array_equal(read[name], expected[name])


def test_it_is_restored_by_the_names_of_its_variables() -> None:
    table = tf.Variable(tf.zeros([7, 2]), name="net/table")
    step = tf.Variable(tf.zeros([], tf.int64), name="global_step")
    with tf.Session() as session:
        tf.train.Saver().restore(session, tf.train.latest_checkpoint(THEIRS))  # it was moved here
        assert session.run(step) == 3
        np.testing.assert_array_equal(
            session.run(table), np.load(THEIRS / "training.npz")["net/table"]
        )


def test_objects_of_tensorflow_2_are_found_by_the_names_of_their_variables() -> None:
    kernel = tf.Variable(tf.zeros([1, 2]), name="dense/kernel")
    bias = tf.Variable(tf.zeros([1]), name="dense/bias")
    with tf.Session() as session:
        tf.train.Saver().restore(session, THEIRS / "objects.index")
        assert session.run(kernel).tolist() == [[1, 2]]
        assert session.run(bias).tolist() == [3]
    assert tf.train.load_checkpoint(THEIRS / "objects").has_tensor("dense/kernel")


def test_there_and_back(tmp_path: Path) -> None:
    values = samples() | {f"many/{n:05d}": np.full(3, n) for n in range(12_000)}
    write_bundle(tmp_path / "ours", values)
    read = BundleFile(str(tmp_path / "ours"))
    assert list(read) == sorted(values, key=str.encode)
    assert (tmp_path / "ours.index").stat().st_size > 1 << 18  # more than a block
    assert all(described(read[name]) == described(values[name]) for name in values)


def test_what_we_write_is_what_tensorflow_writes(tmp_path: Path) -> None:
    """The index byte by byte, but for where each tensor is in the data file."""
    write_bundle(tmp_path / "plain", samples())
    ours, theirs = tmp_path / "plain.index", THEIRS / "plain.index"

    def without_places(path: Path) -> list[Any]:
        (_, header), *entries = read_table(memoryview(path.read_bytes()))
        parsed = [(key, replace(BundleEntry.parsed(value), offset=0)) for key, value in entries]
        return [Header.parsed(header), *parsed]

    assert without_places(ours) == without_places(theirs)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.binary(max_size=20), st.binary(max_size=20)))
def test_tables(content: dict[bytes, bytes]) -> None:
    entries = sorted(content.items())
    read = read_table(memoryview(write_table(entries)))
    assert [(key, bytes(value)) for key, value in read] == entries


@given(st.lists(st.tuples(st.integers(0, 2**62), st.integers(-1, 2**62)), max_size=3))
def test_slices(extents: list[tuple[int, int]]) -> None:
    part = Slice(tuple((0 if length < 0 else start, length) for start, length in extents))
    assert Slice.parsed(memoryview(part.message())) == part


@settings(max_examples=200)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=2))
def test_keys_of_slices_keep_the_order(starts: list[int]) -> None:
    keys = [slice_key("x", Slice(((start, 1),))) for start in starts]
    assert (keys[0] < keys[1]) == (starts[0] < starts[1])


# -- what is not whole


def entry(**change: Any) -> BundleEntry:
    return replace(BundleEntry(1, (2,), size=8, crc=masked_crc32c(bytes(8))), **change)


def put(path: Path, entries: dict[bytes, bytes], data: bytes = bytes(16)) -> str:
    content = {b"": Header(1).message()} | entries
    Path(f"{path}.index").write_bytes(write_table(sorted(content.items())))
    Path(f"{path}.data-00000-of-00001").write_bytes(data)
    return str(path)


PART = entry(shape=(4,), slices=(Slice(((0, 2),)), Slice(((2, 2),))), size=0)
KEYS = [slice_key("x", part) for part in PART.slices]
BOTH = {KEYS[0]: entry().message(), KEYS[1]: entry(offset=8).message()}
OVERLAP = replace(PART, slices=(Slice(((0, 2),)),) * 2)
HOSTILE: dict[str, dict[bytes, bytes]] = {
    "no header": {b"": b""},
    "a header that is no message": {b"": b"\xff"},
    "too many data files": {b"": Header(100_000).message()},
    "an entry that is no message": {b"x": b"\x0a\xff"},
    "an endless number": {b"x": b"\x08" + b"\xff" * 11},
    "another wire type": {b"x": b"\x0b"},
    "a name that is no text": {b"\xff": entry().message()},
    "another data file": {b"x": entry(shard=1).message()},
    "beyond the data": {b"x": entry(offset=9).message()},
    "far beyond the data": {b"x": entry(offset=2**62).message()},
    "a negative place": {b"x": entry(offset=-8).message()},
    "another size": {b"x": entry(size=4).message()},
    "a shape that overflows": {b"x": entry(shape=(2**62, 2**62)).message()},
    "a negative extent": {b"x": entry(shape=(-2,)).message()},
    "too many axes": {b"x": entry(shape=(1,) * 65).message()},
    "two tensors at one place": {b"x": entry().message(), b"y": entry(offset=4).message()},
    "another checksum": {b"x": entry(crc=1).message()},
    "a slice that is missing": {b"x": PART.message(), KEYS[0]: BOTH[KEYS[0]]},
    "a slice of another dtype": {b"x": PART.message(), **BOTH, KEYS[0]: entry(dtype=3).message()},
    "too few slices": {b"x": replace(PART, shape=(2**40,)).message(), **BOTH},
    "slices that overlap": {b"x": OVERLAP.message(), **BOTH},
    "a slice beyond its tensor": {b"x": replace(PART, shape=(3,)).message(), **BOTH},
    "a slice of other axes": {b"x": replace(PART, shape=(2, 2)).message(), **BOTH},
    "a string beyond its bytes": {b"x": entry(dtype=7, shape=()).message()},
    "more strings than bytes": {b"x": entry(dtype=7, shape=(2**40,)).message()},
}


def test_slices_make_the_whole(tmp_path: Path) -> None:
    path = put(tmp_path / "x", {b"x": PART.message(), **BOTH})
    assert BundleFile(path)["x"].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_entries(tmp_path: Path, case: str) -> None:
    path = put(tmp_path / "x", HOSTILE[case])
    with pytest.raises(tf.errors.DataLossError):
        dict(BundleFile(path))


def test_types_that_are_not_known(tmp_path: Path) -> None:
    path = put(tmp_path / "x", {b"x": entry(dtype=21).message(), b"y": entry(offset=8).message()})
    read = BundleFile(path)
    assert read["y"].tolist() == [0, 0]
    with pytest.raises(tf.errors.UnimplementedError, match="element type number 21"):
        read["x"]


TABLE = write_table([(b"a", b"1"), (b"b", b"2")])


def compressed(whole: bytes) -> bytes:
    """The first block said to be in Snappy's format."""
    size = whole.index(struct.pack("<II", 0, 1)) + 8
    block = whole[:size] + b"\1"
    return block + struct.pack("<I", masked_crc32c(block)) + whole[size + 5 :]


BAD_TABLES: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "does not end as an index does"),
    "cut off": (lambda: TABLE[:-1], "does not end as an index does"),
    "another mark": (lambda: TABLE[:-1] + b"x", "does not end as an index does"),
    "only a footer": (lambda: TABLE[-48:], "a block goes beyond the end"),
    "a changed key": (lambda: TABLE.replace(b"a1", b"c1"), "has another checksum"),
    "keys in disorder": (lambda: write_table([(b"b", b""), (b"a", b"")]), "is not in its place"),
    "a key twice": (lambda: write_table([(b"b", b""), (b"b", b"")]), "is not in its place"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_tables_that_are_none(case: str) -> None:
    make, problem = BAD_TABLES[case]
    with pytest.raises(tf.errors.DataLossError, match=problem):
        list(read_table(memoryview(make())))


def test_compressed_tables() -> None:
    with pytest.raises(tf.errors.UnimplementedError, match="its index is compressed"):
        list(read_table(memoryview(compressed(TABLE))))


def test_long_keys_in_few_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each key repeats the one before: what would take a hundred megabytes is refused."""
    base = b"k" * 100_000
    monkeypatch.setattr(table, "_RESTART", 1 << 30)
    monkeypatch.setattr(table, "_common", lambda before, _: len(before) and len(base))
    bomb = write_table([(base + struct.pack(">I", n), b"") for n in range(1000)])
    assert len(bomb) < 1 << 18
    with pytest.raises(tf.errors.DataLossError, match="its keys are longer"):
        list(read_table(memoryview(bomb)))


def test_every_bit_of_an_index_counts(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_bundle(path, {"a": np.arange(3), "b": np.array(b"word", object)})
    for file in (Path(f"{path}.index"), Path(f"{path}.data-00000-of-00001")):
        whole = file.read_bytes()
        for place in range(0, 8 * len(whole), 3):
            data = bytearray(whole)
            data[place // 8] ^= 1 << place % 8
            file.write_bytes(data)
            try:
                read = dict(BundleFile(str(path)))
            except (tf.errors.DataLossError, tf.errors.NotFoundError):
                continue
            # The padding of the footer, and the block that is empty, mean nothing.
            assert read["a"].tolist() == [0, 1, 2]
            assert read["b"].item() == b"word"
        file.write_bytes(whole)
