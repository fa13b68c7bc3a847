from __future__ import annotations

import numpy as np
import pytest

from tests.backends.native.llvm.loop_kernel import compile_loop, host_is_x86
from thalweg.backends.native.llvm.philox import philox4x32
from thalweg.backends.native.llvm.ssa import SsaValue

# Random123's known answers: counter, key, result.
KNOWN = [
    (
        (0, 0, 0, 0),
        (0, 0),
        (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8),
    ),
    (
        (0xFFFFFFFF,) * 4,
        (0xFFFFFFFF,) * 2,
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def emit(
    c0: SsaValue, c1: SsaValue, c2: SsaValue, c3: SsaValue, k0: SsaValue, k1: SsaValue
) -> tuple[SsaValue, ...]:
    return philox4x32((c0, c1, c2, c3), (k0, k1))


def repeated(*words: int) -> list[np.ndarray]:
    return [np.full(16, word, np.uint32) for word in words]


@pytest.mark.parametrize("lanes", [0, 4, 8, 16])
def test_known_answers(lanes: int) -> None:
    generate = compile_loop(emit, np.uint32, lanes, inputs=6, outputs=4)
    for counter, key, expected in KNOWN:
        for words, word in zip(generate(*repeated(*counter, *key)), expected, strict=True):
            assert (words == word).all()


@pytest.mark.parametrize("cpu", ["x86-64", "x86-64-v3"])
@pytest.mark.skipif(not host_is_x86(), reason="names x86 processors")
def test_same_words_on_an_older_processor(cpu: str) -> None:
    rng = np.random.default_rng(0)
    words = [rng.integers(0, 2**32, 64, dtype=np.uint32) for _ in range(6)]
    here = compile_loop(emit, np.uint32, 16, inputs=6, outputs=4)(*words)
    there = compile_loop(emit, np.uint32, 8, inputs=6, outputs=4, cpu=cpu)(*words)
    assert all((a == b).all() for a, b in zip(here, there, strict=True))


def test_a_scalar_key_is_for_every_lane() -> None:
    def with_constant_key(*counter: SsaValue) -> tuple[SsaValue, ...]:
        b = counter[0].builder
        key = b.constant(b.index(0).type.of("i32"), 0)
        return philox4x32((counter[0], counter[1], counter[2], counter[3]), (key, key))

    generate = compile_loop(with_constant_key, np.uint32, 16, inputs=4, outputs=4)
    for words, word in zip(generate(*repeated(0, 0, 0, 0)), KNOWN[0][2], strict=True):
        assert (words == word).all()
