"""Copies of arrays have the values of the time, and memory that is used again."""

from __future__ import annotations

import numpy as np
import pytest

from thalweg.saving import copies
from thalweg.saving.copies import Copies


@pytest.mark.parametrize("large", [1 << 30, 1], ids=["one thread", "two threads"])
def test_copies_are_the_values_of_the_time(large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "_LARGE", large)
    shapes = [(), (0, 3), (1,), (7, 5)]
    arrays = {str(s): np.arange(np.prod(s, dtype=int), dtype=np.float32).reshape(s) for s in shapes}
    expected = {name: array.copy() for name, array in arrays.items()}
    made = Copies().of(arrays)
    for array in arrays.values():
        array.fill(-1)
    assert made.keys() == expected.keys()
    for name, array in made.items():
        np.testing.assert_array_equal(array, expected[name])


def test_memory_is_used_again_where_it_fits() -> None:
    held = Copies()
    first = held.of({"same": np.ones(3), "larger": np.ones(3), "other": np.ones(3)})
    then = held.of({"same": np.zeros(3), "larger": np.zeros(4), "other": np.zeros(3, np.int64)})
    assert then["same"] is first["same"]
    assert then["larger"] is not first["larger"]
    assert then["other"] is not first["other"]
    assert [array.sum() for array in then.values()] == [0, 0, 0]
