"""A folder for the files of tests."""

from __future__ import annotations

import os

__all__ = ["get_temp_dir"]


def get_temp_dir() -> str:
    """A folder of the user's for files of tests; it exists."""
    import tempfile

    path = os.path.join(tempfile.gettempdir(), f"thalweg_tests_{os.getuid()}")
    os.makedirs(path, mode=0o700, exist_ok=True)
    return path
