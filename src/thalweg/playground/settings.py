"""What a person can set: its kinds, how a link says it, and its limits."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from thalweg.base.errors import InvalidArgumentError
from thalweg.base.record import Record

__all__ = ["Choice", "Flag", "Number", "Sequenced", "Setting", "Text"]

NAME = re.compile(r"[0-9A-Za-z._-]{1,32}")


class Setting(Record, ABC):
    """A thing that can be set.

    `read` takes the text of a link, and what it does not understand is left as it was, as the
    original does. `check` takes a message of a page, and what does not fit is an error.
    """

    @abstractmethod
    def read(self, text: str) -> Any:
        """The value that a link says; None if it says nothing."""

    @abstractmethod
    def check(self, name: str, value: Any) -> Any:
        """The value, if it is one.

        Raises:
            InvalidArgumentError: if it is not.
        """

    def write(self, value: Any) -> str:
        """How a link says it."""
        return str(value)


class Choice(Setting):
    """One of some words."""

    words: Sequence[str]

    def read(self, text: str) -> str | None:
        """The word, if it is one of them."""
        return text if text in self.words else None

    def check(self, name: str, value: Any) -> str:
        """The word."""
        if not isinstance(value, str) or value not in self.words:
            raise InvalidArgumentError(f"{name} must be one of {', '.join(self.words)}: {value!r}")
        return value


class Flag(Setting):
    """On or off. In a link all is on but "false"."""

    def read(self, text: str) -> bool:
        """Whether it is on."""
        return text != "false"

    def check(self, name: str, value: Any) -> bool:
        """Whether it is on."""
        if not isinstance(value, bool):
            raise InvalidArgumentError(f"{name} must be true or false: {value!r}")
        return value

    def write(self, value: Any) -> str:
        """The word of a link."""
        return "true" if value else "false"


class Number(Setting):
    """A number between two others; an integer if `whole`."""

    least: float
    most: float
    whole: bool = False

    def read(self, text: str) -> float | None:
        """The number, or the end of the range that is nearest to it."""
        try:
            number = float(text)
        except ValueError:
            return None
        if math.isnan(number):
            return None
        return self._kind(min(max(number, self.least), self.most))

    def check(self, name: str, value: Any) -> float:
        """The number."""
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not self.least <= value <= self.most:
            raise InvalidArgumentError(
                f"{name} must be a number from {self.least:g} to {self.most:g}: {value!r}"
            )
        return self._kind(value)

    def write(self, value: Any) -> str:
        """The number with as many digits as it has."""
        return f"{value:.10g}"

    def _kind(self, number: float) -> float:
        return int(number) if self.whole else float(number)


class Text(Setting):
    """A short name, such as a seed."""

    def read(self, text: str) -> str | None:
        """The name, if it is one."""
        return text if NAME.fullmatch(text) else None

    def check(self, name: str, value: Any) -> str:
        """The name."""
        if not isinstance(value, str) or not (value == "" or NAME.fullmatch(value)):
            raise InvalidArgumentError(
                f"{name} must be at most 32 letters, digits, dots, dashes or underscores: {value!r}"
            )
        return value


class Sequenced(Setting):
    """Several of a kind, at most `most` of them; in a link with commas between them."""

    kind: Setting
    most: int

    def read(self, text: str) -> list[Any] | None:
        """What stands between the commas, if all is understood."""
        parts = text.split(",") if text.strip() else []
        values = [self.kind.read(part.strip()) for part in parts[: self.most]]
        return None if None in values else values

    def check(self, name: str, value: Any) -> list[Any]:
        """The list."""
        if not isinstance(value, list) or len(value) > self.most:
            raise InvalidArgumentError(f"{name} must be a list of at most {self.most}")
        return [self.kind.check(name, one) for one in value]

    def write(self, value: Any) -> str:
        """The parts with commas between them."""
        return ",".join(map(self.kind.write, value))
