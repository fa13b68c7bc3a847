"""What all tests share: each starts with an empty default graph."""

from __future__ import annotations

import pytest

from thalweg.graph import reset_default_graph


@pytest.fixture(autouse=True)
def _fresh_default_graph() -> None:
    reset_default_graph()
