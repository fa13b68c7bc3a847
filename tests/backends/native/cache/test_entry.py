"""The format of entries: what is whole and under its own key, and nothing else."""

from __future__ import annotations

import random

import pytest

from thalweg.backends.native.cache.entry import OVERHEAD, seal, unseal

KEY, DATA = "plan_1", b"data" * 50


def test_what_was_sealed() -> None:
    assert unseal(KEY, seal(KEY, DATA)) == DATA
    assert unseal(KEY, seal(KEY, b"")) == b""
    assert len(seal(KEY, DATA)) == OVERHEAD + len(KEY) + len(DATA)


@pytest.mark.parametrize("key", ["plan_2", "plan_", "plan_11", "code_1", ""])
def test_another_key(key: str) -> None:
    assert unseal(key, seal(KEY, DATA)) is None


def test_every_bit_and_every_length_counts() -> None:
    content = seal(KEY, DATA)
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        assert unseal(KEY, bytes(damaged)) is None
    for length in range(len(content)):
        assert unseal(KEY, content[:length]) is None
    assert unseal(KEY, content + b"\0") is None


def test_ten_thousand_mutations() -> None:
    chooser, content = random.Random(0), seal(KEY, DATA)
    for _ in range(10_000):
        damaged = bytearray(content)
        a, b = sorted(chooser.sample(range(len(content)), 2))
        match chooser.randrange(4):
            case 0:
                damaged[a:b] = chooser.randbytes(b - a)
            case 1:
                damaged[a:b] = bytes(b - a)
            case 2:
                damaged[a:b] = damaged[a:b] * 2
            case 3:
                del damaged[a:b]
        assert bytes(damaged) == content or unseal(KEY, bytes(damaged)) is None
