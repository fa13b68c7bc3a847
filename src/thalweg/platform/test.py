"""Tests of programs that build graphs: TensorFlow 1's `tf.test`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from thalweg.platform.temporary import get_temp_dir

if TYPE_CHECKING:
    from thalweg.platform.test_case import TestCase as TestCase

__all__ = [
    "TestCase",
    "get_temp_dir",
    "gpu_device_name",
    "is_built_with_cuda",
    "is_gpu_available",
    "main",
]


def __getattr__(name: str) -> Any:
    """`TestCase` brings unittest with it, which only tests need."""
    if name == "TestCase":
        from thalweg.platform.test_case import TestCase

        return TestCase
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def main(argv: list[str] | None = None) -> None:
    """Run the tests of the script and exit, with status 1 if one fails."""
    import unittest

    unittest.main(argv=sys.argv if argv is None else argv)


def is_built_with_cuda() -> bool:
    """False: there is no CUDA in Thalweg itself."""
    return False


def is_gpu_available(
    cuda_only: bool = False, min_cuda_compute_capability: tuple[int, int] | None = None
) -> bool:
    """Whether native code can run on a GPU: never."""
    return False


def gpu_device_name() -> str:
    """The name of a GPU; empty, as there is none."""
    return ""
