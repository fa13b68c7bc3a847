"""The names that TensorFlow 1 scripts use most, and the modules that they import."""

from __future__ import annotations

import importlib

import pytest

from thalweg import compat
from thalweg.compat.table import HOMES
from tools.missing_names import missing

KNOWN = {"tf.train.Coordinator", "tf.train.start_queue_runners"}  # there are no queues yet


def test_the_names_that_are_used_most_are_there() -> None:
    assert {name for name, _ in missing()} <= KNOWN


@pytest.mark.parametrize("name", sorted(HOMES))
def test_every_module_of_the_table_can_be_imported(name: str) -> None:
    compat.install()
    try:
        assert importlib.import_module(name).__name__ == name
    finally:
        compat.uninstall()
