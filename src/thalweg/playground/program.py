"""A network's run as a program of its own."""

from __future__ import annotations

from thalweg.playground.journal import Journal

__all__ = ["text"]


def text(journal: Journal, form: str) -> str:
    """The program."""
    return ""
