"""Logs of a small network, and the real TensorBoard that shows them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.board.example_logs import write
from tests.board.serving import tensorboard, when_there


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("board") / "logs"
    write(folder)
    return folder


@pytest.fixture(scope="session")
def address(written: Path) -> Iterator[str]:
    """TensorBoard with its fast loader: it fails to start if that is not there."""
    pytest.importorskip("tensorboard_data_server")
    with tensorboard(written, "--load_fast=true") as found:
        for run in ("train", "test"):
            when_there(found, "data/plugin/scalars/tags", run)
        yield found
