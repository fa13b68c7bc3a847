"""A small decoder of the GPT-2 kind (Radford et al. 2019): attention, layer normalisation, gelu."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.models import Array, Data
from benchmarks.recipes import HEADS, NORM_EPSILON, RECIPES
from benchmarks.workloads.graph_model import GraphModel, optimiser, tf, variables
from benchmarks.workloads.workload import Cost, Workload, ones, training_cost, zeros

LAYERS, WIDTH, INNER, TOKENS, VOCABULARY = 4, 256, 1024, 128, 1000
DENSE = {
    "qkv": (WIDTH, 3 * WIDTH),
    "mix": (WIDTH, WIDTH),
    "up": (WIDTH, INNER),
    "down": (INNER, WIDTH),
}


def data(batches: int = 5, batch: int = 16, layers: int = LAYERS) -> Data:
    """Random weights; random tokens, of which each is to be predicted from those before it."""
    rng = np.random.default_rng(1)

    def weight(*shape: int) -> Array:
        return rng.standard_normal(shape, np.float32) * np.float32(0.02)

    weights = {"tokens": weight(VOCABULARY, WIDTH), "positions": weight(TOKENS, WIDTH)}
    for name in (f"layer{n}" for n in range(layers)):
        for norm in ("norm1", "norm2"):
            weights |= {f"{name}_{norm}_scale": ones(WIDTH), f"{name}_{norm}_offset": zeros(WIDTH)}
        for dense, (inputs, outputs) in DENSE.items():
            weights[f"{name}_{dense}_w"] = weight(inputs, outputs)
            weights[f"{name}_{dense}_b"] = zeros(outputs)
    weights |= {"norm_scale": ones(WIDTH), "norm_offset": zeros(WIDTH)}
    weights["out_w"] = weight(WIDTH, VOCABULARY)
    tokens = rng.integers(VOCABULARY, size=(batches, batch, TOKENS + 1))
    return Data(weights, tokens[..., :-1], tokens[..., 1:])


def build(data: Data, threads: int) -> GraphModel:
    """Thalweg's side."""
    tf.reset_default_graph()
    x = tf.placeholder(tf.int64, [None, TOKENS])
    y_ = tf.placeholder(tf.int64, [None, TOKENS])
    v = variables(data)
    logits = tf.matmul(_decoder(x, v), v["out_w"])
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=tf.reshape(y_, [-1]), logits=logits
    )
    loss = tf.reduce_mean(losses)
    train = optimiser(RECIPES["transformer"]).minimize(loss)
    return GraphModel(x, y_, loss, train, v, data, threads)


def _decoder(x: Any, v: Any) -> Any:
    """The last hidden values, [batch * tokens, width]."""
    later = np.triu(np.full((TOKENS, TOKENS), -1e9, np.float32), 1)

    def norm(h: Any, name: str) -> Any:
        mean, variance = tf.nn.moments(h, [-1], keep_dims=True)
        scale, offset = v[f"{name}_scale"], v[f"{name}_offset"]
        return tf.nn.batch_normalization(h, mean, variance, offset, scale, NORM_EPSILON)

    def dense(h: Any, name: str) -> Any:
        return tf.matmul(h, v[f"{name}_w"]) + v[f"{name}_b"]

    def attention(h: Any, name: str) -> Any:
        split = tf.reshape(dense(h, f"{name}_qkv"), [-1, TOKENS, 3, HEADS, WIDTH // HEADS])
        q, k, v = tf.unstack(tf.transpose(split, [2, 0, 3, 1, 4]))
        scores = tf.matmul(q, k, transpose_b=True) * (WIDTH // HEADS) ** -0.5
        mixed = tf.matmul(tf.nn.softmax(scores + later), v)
        joined = tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [-1, WIDTH])
        return dense(joined, f"{name}_mix")

    h = tf.reshape(tf.nn.embedding_lookup(v["tokens"], x) + v["positions"], [-1, WIDTH])
    for n in range(sum(name.endswith("_qkv_w") for name in v)):
        h = h + attention(norm(h, f"layer{n}_norm1"), f"layer{n}")
        up = tf.nn.gelu(dense(norm(h, f"layer{n}_norm2"), f"layer{n}_up"), approximate=True)
        h = h + dense(up, f"layer{n}_down")
    return norm(h, "norm")


def cost(data: Data) -> Cost:
    """The dense layers, and attention to the tokens that come before."""
    batch = data.inputs.shape[1]
    dense = sum(inputs * outputs for inputs, outputs in DENSE.values())
    pairs = TOKENS * (TOKENS + 1) // 2
    layer = batch * (TOKENS * dense + 2 * pairs * WIDTH)
    products = LAYERS * layer + batch * TOKENS * WIDTH * VOCABULARY
    return training_cost(data, products, 0, "adam")


WORKLOAD = Workload(
    name="transformer",
    title="Transformer, 4 layers of width 256, 128 tokens, batch 16, Adam",
    data=data,
    build=build,
    warm_up=1,
    steps=4,
    tolerance=1e-3,
    cost=cost,
)
