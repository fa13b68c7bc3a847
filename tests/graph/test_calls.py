"""Whatever a public function is given: an error has its name and the line that called it."""

from __future__ import annotations

import contextlib
import inspect
import pickle
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.shares import one_in
from thalweg.base.errors import DTypeError, ThalwegError
from thalweg.graph import Op
from thalweg.graph.calls import explained
from thalweg.ops.arrays.constant import Placeholder
from thalweg.ops.catalogue import ALL

JUNK: list[Any] = [
    None, -1, 3, 1.5, True, float("nan"), "x", b"x", [], [1, [2]], [[]], {}, object(), 2**40,
    -(2**70), [-1], [1.5], ["a"], np.zeros(2, [("a", "f4")]), np.array([None]), 1j, int, slice(1),
    lambda: 1,
]  # fmt: skip
# Classes that are numbers, and what prints or forgets what it is given.
LEFT_OUT = {"Dimension", "Graph", "GraphKeys", "Operation", "Optimizer", "explain"}
LEFT_OUT |= {"reset_default_graph", "Initializer", "RNNCell", "AggregationMethod"}

MODULES = [
    *(tf, tf.nn, tf.train, tf.initializers, tf.losses),
    *(tf.nn.rnn_cell, tf.contrib.layers, tf.contrib.rnn),
]


def by_place(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters that take an argument by its place."""
    parameters = inspect.signature(function).parameters.values()
    return [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]


def public() -> Iterator[tuple[str, Callable[..., Any]]]:
    for module in MODULES:
        for name in module.__all__:
            item = getattr(module, name)
            if callable(item) and not isinstance(item, ModuleType) and name not in LEFT_OUT:
                if isinstance(item, type) and not by_place(item):
                    continue  # Python itself says that it takes no such arguments
                yield f"{module.__name__}.{name}", item


PUBLIC = dict(public())


def arguments(function: Callable[..., Any]) -> Iterator[tuple[list[Any], dict[str, Any]]]:
    """Junk in each place, with tensors and variables in the others."""
    parameters = by_place(function)
    needed = max(1, sum(p.default is p.empty for p in parameters))
    fitting = [tf.zeros([2, 3]), tf.Variable(tf.zeros([2, 3])), tf.placeholder(tf.float32)]
    for junk in JUNK:
        yield [junk] * needed, {}
        for other in fitting:
            for place in range(needed):
                yield [*[other] * place, junk, *[other] * (needed - place - 1)], {}
            for parameter in parameters[needed:]:
                yield [other] * needed, {parameter.name: junk}


def call(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = function(*args, **kwargs)
        if isinstance(made, contextlib.AbstractContextManager):
            with made:
                pass


def complaint(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> str:
    """What the function says of the arguments, if anything."""
    try:
        call(function, args, kwargs)
    except ThalwegError as error:
        return str(error)
    except OSError:  # of a file that cannot be written
        return ""
    return ""


@pytest.mark.parametrize(("name", "function"), PUBLIC.items(), ids=list(PUBLIC))
def test_errors_have_the_line_of_the_call(
    name: str, function: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # some write files
    with tf.Graph().as_default():
        for args, kwargs in one_in(3, arguments(function)):
            said = complaint(function, args, kwargs)
            assert not said or "\n  at test_calls.py:" in said, (name, args, kwargs)


@pytest.mark.parametrize("record", [r for r in ALL if list(r.bad_samples())])
def test_what_records_refuse_has_the_line_too(record: type[Op]) -> None:
    for sample in record.bad_samples():
        graph = tf.Graph()
        inputs = [
            graph.add(Placeholder(tf.as_dtype(a.dtype), a.shape)).outputs[0]
            for a in sample.arrays()
        ]
        with pytest.raises(ThalwegError) as caught:
            graph.add(sample.op, inputs)
        assert "\n  at test_calls.py:" in str(caught.value)


def test_an_error_says_where_the_arguments_were_made() -> None:
    image = tf.placeholder(tf.float32, [None, 3])
    with pytest.raises(ValueError, match="conv2d: ") as caught:
        tf.nn.conv2d(image, tf.Variable(tf.zeros([4, 2])), [1, 1, 1, 1], "SAME")
    first, at, made, *_ = str(caught.value).splitlines()
    assert first == "conv2d: the filter must have rank 4; it is [4, 2]"
    assert at.startswith("  at test_calls.py:")
    assert made.startswith("  input was made at test_calls.py:")
    assert made.endswith("image = tf.placeholder(tf.float32, [None, 3])")


def test_set_shape_says_where_it_was_called() -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    with pytest.raises(ValueError, match="set_shape: ") as caught:
        x.set_shape([2, 4])
    assert "\n  at test_calls.py:" in str(caught.value)


def test_errors_of_the_users_own_code_stay_as_they_are() -> None:
    def own() -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError) as caught:
        explained(lambda f: f(), "what")(own)
    assert not isinstance(caught.value, ThalwegError)


def test_what_goes_wrong_inside_is_the_cause() -> None:
    with pytest.raises(DTypeError, match="relu: ") as caught:
        tf.nn.relu(object())
    assert "\n  at test_calls.py:" in str(caught.value)
    with pytest.raises(ValueError, match="variables_initializer: cannot take") as attribute:
        tf.variables_initializer([3])  # type: ignore[list-item]
    assert isinstance(attribute.value.__cause__, AttributeError)


def test_functions_keep_their_names_and_places() -> None:
    assert tf.nn.relu.__name__ == "relu"
    assert pickle.loads(pickle.dumps(tf.nn.relu)) is tf.nn.relu
    assert tf.pack is tf.stack
