"""What a checkpoint holds besides values: that it is one, in which version, and the progress.

It is JSON: in a safetensors file an entry of the metadata, in a tensor bundle a tensor of its own.
"""

from __future__ import annotations

import json
from typing import Any

from thalweg.base.errors import DataLossError, UnimplementedError
from thalweg.base.record import astuple
from thalweg.session.progress import LoopPosition, Progress

__all__ = ["manifest_text", "progress_of"]

_FORMAT, _VERSION = "thalweg checkpoint", 1
_MOST_CHARACTERS = 4096


def manifest_text(progress: Progress) -> str:
    """The manifest of a checkpoint of a session."""
    loop = progress.loop
    fields = None if loop is None else dict(zip(loop.fields, astuple(loop), strict=True))
    content = {"format": _FORMAT, "version": _VERSION, "runs": progress.runs, "loop": fields}
    return json.dumps(content)


def progress_of(text: str) -> Progress:
    """The progress that a manifest speaks of.

    Raises:
        DataLossError: if it is malformed.
        UnimplementedError: if it is of a later version.
    """
    try:
        if len(text) > _MOST_CHARACTERS:
            raise ValueError
        content = json.loads(text)
        _check_version(content)
        loop = content["loop"]
        return Progress(_count(content["runs"]), None if loop is None else _loop(loop))
    except (ValueError, TypeError, KeyError, RecursionError):
        raise DataLossError("its manifest is malformed") from None


def _check_version(content: Any) -> None:
    version = _count(content["version"])
    if content["format"] != _FORMAT:
        raise ValueError
    if version > _VERSION:
        raise UnimplementedError(
            f"it is of version {version}, and this release of Thalweg reads up to {_VERSION}"
        )


def _loop(fields: dict[str, Any]) -> LoopPosition:
    numbers = {name: _count(fields[name]) for name in LoopPosition.fields if name != "shuffled"}
    if type(fields["shuffled"]) is not bool or len(fields) != len(LoopPosition.fields):
        raise ValueError
    return LoopPosition(**numbers, shuffled=fields["shuffled"])


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError
    return value
