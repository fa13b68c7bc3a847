"""Text and bytes: TensorFlow 1's `tf.compat`."""

from __future__ import annotations

from typing import Any

__all__ = ["as_bytes", "as_str", "as_str_any", "as_text"]


def as_bytes(bytes_or_text: str | bytes, encoding: str = "utf-8") -> bytes:
    """The text as bytes; bytes as they are."""
    return bytes_or_text.encode(encoding) if isinstance(bytes_or_text, str) else bytes_or_text


def as_text(bytes_or_text: str | bytes, encoding: str = "utf-8") -> str:
    """The bytes as text; text as it is."""
    return bytes_or_text if isinstance(bytes_or_text, str) else bytes_or_text.decode(encoding)


as_str = as_text


def as_str_any(value: Any) -> str:
    """`as_text` of bytes, `str` of anything else."""
    return as_text(value) if isinstance(value, bytes) else str(value)
