"""Tests of programs that build graphs: TensorFlow 1's `tf.test`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from thalweg.platform.temporary import get_temp_dir
from thalweg.session.devices import list_local_devices

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
    """Whether JAX's support for NVIDIA's GPUs is installed; Thalweg itself has none."""
    from importlib.util import find_spec

    return any(find_spec(f"jax_cuda{version}_plugin") for version in (12, 13))


def is_gpu_available(
    cuda_only: bool = False, min_cuda_compute_capability: tuple[int, int] | None = None
) -> bool:
    """Whether there is a GPU; to find out loads JAX, if it is installed.

    Args:
        cuda_only: whether only NVIDIA's count.
        min_cuda_compute_capability: accepted for TensorFlow 1 and ignored.
    """
    return bool(gpu_device_name()) and (is_built_with_cuda() or not cuda_only)


def gpu_device_name() -> str:
    """The name of the first GPU, "/device:GPU:0"; empty if there is none."""
    gpus = [one.name for one in list_local_devices() if one.device_type == "GPU"]
    return gpus[0] if gpus else ""
