"""The results of `python -m tests.compat_v1` that TensorFlow 2.21 has given, and ours."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import thalweg as tf
from tests.compat_v1.__main__ import EXPECTED
from tests.compat_v1.bench import Array, run
from tests.compat_v1.catalogue import FAILING, PROGRAMS
from tests.compat_v1.compare import differences, results_of
from tests.shares import one_in

NATIVE = set(one_in(5, PROGRAMS))  # the others run with NumPy, which takes a tenth of the time


@cache
def expected() -> dict[str, Array]:
    with np.load(EXPECTED, allow_pickle=False) as results:
        return dict(results)


@pytest.mark.parametrize("name", PROGRAMS)
def test_results_are_tensorflow_s(name: str) -> None:
    config = tf.ConfigProto(backend="llvm" if name in NATIVE else "numpy")
    made = run(tf, PROGRAMS[name], config)
    assert not list(differences(made, results_of(name, expected()), name in FAILING))


def test_differences_are_found() -> None:
    wanted = {"0": np.float32([1, 2]), "1": np.array(["a"], "S")}
    same = {**wanted, "0": np.float32([1, 2.0001])}
    assert not list(differences(same, wanted, fails=False))
    for number, other in [("0", [1, 2.01]), ("0", [1]), ("1", ["b"]), ("0", [1, np.nan])]:
        made = np.array(other, wanted[number].dtype)
        assert list(differences({**wanted, number: made}, wanted, fails=False))
    assert list(differences({**wanted, "0": np.float64([1, 2])}, wanted, fails=False))
    assert list(differences({"failed": np.array("why")}, wanted, fails=False))
    assert list(differences(wanted, wanted, fails=True))
