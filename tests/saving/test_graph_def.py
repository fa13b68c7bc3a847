"""Graphs as data: what is written is read again, and nothing else is."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.ops.running import Case, build, run
from thalweg.graph import Graph, Op
from thalweg.ops.catalogue import ALL
from thalweg.ops.host.py_func import PyFunc
from thalweg.saving import plain

SAMPLED = [record for record in ALL if list(record.samples())]


def copy_of(graph: Graph) -> Graph:
    """The graph through JSON and back."""
    data = graph.as_graph_def().SerializeToString()
    made = Graph()
    with made.as_default():
        tf.import_graph_def(tf.GraphDef.FromString(data), name="")
    assert made.as_graph_def().SerializeToString() == data
    return made


def check_same(cases: list[Case], graph: Graph) -> None:
    """Each case computes the same bits in another graph."""
    copy = copy_of(graph)
    for case in cases:
        fetches = list(case.outputs)
        feeds = {copy.get_tensor_by_name(x.name): array for x, array in case.feeds.items()}
        again = [copy.get_tensor_by_name(y.name) for y in fetches]
        assert [y.spec for y in again] == [y.spec for y in fetches]
        for a, b in zip(
            run_all(graph, fetches, case.feeds), run_all(copy, again, feeds), strict=True
        ):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


def run_all(graph: Graph, fetches: list[Any], feeds: Any) -> list[Any]:
    return [np.asarray(value) for value in run(graph, fetches, feeds, "numpy")]


@pytest.mark.parametrize("record", SAMPLED, ids=lambda record: record.type)
def test_every_operation_comes_back_as_it_was(record: type[Op]) -> None:
    graph = Graph()
    samples = [s for s in record.samples() if not isinstance(s.op, PyFunc)]
    made = [build(graph, s, "float32", dynamic) for s in samples for dynamic in (False, True)]
    check_same([case for case in made if case is not None], graph)


def test_the_json_is_for_people_too() -> None:
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 2], name="x")
        with tf.control_dependencies([x]), tf.device("/cpu:0"):
            tf.add(x, tf.constant([0.5, -1.0], name="c"), name="y")
    text = graph.as_graph_def().to_json()
    nodes = {node["name"]: node for node in json.loads(text)["node"]}
    assert nodes["x"]["attr"] == {"dtype": "float32", "shape": [None, 2]}
    assert nodes["c"]["attr"]["value"]["array"] == {
        "dtype": "float32", "shape": [2], "data": [0.5, -1.0],
    }  # fmt: skip
    assert nodes["y"]["input"][0] == "x"
    assert nodes["y"]["input"][-1] == "^x"
    assert nodes["y"]["device"] == "/device:CPU:0"
    assert nodes["y"]["source"].startswith("test_graph_def.py:")


def test_nodes_have_the_fields_that_old_code_reads() -> None:
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.int32, [3], name="x")
        y = tf.identity(x, name="y")
    graph_def = graph.as_graph_def(add_shapes=True)
    assert [(n.name, n.op, n.input) for n in graph_def.node] == [
        ("x", "Placeholder", []),
        ("y", "Identity", ["x"]),
    ]
    assert y.op.node_def.name == "y"
    assert graph_def.node[1].attr["_output_shapes"] == [[3]]
    copy = tf.GraphDef()
    copy.node.extend([graph_def.node[0]])
    copy.node.add().CopyFrom(graph_def.node[1])
    assert copy == graph_def
    copy.node[1].input[0] = "z"
    assert graph_def.node[1].input == ["x"]
    assert [n.name for n in graph.as_graph_def(from_version=1).node] == ["y"]


def test_what_set_shape_has_said_is_kept() -> None:
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, name="x")
        x.set_shape([None, 3])
        tf.square(x, name="y")
    assert copy_of(graph).get_tensor_by_name("y:0").static_shape == (None, 3)


@pytest.mark.parametrize(
    "array",
    [
        np.array([np.nan, -0.0, np.inf], np.float32),
        np.array([0x7FC12345, 0xFFFFFFFF], np.uint32).view(np.float32),
        np.array(3.14159, np.float16),
        np.array([[True], [False]]),
        np.array([2**63 - 1, -(2**63)], np.int64),
        np.zeros((0, 3), np.uint8),
        np.arange(1000, dtype=np.float64),
        np.array([b"a", b"\xff\x00", "\u00e9".encode()], object),
        np.array([], object),
    ],
    ids=lambda array: f"{array.dtype}{list(array.shape)}",
)
def test_constants_keep_their_bits(array: Any) -> None:
    with tf.Graph().as_default() as graph:
        tf.constant(array, tf.as_dtype(array.dtype), name="c")
    (again,) = run_all(copy_of(graph), ["c:0"], {})
    assert again.shape == array.shape
    if array.dtype.hasobject:
        assert again.tolist() == array.tolist()
    else:
        assert again.tobytes() == array.tobytes()


def test_bfloat16() -> None:
    with tf.Graph().as_default() as graph:
        tf.cast(tf.constant([1.5, 3e38], tf.bfloat16), tf.float32, name="y")
    (before,) = run_all(graph, ["y:0"], {})
    (after,) = run_all(copy_of(graph), ["y:0"], {})
    assert before.tobytes() == after.tobytes()


def test_numbers_that_are_not_finite() -> None:
    with tf.Graph().as_default() as graph:
        for value in (float("inf"), float("-inf"), float("nan")):
            tf.pad(tf.zeros([1]), [[1, 0]], constant_values=value)
    copy_of(graph)


def test_a_python_function_cannot_be_saved() -> None:
    with tf.Graph().as_default() as graph:
        tf.py_func(lambda x: x, [tf.zeros([])], tf.float32, name="f")
        with pytest.raises(
            tf.errors.GraphError, match=r"'f' \(PyFunc\) cannot be saved(.|\n)*at test_graph"
        ):
            graph.as_graph_def()


def test_import_under_a_name_with_other_inputs() -> None:
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [2], name="x")
        with tf.control_dependencies([tf.no_op("before")]):
            tf.square(x, name="y")
    with tf.Graph().as_default() as other:
        given, done = tf.constant([2.0, 3.0]), tf.no_op("done")
        elements = ["y:0", "y"]
        y, op = tf.import_graph_def(graph.as_graph_def(), {"x": given, "^before": done}, elements)
        assert (y.name, op.name, op.control_inputs) == ("import/y:0", "import/y", (done,))
        tf.import_graph_def(graph.as_graph_def())
        assert other.get_operation_by_name("import_1/y").type == "Square"
        assert tf.import_graph_def(graph.as_graph_def(), name="a/b") is None
        assert other.get_operation_by_name("a/b/y").type == "Square"
        np.testing.assert_array_equal(run_all(other, [y], {})[0], [4, 9])


def test_random_numbers_are_the_same_and_share_the_count_of_runs() -> None:
    with tf.Graph().as_default() as graph:
        x = tf.random_normal([3], seed=1, name="x")
        tf.import_graph_def(graph.as_graph_def())
        again = graph.get_tensor_by_name(f"import/{x.name}")
        with tf.Session() as session:
            for _ in range(2):
                a, b = session.run([x, again])
                np.testing.assert_array_equal(a, b)


def test_nodes_may_come_in_any_order() -> None:
    with tf.Graph().as_default() as graph:
        tf.add(tf.square(tf.constant(2.0)), 1.0, name="y")
    graph_def = graph.as_graph_def()
    graph_def.node.reverse()
    with tf.Graph().as_default() as other:
        tf.import_graph_def(graph_def, name="")
        assert run_all(other, ["y:0"], {}) == [5]


def test_the_gradient_of_an_imported_loop() -> None:
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [3], name="x")
        kept = tf.map_fn(lambda v: tf.cond(v > 1, lambda: v * v, lambda: v), x)
        _, y = tf.while_loop(lambda n, v: n < 3, lambda n, v: (n + 1, tf.sin(v) * kept), [0, x])
        tf.reduce_sum(y, name="loss")
    copy, feed = copy_of(graph), {"x:0": np.array([0.5, 1.5, 2.5], np.float32)}
    found = []
    for one in (graph, copy):
        with one.as_default():
            loss, x = (one.get_tensor_by_name(f"{name}:0") for name in ("loss", "x"))
            found += run_all(one, tf.gradients(loss, x), feed)
    np.testing.assert_array_equal(*found)


# -- what is refused


def node(**fields: Any) -> dict[str, Any]:
    return {"name": "y", "op": "Const", **fields}


def array(**fields: Any) -> dict[str, Any]:
    described = {"dtype": "float32", "shape": [1], "data": [0]}
    return node(attr={"value": {"array": described | fields}})


PLACEHOLDER = node(name="x", op="Placeholder", attr={"dtype": "float32", "shape": [2]})


def nested(depth: int) -> list[Any]:
    """A branch in a branch in a branch."""
    true = node(name="p", attr={"value": {"array": {"dtype": "bool", "shape": [], "data": [True]}}})
    last = {"node": [true], "input": [], "output": ["p"]}
    inner: dict[str, Any] = last
    for _ in range(depth):
        branch = node(op="Cond", input=["p"], attr={"then": inner, "otherwise": last})
        inner = {"node": [true, branch], "input": [], "output": ["y"]}
    nodes: list[Any] = inner["node"]
    return nodes


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([node(op="os.system")], "no operation of the type 'os.system'"),
        ([node(op="Op")], "no operation of the type 'Op'"),
        ([node(op="NoOp", attr={"_x": 1})], "no attribute '_x'"),
        ([node(op="Placeholder", attr={"dtype": "float32"})], "'shape' is missing"),
        ([node(op="Placeholder", attr={"dtype": "void", "shape": []})], "'dtype' must be DType"),
        ([node(op="Placeholder", attr={"dtype": "int8", "shape": [-1]})], "extents below 0"),
        ([node(op="PyFunc", attr={"callback": "print", "output_types": []})], "'callback' must be"),
        ([node(attr={"value": 1})], "'value' must be Attribute, not 1"),
        ([node(attr={**array()["attr"], "shape": [10**12]})], "no attribute 'shape'"),
        ([array(shape=[10**12])], "1 elements of float32 for"),
        ([array(shape=[-1])], "an array of the shape"),
        ([array(data="AAAA")], "buffer size"),
        ([array(data="*")], "the data of an array of float32"),
        ([array(data=[1e300])], "elements that are not float32"),
        ([array(data=["a"])], "elements that are not float32"),
        ([array(dtype="int8", data=[300])], "elements that are not int8"),
        ([array(dtype="object")], "an array of 'object'"),
        ([array(dtype="bool", data="Ag==")], "neither 0 nor 1"),
        ([array(dtype="string", data=["\ud800"])], "elements that are not string"),
        ([node(op="NoOp", input=["^z"])], "'z', which is not there"),
        ([node(op="NoOp", input=["^y"])], "'y' needs itself"),
        ([node(op="NoOp"), node(op="NoOp")], "two nodes have the name 'y'"),
        ([node(op="NoOp", name="a b")], "not a valid name"),
        ([node(op="NoOp", name="y/")], "not the name of an operation"),
        ([PLACEHOLDER, node(op="Square", input=["x:1"])], "1 outputs, so no 'x:1'"),
        ([PLACEHOLDER, node(op="MatMul", input=["x", "x"])], "rank"),
        ([PLACEHOLDER, node(op="Square", input=["x", "x"])], "takes 1 inputs, not 2"),
        ([PLACEHOLDER, node(op="ReadVariable", input=["x"])], "x:0' is no variable"),
        ([PLACEHOLDER, node(op="Square", input=["x"], device="nowhere!")], "device"),
        ([PLACEHOLDER, node(op="Square", input=["x"], attr={"_output_shapes": [[3]]})], "not comp"),
        ([node(name=1)], "'name' of a node is a int"),
        ([node(code="x")], "a node is an object with"),
        (nested(100), "bodies are nested more than 64 deep"),
        ({}, "the nodes of a graph are a list"),
    ],
)  # fmt: skip
def test_a_graph_that_is_none_is_refused(nodes: Any, message: str) -> None:
    text = json.dumps({"format": "thalweg.graph", "version": 1, "node": nodes})
    with tf.Graph().as_default(), pytest.raises(tf.errors.ThalwegError, match=message):
        tf.import_graph_def(tf.GraphDef.FromString(text.encode()))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON of the format"),
        (b"\x0a\x1f\x0a\x01x", "a protocol buffer of TensorFlow's"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"{}", "not JSON of the format 'thalweg.graph'"),
        (b'{"format": "thalweg.graph", "version": 2}', "version 2; this Thalweg reads up to 1"),
        (b'{"format": "thalweg.graph", "version": 1, "node": [], "node": []}', "twice"),
        (b'{"format": "thalweg.graph", "version": 1, "node": NaN}', "NaN"),
        (b"{\xff}", "not JSON"),
    ],
)
def test_bytes_that_are_no_graph(data: bytes, message: str) -> None:
    errors = (tf.errors.DataLossError, tf.errors.UnimplementedError)
    with pytest.raises(errors, match=message):
        tf.GraphDef.FromString(data)


def test_more_values_than_memory_should_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "MOST_VALUES", 100)
    with pytest.raises(tf.errors.DataLossError, match="more than 100 values"):
        tf.GraphDef.FromString(b"{" + b"0," * 200)
