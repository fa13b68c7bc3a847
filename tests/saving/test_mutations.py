"""A share of `python -m tests.saving.mutations`."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.saving.mutations import FORMATS, findings


@pytest.fixture(autouse=True)
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.parametrize("format", FORMATS)
def test_changed_files_are_errors_or_right(tmp_path: Path, format: str) -> None:
    assert list(findings(FORMATS[format], 100, 0, tmp_path)) == []
