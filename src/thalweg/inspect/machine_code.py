"""The machine code of the kernels that a run consists of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from thalweg.session.session import Session

__all__ = ["machine_code", "readable"]

# What an assembler needs to know, and a reader does not: directives, but for constants and labels.
_DIRECTIVE = re.compile(r"\s*\.(?!L(?!func)|long|quad|byte|zero|short)\w|\s*#|\s*$")


@runtime_checkable
class _Assembled(Protocol):
    """A program that can show its machine code."""

    def assembly(self, number: int) -> str: ...


def machine_code(
    session: Session,
    fetches: Any,
    feed_dict: Mapping[Any, Any] | None = None,
    kernels: Sequence[int] = (),
) -> list[str]:
    """The machine code of some kernels of a run, as assembly text without directives.

    Args:
        session: that would run it.
        fetches: as for `Session.run`.
        feed_dict: as for `Session.run`.
        kernels: their places among `explain(...).kernels`.

    Returns:
        a text for each; "" where there is no native code.

    Raises:
        FetchError, FeedError, SessionClosedError: as `Session.run` does.
    """
    _, program = session.program(fetches, feed_dict)
    if program is None or not isinstance(program, _Assembled):
        return ["" for _ in kernels]
    return [readable(program.assembly(number)) for number in kernels]


def readable(text: str) -> str:
    """Assembly text without the directives."""
    lines = [line.rstrip() for line in text.splitlines() if not _DIRECTIVE.match(line)]
    return "\n".join(lines) + "\n"
