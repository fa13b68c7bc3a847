"""The checksum, against published values, its definition and other code paths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.backends.native.llvm.jit import Jit
from thalweg.backends.native.llvm.target import Target
from thalweg.backends.native.shared import shared_jit
from thalweg.saving import crc32c as module
from thalweg.saving.crc32c import crc32c, masked_crc32c

# RFC 3720 (iSCSI), appendix B.4, and the customary check value.
PUBLISHED = [
    (b"123456789", 0xE3069283),
    (bytes(32), 0x8A9136AA),
    (b"\xff" * 32, 0x62A8AB43),
    (bytes(range(32)), 0x46DD794E),
    (bytes(range(31, -1, -1)), 0x113FDB5C),
    (b"", 0),
]


def bit_by_bit(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@pytest.mark.parametrize(("data", "value"), PUBLISHED)
def test_published_values(data: bytes, value: int) -> None:
    assert crc32c(data) == value == bit_by_bit(data)


def test_the_mask_is_that_of_tensorflow() -> None:
    # The first record of an event file, of 24 bytes, begins so; TensorFlow wrote the checksum.
    assert masked_crc32c((24).to_bytes(8, "little")) == 0x224B7FA3


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_any_bytes_in_any_pieces(first: bytes, second: bytes) -> None:
    assert crc32c(second, crc32c(first)) == crc32c(first + second) == bit_by_bit(first + second)


@pytest.mark.parametrize("extra", [0, 1, 7, 8, 23, 25])
def test_three_parts_make_the_same_sum_as_one(extra: int) -> None:
    data = np.random.default_rng(extra).bytes(module._LONG + extra)
    half = len(data) // 2  # too short to be cut
    assert crc32c(data) == crc32c(data[half:], crc32c(data[:half]))


def test_processors_without_the_instruction() -> None:
    if shared_jit().target.architecture != "x86_64":
        pytest.skip("the levels are those of x86-64")
    code = module._Code(Jit(Target.host().restricted("x86-64")))
    for data, value in PUBLISHED:
        assert module._checksum(code, data, 0xFFFFFFFF) ^ 0xFFFFFFFF == value
    data = np.random.default_rng(0).bytes(module._LONG + 5)
    assert module._checksum(code, data, 0) == module._checksum(module._shared_code(), data, 0)


def test_arrays_and_views() -> None:
    array = np.arange(1000, dtype=np.float32).reshape(10, 100)
    assert crc32c(array) == crc32c(array.tobytes()) == crc32c(memoryview(array.tobytes()))
    with pytest.raises(ValueError, match="contiguous"):
        crc32c(array[:, ::2])
