"""Every operation on XLA: a share of what `python -m tests.xla` tries."""

from __future__ import annotations

import pytest

from tests.xla.samples import SAMPLED, check_samples
from thalweg.graph import Op


@pytest.mark.parametrize("record", SAMPLED)
def test_outputs_are_the_reference_s(record: type[Op]) -> None:
    check_samples(record, ["float32"])
