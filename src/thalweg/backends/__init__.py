"""Backends: what turns a plan into a program that runs."""

from thalweg.backends import native, reference

__all__ = ["native", "reference"]  # they register themselves
