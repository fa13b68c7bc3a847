"""What all tests share: each starts with an empty default graph."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from thalweg.graph import reset_default_graph

# Kernels are kept from run to run, and not among the user's.
os.environ.setdefault(
    "THALWEG_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "kernels")
)
# The compiler checks its own work, and does not go on in a slower way where it fails.
os.environ["THALWEG_STRICT"] = "1"


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over the ten thousand tests themselves."""
    gc.freeze()


@pytest.fixture(autouse=True)
def _fresh_default_graph() -> None:
    reset_default_graph()
