"""The networks as ONNX models, for the engines that only predict: channels second, one batch size.

A model has one output, and one input unless nothing is fed. The engines fold what they like: batch
normalisation is left to them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.models import Array, Data
from benchmarks.recipes import (
    NORM_EPSILON,
    PREDICTIONS,
    RESPONSE_ALPHA,
    RESPONSE_BETA,
    RESPONSE_CHANNELS,
    blocks,
)

onnx: Any = importlib.import_module("onnx")  # where mypy runs there may be none

INPUT, OPSET, IR_VERSION = "input", 17, 8
CHANNELS_SECOND = (0, 3, 1, 2)


class Graph:
    """A model's nodes and constants, in the order in which they are added.

    Args:
        weights: by their names; convolutions' are [height, width, in, out].
    """

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self.weights = weights
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """The name of a new node's output."""
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def constant(self, array: Array) -> str:
        """The name of a constant."""
        name = f"constant_{len(self.constants)}"
        contiguous = np.ascontiguousarray(array)
        self.constants.append(onnx.numpy_helper.from_array(contiguous.reshape(array.shape), name))
        return name

    def convolution(self, h: str, name: str, stride: int = 1, bias: bool = True) -> str:
        """A convolution, padded on every side by half the kernel's size."""
        kernel = self.weights[f"{name}_w"].transpose(3, 2, 0, 1)
        constants = [kernel, self.weights[f"{name}_b"]] if bias else [kernel]
        padding, strides = [kernel.shape[-1] // 2] * 4, [stride] * 2
        inputs = [h, *map(self.constant, constants)]
        return self.add("Conv", *inputs, pads=padding, strides=strides)

    def normalised(self, h: str, name: str, stride: int = 1) -> str:
        """A convolution and batch normalisation by moments that are given."""
        h = self.convolution(h, name, stride, bias=False)
        kinds = ("scale", "offset", "mean", "variance")
        arrays = [self.constant(self.weights[f"{name}_{kind}"]) for kind in kinds]
        return self.add("BatchNormalization", h, *arrays, epsilon=NORM_EPSILON)

    def max_pool(self, h: str, size: int, stride: int) -> str:
        """The largest of each window, padded as TensorFlow's SAME is."""
        same = {"auto_pad": "SAME_UPPER"}
        return self.add("MaxPool", h, kernel_shape=[size] * 2, strides=[stride] * 2, **same)

    def dense(self, h: str, weight: Array, bias: Array) -> str:
        """A dense layer, [in, out]."""
        return self.add("Gemm", h, self.constant(weight), self.constant(bias))

    def classified(self, h: str) -> str:
        """The logits of a network that ends with the mean over height and width."""
        flat = self.add("Flatten", self.add("GlobalAveragePool", h))
        return self.dense(flat, self.weights["out_w"], self.weights["out_b"])


def cnn(graph: Graph, images: str) -> str:
    """The tutorial's network."""
    w = graph.weights
    h = graph.add("Reshape", images, graph.constant(np.array([-1, 1, 28, 28])))
    for name in ("conv1", "conv2"):
        h = graph.max_pool(graph.add("Relu", graph.convolution(h, name)), 2, 2)
    dense = w["dense_w"].reshape(7, 7, 64, 1024).transpose(2, 0, 1, 3).reshape(-1, 1024)
    h = graph.dense(graph.add("Flatten", h), dense, w["dense_b"])
    return graph.dense(graph.add("Relu", h), w["out_w"], w["out_b"])


def resnet50(graph: Graph, images: str) -> str:
    """ResNet-50."""

    def block(h: str, name: str) -> str:
        projected = f"{name}_skip_w" in graph.weights
        stride = 2 if projected and not name.startswith("stage0") else 1
        skip = graph.normalised(h, f"{name}_skip", stride) if projected else h
        h = graph.add("Relu", graph.normalised(h, f"{name}_conv1"))
        h = graph.add("Relu", graph.normalised(h, f"{name}_conv2", stride))
        return graph.add("Relu", graph.add("Add", graph.normalised(h, f"{name}_conv3"), skip))

    h = graph.add("Transpose", images, perm=CHANNELS_SECOND)
    h = graph.max_pool(graph.add("Relu", graph.normalised(h, "stem", 2)), 3, 2)
    for name in blocks(graph.weights, "_conv1_w"):
        h = block(h, name)
    return graph.classified(h)


def googlenet(graph: Graph, images: str) -> str:
    """GoogLeNet."""

    def convolution(h: str, name: str, stride: int = 1) -> str:
        return graph.add("Relu", graph.convolution(h, name, stride))

    def norm(h: str) -> str:
        constants = {"alpha": RESPONSE_ALPHA, "beta": RESPONSE_BETA, "bias": 1.0}
        return graph.add("LRN", h, size=RESPONSE_CHANNELS, **constants)

    def module(h: str, name: str) -> str:
        one = convolution(h, f"{name}_1x1")
        three = convolution(convolution(h, f"{name}_3x3_reduce"), f"{name}_3x3")
        five = convolution(convolution(h, f"{name}_5x5_reduce"), f"{name}_5x5")
        pool = convolution(graph.max_pool(h, 3, 1), f"{name}_pool")
        return graph.add("Concat", one, three, five, pool, axis=1)

    h = graph.add("Transpose", images, perm=CHANNELS_SECOND)
    h = norm(graph.max_pool(convolution(h, "conv1", 2), 3, 2))
    h = graph.max_pool(norm(convolution(convolution(h, "conv2"), "conv3")), 3, 2)
    for name in blocks(graph.weights, "_pool_w"):
        h = module(graph.max_pool(h, 3, 2) if name in ("4a", "5a") else h, name)
    return graph.classified(h)


NETWORKS: dict[str, Callable[[Graph, str], str]] = {
    "cnn": cnn,
    "resnet50": resnet50,
    "googlenet": googlenet,
}


def model(workload: str, data: Data) -> bytes | None:
    """A workload as a serialised model; None if it is none that only predicts."""
    graph, fed = Graph(data.weights), data.inputs[0]
    if workload in PREDICTIONS:
        logits = NETWORKS[PREDICTIONS[workload]](graph, INPUT)
        return _serialised(graph, graph.add("Softmax", logits), fed)
    one = np.ones((), np.float32)
    if workload == "add":
        return _serialised(graph, graph.add("Add", INPUT, graph.constant(one)), fed)
    if workload == "empty":
        value = onnx.numpy_helper.from_array(one)
        return _serialised(graph, graph.add("Constant", value=value), None)
    return None


def _serialised(graph: Graph, output: str, fed: Array | None) -> bytes:
    helper, single = onnx.helper, onnx.TensorProto.FLOAT
    inputs = [] if fed is None else [helper.make_tensor_value_info(INPUT, single, fed.shape)]
    outputs = [helper.make_tensor_value_info(output, single, None)]
    whole = helper.make_graph(graph.nodes, "model", inputs, outputs, graph.constants)
    opsets = [helper.make_opsetid("", OPSET)]
    made = helper.make_model(whole, opset_imports=opsets, ir_version=IR_VERSION)
    return made.SerializeToString()  # type: ignore[no-any-return]
