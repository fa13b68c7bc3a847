"""The memory of arrays and variables."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from thalweg.backends.state import ALIGNMENT, address_of, aligned_empty

READ_ONLY = np.frombuffer(b"12345678", np.int32)
ARRAYS = [np.ones(3), np.ones((2, 3))[1:], np.array(2.0), READ_ONLY, np.empty((0, 2))]


@pytest.mark.parametrize("array", [*ARRAYS, np.zeros(2, ml_dtypes.bfloat16)], ids=repr)
def test_the_address_is_numpys_own(array: np.ndarray) -> None:
    assert address_of(array) == array.ctypes.data


def test_aligned_memory() -> None:
    for shape in ((3,), (1, 2), (5, 7)):
        array = aligned_empty(shape, np.dtype(np.float32))
        assert (array.shape, address_of(array) % ALIGNMENT) == (shape, 0)
        assert array.flags.c_contiguous
