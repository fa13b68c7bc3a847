"""Data sets that come with the package, so that examples and tests need no network."""

from __future__ import annotations

from thalweg.datasets import mnist

__all__ = ["mnist"]
