"""The text form of protocol buffers, as far as it is a list of fields: `key: value`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from thalweg.base.errors import DataLossError

__all__ = ["fields", "line"]

_FIELD = re.compile(
    r"""(?:\s|\#[^\n]*)*+ (\w+) \s* : \s*
        (?: "((?:[^"\\\n]++|\\.)*+)" | '((?:[^'\\\n]++|\\.)*+)' | ([-+.\w]++) ) [ ]*[,;]?""",
    re.X | re.S,
)
_BLANK = re.compile(r"(?:\s|#[^\n]*)*+\Z")
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", re.S)
_SIMPLE = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def fields(text: str) -> Iterator[tuple[str, str]]:
    """The fields of a message in their order; quoted values without their quotes.

    Raises:
        DataLossError: if the text is something else.
    """
    place = 0
    while found := _FIELD.match(text, place):
        key, double, single, word = found.groups()
        quoted = double if double is not None else single
        yield key, word if quoted is None else _unescaped(quoted)
        place = found.end()
    if not _BLANK.match(text, place):
        raise DataLossError(f"line {text.count(chr(10), 0, place) + 1} is no `key: value`")


def line(key: str, value: str | float) -> str:
    """A field, as a line."""
    return f"{key}: {_quoted(value) if isinstance(value, str) else repr(value)}\n"


def _unescaped(text: str) -> str:
    def replaced(found: re.Match[bytes]) -> bytes:
        code = found[1]
        if code[:1] == b"x" and len(code) > 1:
            return bytes([int(code[1:], 16)])
        if code.isdigit():
            return bytes([int(code, 8) & 255])
        return _SIMPLE.get(code, code)

    data = _ESCAPE.sub(replaced, text.encode("utf-8", "surrogateescape"))
    return data.decode("utf-8", "surrogateescape")


def _quoted(text: str) -> str:
    return f'"{"".join(_escaped(text.encode("utf-8", "surrogateescape")))}"'


def _escaped(data: Iterable[int]) -> Iterator[str]:
    for byte in data:
        if byte in b'"\\':
            yield f"\\{chr(byte)}"
        else:
            yield chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}"
