"""Random numbers, counter-based: element e of run r is a function of the seed, r and e alone.

So the same seed gives the same numbers for any number of threads, nothing has to be kept between
runs, and a number can be made again wherever it is needed. The generator is Philox 4x32 with 10
rounds (Salmon, Moraes, Dror and Shaw, Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from thalweg.base import dtypes
from thalweg.base.dtypes import DType

Array: TypeAlias = np.ndarray[Any, Any]


Key: TypeAlias = tuple[int, int]


_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)


_WEYL = (0x9E3779B9, 0xBB67AE85)  # the golden ratio and sqrt 3 - 1, in 32 bits


_MASK = np.uint64(0xFFFFFFFF)


def philox4x32(
    counter: Sequence[Any], key: Sequence[int], rounds: int = 10, xp: Any = np
) -> tuple[Any, ...]:
    """Four words of 32 random bits for each counter.

    Args:
        counter: four uint64 arrays that broadcast together, holding 32 bits each.
        key: two numbers of 32 bits, the seed.
        rounds: 10 is the authors' recommendation.
        xp: the array module.

    Returns:
        Four uint64 arrays holding 32 bits each.
    """
    c0, c1, c2, c3 = (xp.asarray(c, xp.uint64) for c in counter)
    k0, k1 = (int(k) & 0xFFFFFFFF for k in key)
    for _ in range(rounds):
        first, second = c0 * np.uint64(_MULTIPLIERS[0]), c2 * np.uint64(_MULTIPLIERS[1])
        c0, c2 = (
            (second >> np.uint64(32)) ^ c1 ^ np.uint64(k0),
            (first >> np.uint64(32)) ^ c3 ^ np.uint64(k1),
        )
        c1, c3 = second & _MASK, first & _MASK
        k0, k1 = (k0 + _WEYL[0]) & 0xFFFFFFFF, (k1 + _WEYL[1]) & 0xFFFFFFFF
    return c0, c1, c2, c3


def unit(key: Key, run: Any, element: Any, word: int, dtype: DType, xp: Any = np) -> Any:
    """Uniform numbers in [0, 1): the definition of the formula function `random_unit`.

    The words are those of Philox 4x32-10 for the key and the counter (low and high 32 bits of the
    element's row-major index, low and high 32 bits of the run's number). A float32 is made of one
    word w, `(w >> 8) * 2**-24`; a float64 of the words a and b at `2 * word` and `2 * word + 1`,
    `((a >> 5) * 2**26 + (b >> 6)) * 2**-53`.

    Args:
        key: two numbers of 32 bits.
        run: the number of the run, int64.
        element: row-major indices, int64.
        word: which of an element's numbers: 0 to 3 for float32, 0 or 1 for float64.
        dtype: float32 or float64.
        xp: the array module.
    """
    e, r = (xp.asarray(x, xp.uint64) for x in (element, run))
    counter = (e & _MASK, e >> np.uint64(32), r & _MASK, r >> np.uint64(32))
    words = philox4x32(counter, key, xp=xp)
    if dtype == dtypes.float32:
        return xp.asarray(words[word] >> np.uint64(8), xp.float32) * np.float32(2.0**-24)
    a, b = words[2 * word] >> np.uint64(5), words[2 * word + 1] >> np.uint64(6)
    return xp.asarray((a << np.uint64(26)) + b, xp.float64) * 2.0**-53
