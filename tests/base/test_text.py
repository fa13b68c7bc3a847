"""Strings as elements of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from thalweg.base import dtypes
from thalweg.base.dtypes import as_dtype
from thalweg.base.errors import DTypeError
from thalweg.base.text import is_text, text_array


@pytest.mark.parametrize(
    ("value", "elements"),
    [
        ("é", "é".encode()),
        (b"a\0", b"a\0"),  # NumPy's own strings lose a zero at their end
        (["a", b"bc"], [b"a", b"bc"]),
        ([["a"], ["b"]], [[b"a"], [b"b"]]),
        (np.array(["x", "yz"]), [b"x", b"yz"]),
        (np.array([b"x", b"yz"]), [b"x", b"yz"]),
        ([], []),
    ],
)
def test_strings_become_bytes(value: Any, elements: Any) -> None:
    array = text_array(value)
    assert array.dtype == object
    assert array.tolist() == elements


def test_an_array_of_strings_is_a_copy() -> None:
    given = np.array([b"a"], object)
    made = text_array(given)
    made[0] = b"b"
    assert given[0] == b"a"


@pytest.mark.parametrize("value", [1, ["a", 2], [["a"], ["b", "c"]], None, np.array([None])])
def test_what_is_no_string_is_refused(value: Any) -> None:
    with pytest.raises(DTypeError, match="is not a string"):
        text_array(value)


def test_arrays_of_strings_are_told_from_others() -> None:
    assert is_text(np.array(["a"]))
    assert is_text(np.array([b"a", "b"], object))
    assert not is_text(np.array([1]))
    assert not is_text(np.array([b"a", None], object))


def test_the_type_of_strings_has_its_names() -> None:
    for name in ("string", str, bytes, np.object_, np.dtype(object), np.dtype("U3"), "S5"):
        assert as_dtype(name) is dtypes.string
    kinds = (dtypes.string.is_integer, dtypes.string.is_floating, dtypes.string.is_bool)
    assert not any(kinds)
    for other in (object, dict, "strings"):
        with pytest.raises(DTypeError, match="is not an element type"):
            as_dtype(other)
