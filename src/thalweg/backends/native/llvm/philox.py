"""Philox 4x32, the counter-based random number generator, as IR: scalar or one stream a lane.

Salmon, Moraes, Dror and Shaw, Parallel Random Numbers: As Easy as 1, 2, 3 (SC 2011), section 3.3.
"""

from __future__ import annotations

from typing import TypeAlias

from thalweg.backends.native.llvm.ssa import SsaValue

CounterWords: TypeAlias = tuple[SsaValue, SsaValue, SsaValue, SsaValue]
KeyWords: TypeAlias = tuple[SsaValue, SsaValue]

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)  # the golden ratio and sqrt 3 - 1, in 32 bits


def _wide_product(factor: int, x: SsaValue) -> tuple[SsaValue, SsaValue]:
    """High and low half of `factor * x`: one unsigned 32 by 32 bit multiplication a lane."""
    product = x.convert("zext", "i64") * factor
    return product.lshr(32).convert("trunc", "i32"), product.convert("trunc", "i32")


def _round(counter: CounterWords, key: KeyWords) -> CounterWords:
    c0, c1, c2, c3 = counter
    high0, low0 = _wide_product(MULTIPLIERS[0], c0)
    high1, low1 = _wide_product(MULTIPLIERS[1], c2)
    return high1 ^ c1 ^ key[0], low1, high0 ^ c3 ^ key[1], low0


def philox4x32(counter: CounterWords, key: KeyWords, rounds: int = 10) -> CounterWords:
    """Four random 32-bit words, a bijection of the counter for each key.

    Args:
        counter: Four i32 values or vectors; each distinct counter gives independent words.
        key: Two i32 values or vectors, the seed.
        rounds: 10 is the authors' recommendation; 7 is the fewest that pass BigCrush.

    Returns:
        Four values of the counter's type.
    """
    for _ in range(rounds):
        counter = _round(counter, key)
        key = key[0] + WEYL[0], key[1] + WEYL[1]
    return counter
