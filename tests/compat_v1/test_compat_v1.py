"""The results of `python -m tests.compat_v1` that TensorFlow 2.21 has given, and ours."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import thalweg as tf
from tests.compat_v1.__main__ import EXPECTED
from tests.compat_v1.bench import Array, floats, run
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
    wanted: dict[str, Array] = {"0": floats(1, 2), "1": np.array(["a"], "S")}
    assert not list(differences({**wanted, "0": floats(1, 2.0001)}, wanted, fails=False))
    others: list[tuple[str, Array]] = [
        ("0", floats(1, 2.01)), ("0", floats(1)), ("0", floats(1, np.nan)),
        ("0", np.array([1.0, 2.0])), ("1", np.array(["b"], "S")),
    ]  # fmt: skip
    for number, other in others:
        assert list(differences({**wanted, number: other}, wanted, fails=False))
    assert list(differences({"failed": np.array("why")}, wanted, fails=False))
    assert list(differences(wanted, wanted, fails=True))
