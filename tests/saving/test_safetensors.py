"""Files in the safetensors format, beside the format's own library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import thalweg as tf
from thalweg.saving.safetensors import read_tensors, write_tensors

TYPES = ["bool", "uint8", "int8", "uint16", "int16", "float16", "uint32", "int32", "float32"]
TYPES += ["uint64", "int64", "float64", "complex64"]
EVERY = [np.dtype(name) for name in TYPES] + [
    np.dtype(kind) for kind in (ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2)
]


def same(a: Any, b: Any) -> bool:
    return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())


def raw(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize("dtype", EVERY[:-2], ids=str)
@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (4, 5, 6)])
def test_every_dtype_there_and_back(tmp_path: Path, dtype: Any, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).integers(0, 2, (2, *shape)).astype(dtype)
    path = tmp_path / "file.safetensors"
    write_tensors(path, {"a/b:0": values[0], "c": values[1]}, {"key": "value"})
    ours = read_tensors(path)
    assert list(ours.metadata.items()) == [("key", "value")]
    assert same(ours["a/b:0"], values[0])
    assert same(ours["c"], values[1])
    assert not ours["c"].flags.writeable
    if dtype.name not in ("bfloat16", "complex64"):
        theirs = safetensors.numpy.load_file(path)
        assert same(theirs["a/b:0"], values[0])
        assert same(theirs["c"], values[1])


@pytest.mark.parametrize("dtype", EVERY, ids=str)
def test_files_of_the_library_are_read(tmp_path: Path, dtype: Any) -> None:
    values = np.arange(6).reshape(2, 3).astype(dtype)
    path = tmp_path / "file.safetensors"
    safetensors.numpy.save_file({"x": values, "empty": values[:0]}, path, {"key": "value"})
    read = read_tensors(path)
    assert same(read["x"], values)
    assert read["empty"].shape == (0, 3)
    assert read.metadata == {"key": "value"}
    assert not read.is_checked


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), max_size=8).filter(lambda n: n != "__metadata__"),
        arrays.arrays(st.sampled_from([np.dtype(t) for t in TYPES[:-1]]), arrays.array_shapes()),
        max_size=4,
    )
)
def test_any_tensors_there_and_back(tmp_path_factory: Any, tensors: dict[str, Any]) -> None:
    path = tmp_path_factory.mktemp("any") / "file"
    write_tensors(path, tensors)
    for read in (read_tensors(path), safetensors.numpy.load_file(path)):
        assert read.keys() == tensors.keys()
        assert all(same(read[name], tensors[name]) for name in tensors)


def test_strings(tmp_path: Path) -> None:
    words = np.array([["a", ""], ["ü", b"\xff\0"]], object)
    write_tensors(tmp_path / "file", {"words": words, "none": np.empty((0, 2), object), "x": "one"})
    read = read_tensors(tmp_path / "file")
    assert read["words"].tolist() == [[b"a", b""], ["ü".encode(), b"\xff\0"]]
    assert read["none"].shape == (0, 2)
    assert read["x"].item() == b"one"
    assert read.stored["words"].dtype == object
    assert safetensors.numpy.load_file(tmp_path / "file")["words"].dtype == np.uint8


def test_what_other_orders_of_memory_hold(tmp_path: Path) -> None:
    array = np.arange(6, dtype=">i4").reshape(2, 3).T
    write_tensors(tmp_path / "file", {"x": array})
    assert read_tensors(tmp_path / "file")["x"].tolist() == array.tolist()


def test_a_type_without_a_name(tmp_path: Path) -> None:
    with pytest.raises(tf.errors.DTypeError, match="'z' is complex128, which safetensors"):
        write_tensors(tmp_path / "file", {"z": np.zeros(2, complex)})
    assert not list(tmp_path.iterdir())


def test_unknown_names_name_the_nearest(tmp_path: Path) -> None:
    write_tensors(tmp_path / "file", {"layer/weights": 1.0, "layer/biases": 1.0})
    read = read_tensors(tmp_path / "file")
    with pytest.raises(
        tf.errors.NotFoundError, match=r"no tensor 'layer/weigths'.*'layer/weights'"
    ):
        read["layer/weigths"]
    assert read.get("other") is None


EMPTY = json.dumps(entry("U8", [0], 0, 0)).encode()
MALFORMED = {
    "empty": b"",
    "short": b"abc",
    "no header": (0).to_bytes(8, "little"),
    "header beyond the file": (1000).to_bytes(8, "little") + b"{}",
    "header beyond all bounds": (2**63).to_bytes(8, "little") + b"{}",
    "no object": raw(b"[]"),
    "cut off": raw(b'{"a":{"dtype":"U8","shape":[1],"data'),
    "no JSON": raw(b"{a}"),
    "bytes after the header": raw(b"{} x"),
    "other padding": raw(b"{}\n"),
    "not UTF-8": raw(b'{"\xff":%b}' % EMPTY),
    "half a surrogate pair": raw(b'{"\\ud800":%b}' % EMPTY),
    "a duplicate": raw(b'{"a":%b,"a":%b}' % (EMPTY, EMPTY)),
    "a duplicate key": raw(b'{"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}}'),
    "an unknown key": raw({"a": {**entry("U8", [1], 0, 1), "more": 1}}, b"x"),
    "a missing key": raw({"a": {"dtype": "U8", "shape": [0]}}),
    "a hole": raw({"a": entry("U8", [1], 1, 2)}, b"xx"),
    "an overlap": raw({"a": entry("U8", [2], 0, 2), "b": entry("U8", [2], 1, 3)}, b"xxx"),
    "a tail": raw({"a": entry("U8", [1], 0, 1)}, b"xx"),
    "too few bytes": raw({"a": entry("F32", [2], 0, 4)}, b"xxxx"),
    "beyond the end": raw({"a": entry("U8", [9], 0, 9)}, b"xx"),
    "backwards": raw({"a": entry("U8", [1], 1, 0)}, b"x"),
    "a product that overflows": raw({"a": entry("F32", [2**62, 4], 0, 0)}),
    "a negative extent": raw({"a": entry("U8", [-1], 0, 0)}),
    "an extent that is no integer": raw({"a": entry("U8", [1.0], 0, 1)}, b"x"),  # type: ignore[list-item]
    "an extent that is True": raw({"a": entry("U8", [True], 0, 1)}, b"x"),
    "too many axes": raw({"a": entry("U8", [1] * 65, 0, 1)}, b"x"),
    "lists of lists": raw(b'{"a":' + b"[" * 100_000),
    "a long number": raw(b'{"a":{"dtype":"U8","shape":[%s],"data_offsets":[0,0]}}' % (b"9" * 4000)),
    "metadata that are no strings": raw({"__metadata__": {"a": 1}}),
    "metadata twice": raw(b'{"__metadata__":{},"__metadata__":{}}'),
}  # fmt: skip


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_files(tmp_path: Path, case: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(MALFORMED[case])
    with pytest.raises(tf.errors.DataLossError, match="not a whole safetensors file"):
        read_tensors(path)


def test_types_that_are_not_known(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(raw({"a": entry("F4", [2], 0, 1)}, b"x"))
    with pytest.raises(tf.errors.UnimplementedError, match="the element type 'F4'"):
        read_tensors(tmp_path / "file")


def test_every_bit_counts(tmp_path: Path) -> None:
    """A file of ours with any one bit changed is refused: its header, or a tensor."""
    path, values = tmp_path / "file", {"a": np.arange(3, dtype=np.float32), "b": np.array(b"word")}
    write_tensors(path, values, {"key": "value"})
    whole = path.read_bytes()
    for place in range(0, 8 * len(whole), 5):
        data = bytearray(whole)
        data[place // 8] ^= 1 << place % 8
        path.write_bytes(data)
        with pytest.raises(tf.errors.DataLossError):
            dict(read_tensors(path))
