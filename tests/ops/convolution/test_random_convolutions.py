"""Convolutions of any shape, for vectors of any width."""

from __future__ import annotations

import pytest

from tests.ops.convolution.random_convolutions import Convolution
from thalweg.backends.native.llvm.jit import Jit
from thalweg.backends.native.llvm.target import Target

HOST = Target.host()
LEVELS = ["x86-64", "x86-64-v3"] if HOST.architecture == "x86_64" and HOST.has("avx2") else []


@pytest.mark.parametrize("level", ["", *LEVELS], ids=["host", *LEVELS])
def test_convolutions_and_their_gradients(level: str) -> None:
    jit = Jit(HOST.restricted(level) if level else HOST)
    for seed in range(6):
        Convolution.random(seed).check(jit, seed)
