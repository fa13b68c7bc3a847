"""Files of records: written and read, and damaged."""

from __future__ import annotations

import contextlib
import gzip
import random
import struct
from pathlib import Path

import pytest

import thalweg as tf
from thalweg.base.errors import DataLossError, InvalidArgumentError, NotFoundError, ThalwegError
from thalweg.saving.crc32c import masked_crc32c
from thalweg.saving.records import framed

RECORDS = [b"", b"one", bytes(range(256)) * 20]


def written(path: Path, options: object = None) -> Path:
    with tf.python_io.TFRecordWriter(path, options) as writer:
        for record in RECORDS:
            writer.write(record)
            writer.flush()
    return path


def test_tensorboard_reads_records(tmp_path: Path) -> None:
    reader = pytest.importorskip("tensorboard.compat.tensorflow_stub.pywrap_tensorflow")
    records = reader.PyRecordReader_New(str(written(tmp_path / "a")))
    for record in RECORDS:
        records.GetNext()
        assert records.record() == record


@pytest.mark.parametrize("kind", ["", "ZLIB", "GZIP"])
def test_records_come_back(tmp_path: Path, kind: str) -> None:
    options = tf.python_io.TFRecordOptions(kind)
    path = written(tmp_path / "a.tfrecords", options)
    assert list(tf.python_io.tf_record_iterator(path, options)) == RECORDS


def test_compression_types_have_numbers(tmp_path: Path) -> None:
    kinds = tf.python_io.TFRecordCompressionType
    path = written(tmp_path / "a", tf.python_io.TFRecordOptions(kinds.GZIP))
    assert gzip.decompress(path.read_bytes()) == b"".join(map(framed, RECORDS))
    with pytest.raises(InvalidArgumentError, match="compressed by ZLIB or GZIP, not 'LZ4'"):
        tf.python_io.TFRecordWriter(tmp_path / "b", "LZ4")


def test_gzip_members_one_after_the_other_are_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"".join(gzip.compress(framed(record)) for record in RECORDS))
    assert list(tf.python_io.tf_record_iterator(path, "GZIP")) == RECORDS


def test_misuse_is_an_error(tmp_path: Path) -> None:
    writer = tf.python_io.TFRecordWriter(tmp_path / "a")
    with pytest.raises(InvalidArgumentError, match="a record is bytes, not str"):
        writer.write("text")  # type: ignore[arg-type]
    writer.close()
    writer.close()
    with pytest.raises(tf.errors.FailedPreconditionError, match="closed"):
        writer.write(b"")
    with pytest.raises(NotFoundError, match="No such file"):
        list(tf.python_io.tf_record_iterator(tmp_path / "none"))


def test_a_length_is_not_believed(tmp_path: Path) -> None:
    """A record that claims to be 2^60 bytes long takes no more memory than the file has."""
    length = struct.pack("<Q", 1 << 60)
    path = tmp_path / "a"
    path.write_bytes(length + struct.pack("<I", masked_crc32c(length)) + b"x" * 100)
    with pytest.raises(DataLossError, match="the record at byte 0 is cut off"):
        list(tf.python_io.tf_record_iterator(path))


@pytest.mark.parametrize("kind", ["", "ZLIB", "GZIP"])
def test_files_that_are_cut_off(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path / "a", kind)
    data = path.read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        found: list[bytes] = []
        with contextlib.suppress(ThalwegError):
            found.extend(tf.python_io.tf_record_iterator(path, kind))
        assert found == RECORDS[: len(found)]


@pytest.mark.parametrize("kind", ["", "ZLIB", "GZIP"])
def test_files_with_a_wrong_bit(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path / "a", kind)
    data, r = path.read_bytes(), random.Random(1)
    for _ in range(100):
        bit = r.randrange(8 * len(data))
        wrong = bytearray(data)
        wrong[bit // 8] ^= 1 << bit % 8
        path.write_bytes(wrong)
        found: list[bytes] = []
        try:
            found.extend(tf.python_io.tf_record_iterator(path, kind))
        except DataLossError:
            pass
        else:
            assert kind  # a checksum of gzip itself is not read, nor the name of a system
        assert found == RECORDS[: len(found)]
