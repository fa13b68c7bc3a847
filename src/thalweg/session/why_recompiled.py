"""Why programs were made: a log that people read to find what to keep the same from run to run."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from thalweg.backends.protocol import Feed
from thalweg.base.bounded_dict import BoundedDict
from thalweg.base.shapes import show
from thalweg.graph import Tensor
from thalweg.session.entry import Request

Array = np.ndarray[Any, Any]
Fed = Mapping[Tensor, Array]


MAX_LINES = 1000  # lines


class RecompilationLog(list[str]):
    """The latest lines.

    Attributes:
        dropped: how many there were before them.
    """

    dropped = 0

    def add(self, line: str) -> None:
        """Add a line; the oldest is dropped if there are too many."""
        self.append(line)
        if len(self) > MAX_LINES:
            del self[0]
            self.dropped += 1


class WhyRecompiled:
    """Tells what was new about each run that a program was made for.

    Attributes:
        lines: one for every program, the latest of them.
    """

    def __init__(self) -> None:
        self.lines = RecompilationLog()
        self._last: dict[Hashable, Fed] = BoundedDict()

    def note(
        self,
        request: Request,
        feeds: Mapping[Tensor, Feed],
        static: Fed,
        remark: str,
    ) -> None:
        """Add a line.

        Args:
            request: what the program computes.
            feeds: what it was made for.
            static: those of them whose values decide about shapes.
            remark: how it was made.
        """
        key = (request.fetches, request.targets, request.done)
        reason = self._reason(self._last.get(key), feeds, static)
        names = ", ".join([t.name for t in request.fetches] + [op.name for op in request.targets])
        self.lines.add(f"{names or 'nothing'}: {reason}{remark}")
        self._last[key] = {**_shapes(feeds), **{t: a.copy() for t, a in static.items()}}

    def _reason(self, last: Fed | None, feeds: Mapping[Tensor, Feed], static: Fed) -> str:
        if last is None:
            return "new fetches" if self.lines else "first run"
        if last.keys() != feeds.keys():
            return f"other tensors are fed: {', '.join(t.name for t in feeds) or 'none'}"
        changed = [
            f"new shape of {t.op.name!r}: {show(last[t].shape)} -> {show(a.shape)}"
            for t, a in feeds.items()
            if last[t].shape != a.shape
        ]
        values = [
            f"new value of {t.op.name!r}, which decides about shapes"
            for t, a in static.items()
            if not np.array_equal(last[t], a)
        ]
        return "; ".join(changed or values) or "same as before"

    def clear(self) -> None:
        """Forget the runs, but not the lines."""
        self._last.clear()


def _shapes(feeds: Mapping[Tensor, Feed]) -> Fed:
    """Arrays of these shapes that take no memory."""
    return {t: np.broadcast_to(np.zeros((), a.dtype), a.shape) for t, a in feeds.items()}
