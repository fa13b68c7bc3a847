"""`import tensorflow` finds Thalweg, and what is missing is named."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import thalweg
from thalweg import compat
from thalweg.compat.facade import MissingModuleError, MissingNameError
from thalweg.compat.nearest import nearest


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    compat.install()
    yield
    compat.uninstall()
    assert "tensorflow" not in sys.modules


def imported(name: str) -> Any:
    return importlib.import_module(name)


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        ("tensorflow", "matmul", thalweg.matmul),
        ("tensorflow", "float32", thalweg.float32),
        ("tensorflow.compat.v1", "Session", thalweg.Session),
        ("tensorflow.nn", "softmax", thalweg.nn.softmax),
        ("tensorflow.contrib.rnn", "LSTMCell", thalweg.contrib.rnn.LSTMCell),
        ("tensorflow.compat.v1.train", "AdamOptimizer", thalweg.train.AdamOptimizer),
        ("tensorflow.python.framework.ops", "reset_default_graph", thalweg.reset_default_graph),
        ("tensorflow.python.ops.array_ops", "reshape", thalweg.reshape),
        ("tensorflow.python.ops.rnn_cell", "GRUCell", thalweg.nn.rnn_cell.GRUCell),
        ("tensorflow.python.platform.gfile", "Exists", thalweg.gfile.Exists),
        ("tensorflow.python.lib.io.file_io", "file_exists", thalweg.gfile.Exists),
        ("tensorflow.app.flags", "FLAGS", thalweg.flags.FLAGS),
    ],
)
def test_names_of_modules(module: str, name: str, value: object) -> None:
    assert getattr(imported(module), name) is value


def test_modules_can_be_reached_in_every_way() -> None:
    tf = imported("tensorflow")
    assert tf.nn is imported("tensorflow.nn")
    assert tf.compat.v1.compat.v1.matmul is thalweg.matmul
    assert tf.compat.as_str(b"a") == tf.compat.as_str("a") == "a"
    assert tf.compat.as_bytes("a") == b"a"
    assert tf.python.framework.ops.Tensor is thalweg.Tensor
    assert imported("tensorflow.python.framework.tensor_shape").scalar().as_list() == []
    names: dict[str, Any] = {}
    exec("from tensorflow.contrib import rnn\nfrom tensorflow.nn import relu", names)
    assert names["relu"] is thalweg.nn.relu
    assert names["rnn"].LSTMCell is thalweg.nn.rnn_cell.LSTMCell


def test_it_says_that_it_is_tensorflow_1() -> None:
    tf = imported("tensorflow.compat.v1")
    tf.disable_v2_behavior()
    assert tf.__version__.startswith("1.")
    assert not tf.executing_eagerly()


def test_the_digits_are_those_of_the_package() -> None:
    read = imported("tensorflow.examples.tutorials.mnist.input_data").read_data_sets
    data = read("MNIST_data/", False, True, dtype=thalweg.float32, validation_size=0, seed=1)
    assert data.train.images.shape == (60000, 784)
    assert data.train.labels.shape == (60000, 10)
    with pytest.raises(thalweg.errors.OpError, match="fake data"):
        read("MNIST_data/", fake_data=True)


def test_a_missing_name_says_which_one_where_and_the_nearest() -> None:
    tf = imported("tensorflow")
    with pytest.raises(MissingNameError) as caught:
        tf.nn.softmax_cross_entropy_with_logit()
    first, second = str(caught.value).splitlines()
    assert first.startswith("Thalweg has no tf.nn.softmax_cross_entropy_with_logit; the nearest")
    assert "tf.nn.softmax_cross_entropy_with_logits" in first
    assert second.endswith(": tf.nn.softmax_cross_entropy_with_logit()")
    assert "test_facade.py" in second
    assert not hasattr(tf, "no_such_name")


@pytest.mark.parametrize(
    "line",
    [
        "import tensorflow.keras.layers",
        "from tensorflow.keras import layers",
        "import tensorflow.keras",
    ],
)
def test_a_missing_module_is_an_import_error(line: str) -> None:
    with pytest.raises(MissingModuleError, match=r"Thalweg has no tf\.keras"):
        exec(line, {})


def test_a_missing_name_of_a_from_import() -> None:
    with pytest.raises(ImportError, match=r"no tf\.nn\.reluu; the nearest are tf\.nn\.relu,"):
        exec("from tensorflow.nn import reluu", {})


def test_what_modules_import_for_themselves_is_not_theirs() -> None:
    with pytest.raises(MissingNameError):
        imported("tensorflow.python.ops.nn").np  # noqa: B018
    assert "relu" in dir(imported("tensorflow.nn"))


def test_other_modules_are_none_of_its_business() -> None:
    with pytest.raises(ModuleNotFoundError, match="tensorflow_datasets"):
        imported("tensorflow_datasets")


def test_tensorflow_itself_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", sys)
    with pytest.raises(ImportError, match="imported already"):
        compat.install()


def test_nearest() -> None:
    assert nearest("softmax_cross_entropy_with_logits")[0].startswith("tf.nn.softmax_cross")
    assert nearest("train.GradientDescent")[0] == "tf.train.GradientDescentOptimizer"
    assert nearest("zzzzzzzz") == []
