"""How the results of programs differ from TensorFlow's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from tests.compat_v1.bench import FAILED, Array

Results = Mapping[str, Array]

# Both use single precision, in other orders; gradients of several layers add a few more digits.
RELATIVE, ABSOLUTE = 2e-4, 2e-5


def results_of(name: str, results: Results) -> dict[str, Array]:
    """The results of one program by number."""
    return {k.rpartition("/")[2]: v for k, v in results.items() if k.rpartition("/")[0] == name}


def differences(found: Results, wanted: Results, fails: bool) -> Iterator[str]:
    """What is different, in words.

    Args:
        found: the results of a program by number.
        wanted: those of TensorFlow.
        fails: whether the program is to fail.
    """
    for who, results in (("here", found), ("in TensorFlow", wanted)):
        if (FAILED in results) != fails:
            how = f"fails: {results[FAILED]}" if FAILED in results else "does not fail"
            yield f"the program {how} ({who})"
            return
    if fails:
        return
    if found.keys() != wanted.keys():
        yield f"there are {len(found)} results, and {len(wanted)} in TensorFlow"
        return
    for number, value in wanted.items():
        yield from (f"result {number}: {text}" for text in _of_arrays(found[number], value))


def _of_arrays(found: Array, wanted: Array) -> Iterator[str]:
    if found.dtype.kind != wanted.dtype.kind or (
        found.dtype.kind not in "SU" and found.dtype != wanted.dtype
    ):
        yield f"the dtype is {found.dtype}, not {wanted.dtype}"
    elif found.shape != wanted.shape:
        yield f"the shape is {found.shape}, not {wanted.shape}"
    elif found.dtype.kind == "f":
        largest = np.abs(wanted[np.isfinite(wanted)]).max(initial=1.0)
        if not np.allclose(found, wanted, RELATIVE, ABSOLUTE * largest, equal_nan=True):
            yield f"the values are {_short(found)}, not {_short(wanted)}"
    elif not np.array_equal(found, wanted):
        yield f"the values are {_short(found)}, not {_short(wanted)}"


def _short(array: Array) -> str:
    return np.array2string(array.reshape(-1), threshold=12, precision=6)[:200]
