"""The user's own source line behind every operation."""

from __future__ import annotations

import contextlib
import linecache
import os
import sys

from thalweg.base.record import Record

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Frames that are not the user's: this package's, and those of its context managers.
_OURS = (PACKAGE + os.sep, contextlib.__file__)


class Source(Record):
    """A line of a file; its text is read only when an error is shown."""

    file: str
    line: int

    def __str__(self) -> str:
        text = linecache.getline(self.file, self.line).strip()
        place = f"{os.path.basename(self.file)}:{self.line}"
        return f"{place}: {text}" if text else place


def is_ours(file: str) -> bool:
    """Whether a file is part of this package."""
    return file.startswith(_OURS)


def caller() -> Source:
    """The innermost line outside this package, or the outermost one if all are inside."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename.startswith(_OURS) and frame.f_back is not None:
        frame = frame.f_back
    return Source(frame.f_code.co_filename, frame.f_lineno)
