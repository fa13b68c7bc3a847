"""Keys of slices lie in the order of what they are the keys of, so that a table can be searched."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as some

from thalweg.saving.bundle.entries import Slice
from thalweg.saving.bundle.ordered_code import slice_key

NUMBERS = some.integers(-(1 << 63), (1 << 63) - 1) | some.integers(-70, 70)


@given(some.lists(NUMBERS, min_size=2, unique=True))
def test_keys_are_in_the_order_of_where_slices_begin(starts: list[int]) -> None:
    keys = [slice_key("v", Slice(((start, 1),))) for start in sorted(starts)]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


@given(some.lists(some.text(max_size=5) | some.sampled_from(["a", "a\0", "a\0\xff"]), unique=True))
def test_keys_are_in_the_order_of_names(names: list[str]) -> None:
    ordered = sorted(names, key=str.encode)
    keys = [slice_key(name, Slice(((0, 1),))) for name in ordered]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def test_a_short_number_is_one_byte_with_a_bit_for_its_sign() -> None:
    """Less than 64, either way: the bit above the six is set for those of 0 and more."""
    for number in (-64, -1, 0, 1, 63):
        key = slice_key("", Slice(((number, 0),)))
        # no number before the name; its end; one axis, in one byte; where it begins; its length
        assert (
            key == b"\0" + b"\0\x01" + b"\x01\x01" + struct.pack("B", number + 128 & 255) + b"\x80"
        )
