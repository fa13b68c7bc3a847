"""Backends: what turns a plan into a program that runs."""

from thalweg.backends import native, reference, xla

__all__ = ["native", "reference", "xla"]  # they register themselves
