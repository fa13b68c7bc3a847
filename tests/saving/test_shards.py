"""Models in several safetensors files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import thalweg as tf
from thalweg.saving.formats import open_tensors

ONE, TWO = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


def index(folder: Path, places: Any) -> Path:
    safetensors.numpy.save_file({"a": np.arange(3)}, folder / ONE)
    safetensors.numpy.save_file({"b": np.ones((2, 2)), "c": np.zeros(1)}, folder / TWO)
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps({"metadata": {"total_size": 64}, "weight_map": places}))
    return path


def test_tensors_of_all_files(tmp_path: Path) -> None:
    path = index(tmp_path, {"a": ONE, "b": TWO, "c": TWO})
    read = open_tensors(path)
    assert list(read) == ["a", "b", "c"]
    assert read["a"].tolist() == [0, 1, 2]
    assert tf.train.list_variables(path) == [("a", [3]), ("b", [2, 2]), ("c", [1])]


@pytest.mark.parametrize(
    "places", [{"a": TWO}, {"a": f"../{ONE}"}, {"a": "/etc/passwd"}, {"a": 1}, [], None], ids=str
)
def test_malformed_indices(tmp_path: Path, places: Any) -> None:
    with pytest.raises(tf.errors.DataLossError):
        open_tensors(index(tmp_path, places))


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(tf.errors.NotFoundError, match="there is no file"):
        open_tensors(index(tmp_path, {"a": "model.safetensors"}))
