"""What the functions of loops and branches take and return: structures of values, as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thalweg.graph import Operation, Tensor, default_graph
from thalweg.ops.arrays.reshape import identity
from thalweg.ops.build import constant_like, convert
from thalweg.ops.control.structure import flatten, pack_like


def as_tensors(structure: Any) -> list[Tensor]:
    """The leaves of a structure as tensors of the graph that is being built.

    An operation is taken for a bool scalar that is computed after it.
    """
    return [_as_tensor(leaf) for leaf in flatten(structure)]


def like(structure: Any, tensors: Sequence[Tensor]) -> Any:
    """A structure like another whose leaves stand for these tensors."""
    leaves = flatten(structure)
    pairs = zip(leaves, tensors, strict=True)
    return pack_like(structure, [_like(leaf, tensor) for leaf, tensor in pairs])


def _as_tensor(leaf: Any) -> Tensor:
    if isinstance(leaf, Operation):
        graph = default_graph()
        with graph.control_dependencies([leaf]):
            return identity(constant_like(graph, True))
    return convert(leaf.flow if hasattr(leaf, "with_flow") else leaf)


def _like(leaf: Any, tensor: Tensor) -> Any:
    return leaf.with_flow(tensor) if hasattr(leaf, "with_flow") else tensor
