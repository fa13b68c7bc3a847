"""Seeds: what decides the random numbers of an operation, and the counter of runs."""

from __future__ import annotations

import os

from thalweg.graph import Graph, Tensor, default_graph
from thalweg.graph.effects import Origin
from thalweg.ops.arrays.constant import RunCounter
from thalweg.ops.random.philox import Key


def set_random_seed(seed: int | None) -> None:
    """Set the default graph's seed: with it, every run of a program draws the same numbers.

    An operation that is given no seed of its own takes one from its place among the graph's random
    operations.

    Args:
        seed: any integer, or None for fresh randomness in every process.
    """
    default_graph().root.seed = seed


_DEFAULT_GRAPH_SEED = 87654321  # TensorFlow's, where only the operation has a seed


def make_key(graph: Graph, seed: int | None) -> Key:
    """The key of a new operation, of which no other has the place."""
    root = graph.root
    place, root.random_ops = root.random_ops, root.random_ops + 1
    return seed_key(root, seed, place)


def seed_key(graph: Graph, seed: int | None, place: int) -> Key:
    """What the graph's seed and one's own decide; `place` stands for the latter if it is None."""
    if graph.seed is None and seed is None:
        drawn = int.from_bytes(os.urandom(8), "little")
        return _signed(drawn & 0xFFFFFFFF), _signed(drawn >> 32)
    first = _DEFAULT_GRAPH_SEED if graph.seed is None else int(graph.seed)
    second = place if seed is None else int(seed)
    return _signed(first), _signed(second)


def _signed(seed: int) -> int:
    """Any integer as 32 bits, those above folded in, read as a signed number."""
    bits = (seed ^ (seed >> 32) if seed >= 2**32 else seed) & 0xFFFFFFFF
    return bits - 2**32 if bits >= 2**31 else bits


def run_counter(graph: Graph) -> Tensor:
    """The graph's one tensor that counts the session's runs."""
    for node in graph.operations:
        if node.record.origin is Origin.RUN_COUNTER:
            return node.outputs[0]
    with graph.name_scope(None), graph.control_dependencies(None):
        return graph.add(RunCounter()).outputs[0]
