"""`from thalweg.python.client import timeline`, as TensorFlow 1's programs write it."""

from thalweg.profiler import timeline

__all__ = ["timeline"]
