"""Networks in float32 against NumPy in float64; `python -m tests.networks` does more."""

from __future__ import annotations

import pytest

from tests import shares
from tests.networks.catalogue import NETWORKS
from tests.networks.compare import differences, trained

QUICK = ["densenet", "mobilenet_v1", "unet", "gan"]  # a few seconds each


@pytest.mark.parametrize("name", NETWORKS if shares.ALL else QUICK)
def test_training_is_that_of_the_reference(name: str) -> None:
    wanted = trained(name, 2, "float64", "numpy", short=True)
    actual = trained(name, 2, "float32", "llvm", short=True)
    assert differences(actual, wanted, "float32") == []
