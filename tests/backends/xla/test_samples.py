"""Every operation on XLA: a share of what `python -m tests.xla` tries."""

from __future__ import annotations

import pytest

from tests.shares import one_in
from tests.xla.samples import DIFFERENTIABLE, SAMPLED, check_gradients, check_samples
from thalweg.graph import Op


@pytest.mark.parametrize("record", one_in(2, SAMPLED))
def test_outputs_are_the_reference_s(record: type[Op]) -> None:
    check_samples(record, ["float32"])


@pytest.mark.parametrize("record", one_in(2, DIFFERENTIABLE))
def test_gradients_are_the_reference_s(record: type[Op]) -> None:
    check_gradients(record)
