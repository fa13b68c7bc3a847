"""Checkpoints of TensorFlow 2's objects: which variable each tensor was.

The graph of objects is a message, trackable_object_graph.proto, in a tensor of its own. All that is
wanted of it is, for each attribute of an object, the variable's name and the tensor's.
"""

from __future__ import annotations

from collections.abc import Container

from thalweg.base.errors import DataLossError
from thalweg.protos.wire import values

__all__ = ["full_names"]

_NODES, _ATTRIBUTES = 1, 2
_FULL_NAME, _KEY = 2, 3


def full_names(graph: bytes, known: Container[str]) -> dict[str, str]:
    """The names of tensors by those of their variables, as far as these are unique.

    Args:
        graph: the message; may be empty.
        known: the names of the tensors that there are.

    Raises:
        DataLossError: if the message is malformed.
    """
    found: dict[str, str] = {}
    ambiguous = set()
    for number, node in values(memoryview(graph)):
        for kind, attribute in values(_message(node)) if number == _NODES else ():
            if kind == _ATTRIBUTES:
                texts = dict(values(_message(attribute)))
                name, key = _text(texts.get(_FULL_NAME)), _text(texts.get(_KEY))
                if name and key in known and found.setdefault(name, key) != key:
                    ambiguous.add(name)
    return {n: key for n, key in found.items() if n not in ambiguous and n not in known}


def _message(value: object) -> memoryview:
    if not isinstance(value, memoryview):
        raise DataLossError("its graph of objects is malformed")
    return value


def _text(value: object) -> str:
    return bytes(value).decode("utf-8", "replace") if isinstance(value, memoryview) else ""
