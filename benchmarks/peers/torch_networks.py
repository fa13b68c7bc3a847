"""The networks as PyTorch's own users write them, in each way that may be the fastest."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.recipes import (
    HEADS,
    NORM_EPSILON,
    RESPONSE_ALPHA,
    RESPONSE_BETA,
    RESPONSE_CHANNELS,
    blocks,
)

torch: Any = importlib.import_module("torch")  # where mypy runs there may be none
F: Any = torch.nn.functional

Parameters = dict[str, Any]


@dataclass(frozen=True)
class Network:
    """A network in one way of running it.

    Attributes:
        way: what is particular about it, if there is a choice.
        weights: the starting values, laid out as `logits` wants them.
        logits: from the weights, a batch and the share of units that dropout keeps.
        compiles: whether torch.compile can do it.
    """

    way: str
    weights: Parameters
    logits: Callable[[Parameters, Any, float], Any]
    compiles: bool = True


def softmax(arrays: Mapping[str, Any]) -> list[Network]:
    """Softmax regression."""

    def logits(w: Parameters, images: Any, keep: float) -> Any:
        return F.linear(images, w["out_w"], w["out_b"])

    return [Network("", _transposed(arrays), logits)]


def mlp(arrays: Mapping[str, Any]) -> list[Network]:
    """Two hidden layers."""

    def logits(w: Parameters, images: Any, keep: float) -> Any:
        h = F.relu(F.linear(images, w["hidden1_w"], w["hidden1_b"]))
        h = F.relu(F.linear(h, w["hidden2_w"], w["hidden2_b"]))
        return F.linear(h, w["out_w"], w["out_b"])

    return [Network("", _transposed(arrays), logits)]


def gan(arrays: Mapping[str, Any]) -> list[Network]:
    """A generator and a discriminator, of what is real and of what is drawn."""
    noise = arrays["draw1_w"].shape[0]

    def dense(w: Parameters, h: Any, name: str) -> Any:
        return F.linear(h, w[f"{name}_w"], w[f"{name}_b"])

    def judged(w: Parameters, images: Any) -> Any:
        return dense(w, F.relu(dense(w, images, "judge1")), "judge2")

    def logits(w: Parameters, inputs: Any, keep: float) -> Any:
        images, random = inputs[:, :-noise], inputs[:, -noise:]
        drawn = torch.sigmoid(dense(w, F.relu(dense(w, random, "draw1")), "draw2"))
        turned = 2.0 * drawn.detach() - drawn
        return torch.stack([judged(w, images), judged(w, turned)], 1)

    return [Network("", _transposed(arrays), logits)]


def cnn(arrays: Mapping[str, Any]) -> list[Network]:
    """The tutorial's network. Its features are in the order of the layout: no layout copies."""
    return [_cnn(arrays, channels_last) for channels_last in (True, False)]


def _cnn(arrays: Mapping[str, Any], channels_last: bool) -> Network:
    memory, way = _layout(channels_last)
    weights = _convolutions(arrays, memory)
    dense = weights["dense_w"]
    if not channels_last:
        dense = dense.reshape(7, 7, 64, 1024).permute(2, 0, 1, 3).reshape(7 * 7 * 64, 1024)
    weights |= {"dense_w": dense.T.contiguous(), "out_w": weights["out_w"].T.contiguous()}

    def logits(w: Parameters, images: Any, keep: float) -> Any:
        h = images.reshape(-1, 1, 28, 28).contiguous(memory_format=memory)
        for name in ("conv1", "conv2"):
            h = F.relu(F.conv2d(h, w[f"{name}_w"], w[f"{name}_b"], padding=2))
            h = F.max_pool2d(h, 2)
        h = (h.permute(0, 2, 3, 1) if channels_last else h).reshape(-1, 7 * 7 * 64)
        h = F.relu(F.linear(h, w["dense_w"], w["dense_b"]))
        h = F.dropout(h, 1 - keep) if keep < 1 else h
        return F.linear(h, w["out_w"], w["out_b"])

    return Network(way, weights, logits)


def resnet(arrays: Mapping[str, Any]) -> list[Network]:
    """ResNet-20, in each memory layout."""
    return [_resnet(arrays, channels_last) for channels_last in (True, False)]


def _resnet(arrays: Mapping[str, Any], channels_last: bool) -> Network:
    memory, way = _layout(channels_last)
    weights = _convolutions(arrays, memory)
    weights["out_w"] = weights["out_w"].T.contiguous()

    def block(w: Parameters, h: Any, name: str) -> Any:
        projected = f"{name}_skip_w" in w
        stride = 2 if projected else 1
        skip = _normalised(w, h, f"{name}_skip", stride) if projected else h
        h = F.relu(_normalised(w, h, f"{name}_conv1", stride))
        return F.relu(_normalised(w, h, f"{name}_conv2") + skip)

    def logits(w: Parameters, images: Any, keep: float) -> Any:
        h = images.permute(0, 3, 1, 2).contiguous(memory_format=memory)
        h = F.relu(_normalised(w, h, "stem"))
        for name in blocks(w, "_conv1_w"):
            h = block(w, h, name)
        return F.linear(h.mean((2, 3)), w["out_w"], w["out_b"])

    return Network(way, weights, logits)


def resnet50(arrays: Mapping[str, Any]) -> list[Network]:
    """ResNet-50, in each memory layout."""
    return [_resnet50(arrays, channels_last) for channels_last in (True, False)]


def _resnet50(arrays: Mapping[str, Any], channels_last: bool) -> Network:
    memory, way = _layout(channels_last)
    weights = _convolutions(arrays, memory)
    weights["out_w"] = weights["out_w"].T.contiguous()

    def block(w: Parameters, h: Any, name: str) -> Any:
        projected = f"{name}_skip_w" in w
        stride = 2 if projected and not name.startswith("stage0") else 1
        skip = _normalised(w, h, f"{name}_skip", stride) if projected else h
        h = F.relu(_normalised(w, h, f"{name}_conv1"))
        h = F.relu(_normalised(w, h, f"{name}_conv2", stride))
        return F.relu(_normalised(w, h, f"{name}_conv3") + skip)

    def logits(w: Parameters, images: Any, keep: float) -> Any:
        h = images.permute(0, 3, 1, 2).contiguous(memory_format=memory)
        h = F.relu(_normalised(w, h, "stem", 2))
        h = F.max_pool2d(h, 3, 2, ceil_mode=True)
        for name in blocks(w, "_conv1_w"):
            h = block(w, h, name)
        return F.linear(h.mean((2, 3)), w["out_w"], w["out_b"])

    return Network(way, weights, logits)


def googlenet(arrays: Mapping[str, Any]) -> list[Network]:
    """GoogLeNet, in each memory layout."""
    return [_googlenet(arrays, channels_last) for channels_last in (True, False)]


def _googlenet(arrays: Mapping[str, Any], channels_last: bool) -> Network:
    memory, way = _layout(channels_last)
    weights = _convolutions(arrays, memory)
    weights["out_w"] = weights["out_w"].T.contiguous()

    def convolution(w: Parameters, h: Any, name: str, stride: int = 1) -> Any:
        kernel = w[f"{name}_w"]
        return F.relu(F.conv2d(h, kernel, w[f"{name}_b"], stride, kernel.shape[-1] // 2))

    def norm(h: Any) -> Any:
        return F.local_response_norm(h, RESPONSE_CHANNELS, RESPONSE_ALPHA, RESPONSE_BETA)

    def halved(h: Any) -> Any:
        return F.max_pool2d(h, 3, 2, ceil_mode=True)

    def module(w: Parameters, h: Any, name: str) -> Any:
        three = convolution(w, convolution(w, h, f"{name}_3x3_reduce"), f"{name}_3x3")
        five = convolution(w, convolution(w, h, f"{name}_5x5_reduce"), f"{name}_5x5")
        pool = convolution(w, F.max_pool2d(h, 3, 1, 1), f"{name}_pool")
        return torch.cat([convolution(w, h, f"{name}_1x1"), three, five, pool], 1)

    def logits(w: Parameters, images: Any, keep: float) -> Any:
        h = images.permute(0, 3, 1, 2).contiguous(memory_format=memory)
        h = norm(halved(convolution(w, h, "conv1", 2)))
        h = halved(norm(convolution(w, convolution(w, h, "conv2"), "conv3")))
        for name in blocks(w, "_pool_w"):
            h = module(w, halved(h) if name in ("4a", "5a") else h, name)
        h = h.mean((2, 3))
        return F.linear(F.dropout(h, 1 - keep) if keep < 1 else h, w["out_w"], w["out_b"])

    return Network(way, weights, logits)


def transformer(arrays: Mapping[str, Any]) -> list[Network]:
    """A decoder of the GPT-2 kind."""
    layers = sum(name.endswith("_qkv_w") for name in arrays)

    def norm(w: Parameters, h: Any, name: str) -> Any:
        scale, offset = w[f"{name}_scale"], w[f"{name}_offset"]
        return F.layer_norm(h, scale.shape, scale, offset, NORM_EPSILON)

    def dense(w: Parameters, h: Any, name: str) -> Any:
        return F.linear(h, w[f"{name}_w"], w[f"{name}_b"])

    def attention(w: Parameters, h: Any, name: str) -> Any:
        batch, tokens, width = h.shape
        split = dense(w, h, f"{name}_qkv").view(batch, tokens, 3, HEADS, width // HEADS)
        q, k, v = split.permute(2, 0, 3, 1, 4).unbind()
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return dense(w, mixed.transpose(1, 2).reshape(batch, tokens, width), f"{name}_mix")

    def logits(w: Parameters, tokens: Any, keep: float) -> Any:
        h = F.embedding(tokens, w["tokens"]) + w["positions"]
        for n in range(layers):
            h = h + attention(w, norm(w, h, f"layer{n}_norm1"), f"layer{n}")
            up = dense(w, norm(w, h, f"layer{n}_norm2"), f"layer{n}_up")
            h = h + dense(w, F.gelu(up, approximate="tanh"), f"layer{n}_down")
        return F.linear(norm(w, h, "norm"), w["out_w"])

    return [Network("", _transposed(arrays), logits)]


def lstm(arrays: Mapping[str, Any]) -> list[Network]:
    """An LSTM over an image's rows: PyTorch's own, and its steps written out."""
    weights = _transposed(arrays)
    units = arrays["state_w"].shape[0]
    # PyTorch's own has two biases that are added; a second that learns would learn twice as fast.
    no_bias = torch.zeros(4 * units)

    def whole(w: Parameters, images: Any, keep: float) -> Any:
        rows = images.reshape(-1, 28, 28)
        state = torch.zeros(1, len(rows), units)
        flat = [w["input_w"], w["state_w"], w["gates_b"], no_bias]
        _, last, _ = torch.lstm(rows, (state, state), flat, True, 1, 0.0, True, False, True)
        return F.linear(last[0], w["out_w"], w["out_b"])

    def steps(w: Parameters, images: Any, keep: float) -> Any:
        rows = images.reshape(-1, 28, 28)
        inputs = F.linear(rows, w["input_w"], w["gates_b"]).unbind(1)
        h = c = torch.zeros(len(rows), units)
        for gates in inputs:
            i, f, g, o = (gates + F.linear(h, w["state_w"])).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        return F.linear(h, w["out_w"], w["out_b"])

    # Of torch.lstm, TorchInductor 2.13 makes a call of oneDNN whose result it then rejects.
    return [
        Network("torch.lstm", weights, whole, compiles=False),
        Network("written out", weights, steps),
    ]


def lstm_lengths(arrays: Mapping[str, Any]) -> list[Network]:
    """An LSTM over sequences that end before the rows that are zero: packed, or on all rows."""
    weights = _transposed(arrays)
    units = arrays["state_w"].shape[0]
    no_bias = torch.zeros(4 * units)  # as above

    def arguments(w: Parameters, batch: int) -> tuple[Any, Any]:
        state = torch.zeros(1, batch, units)
        return (state, state), [w["input_w"], w["state_w"], w["gates_b"], no_bias]

    def lengths(sequences: Any) -> Any:
        return (sequences.abs().amax(2) > 0).sum(1)

    def packed(w: Parameters, sequences: Any, keep: float) -> Any:
        pack = torch.nn.utils.rnn.pack_padded_sequence
        made = pack(sequences, lengths(sequences), batch_first=True, enforce_sorted=False)
        state, flat = arguments(w, len(sequences))
        _, last, _ = torch.lstm(made.data, made.batch_sizes, state, flat, True, 1, 0.0, True, False)
        return F.linear(last[0][made.unsorted_indices], w["out_w"], w["out_b"])

    def whole(w: Parameters, sequences: Any, keep: float) -> Any:
        state, flat = arguments(w, len(sequences))
        every, _, _ = torch.lstm(sequences, state, flat, True, 1, 0.0, True, False, True)
        last = every[torch.arange(len(sequences)), lengths(sequences) - 1]
        return F.linear(last, w["out_w"], w["out_b"])

    return [
        Network("packed sequences", weights, packed, compiles=False),
        Network("all rows", weights, whole, compiles=False),
    ]


NETWORKS: dict[str, Callable[[Mapping[str, Any]], list[Network]]] = {
    "softmax": softmax,
    "mlp": mlp,
    "gan": gan,
    "cnn": cnn,
    "resnet": resnet,
    "resnet50": resnet50,
    "googlenet": googlenet,
    "transformer": transformer,
    "lstm": lstm,
    "lstm_lengths": lstm_lengths,
}


def _normalised(w: Parameters, h: Any, name: str, stride: int = 1) -> Any:
    """A convolution and batch normalisation: by moments that are given, or the batch's own."""
    kernel = w[f"{name}_w"]
    h = F.conv2d(h, kernel, stride=stride, padding=kernel.shape[-1] // 2)
    mean, variance = w.get(f"{name}_mean"), w.get(f"{name}_variance")
    scale, offset = w[f"{name}_scale"], w[f"{name}_offset"]
    return F.batch_norm(h, mean, variance, scale, offset, mean is None, eps=NORM_EPSILON)


def _layout(channels_last: bool) -> tuple[Any, str]:
    if channels_last:
        return torch.channels_last, "channels last"
    return torch.contiguous_format, "channels first"


def _transposed(arrays: Mapping[str, Any]) -> Parameters:
    """Dense weights as [out, in], which is what `F.linear` takes."""
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return {k: t.T.contiguous() if k.endswith("_w") else t for k, t in tensors.items()}


def _convolutions(arrays: Mapping[str, Any], memory: Any) -> Parameters:
    """Kernels as [out, in, height, width], in a memory layout."""
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    kernels = {k: t.permute(3, 2, 0, 1) for k, t in tensors.items() if t.ndim == 4}
    return tensors | {k: t.contiguous(memory_format=memory) for k, t in kernels.items()}
