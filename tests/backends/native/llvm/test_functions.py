"""The native code of scalar functions against the table of these functions."""

from __future__ import annotations

import numpy as np
import pytest

from tests.backends.native.llvm.loop_kernel import Array, compile_loop
from thalweg.backends.native.llvm.functions import EMITTERS
from thalweg.backends.native.llvm.ssa import SsaValue
from thalweg.formula import FUNCTIONS

OF_FLOATS = sorted(
    name for name, f in FUNCTIONS.items() if name in EMITTERS and f.kind in ("floating", "numeric")
)


def numbers() -> Array:
    rng = np.random.default_rng(7)
    sizes = np.exp2(rng.uniform(-20, 20, 480))
    special = np.array([0, np.finfo(np.float32).tiny, 0.5, 1, 2, 3, np.inf, np.nan])
    return np.concatenate([special, sizes, -special, -sizes]).astype(np.float32)


def test_every_function_of_its_arguments_has_native_code() -> None:
    assert set(EMITTERS) == {name for name, f in FUNCTIONS.items() if f.meaning is not None}


@np.errstate(all="ignore")
@pytest.mark.parametrize("name", [name for name in OF_FLOATS if FUNCTIONS[name].result is None])
def test_results_lie_in_the_range(name: str) -> None:
    """All functions of floats but those that give truth values."""
    function = FUNCTIONS[name]

    def emit(*x: SsaValue) -> list[SsaValue]:
        return [EMITTERS[name](*x)]

    x = numbers()
    args = [x, np.roll(x, 5)][: function.arity]
    native = compile_loop(emit, np.float32, 8, function.arity)(*args)[0]
    low, high = (np.float32(bound) for bound in function.range)
    for values in (native, function.evaluate(np, *args)):
        known = values[~np.isnan(values)]
        assert known.min() >= low
        assert known.max() <= high
    both = np.isnan(native) == np.isnan(function.evaluate(np, *args))
    assert both.all(), args[0][~both]
