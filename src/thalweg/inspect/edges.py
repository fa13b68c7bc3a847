"""What leads from box to box: the edges inside each scope, and those that leave it."""

from __future__ import annotations

from collections.abc import Iterator

from thalweg.base.record import Record, field
from thalweg.graph import Operation, Tensor
from thalweg.inspect.scopes import Box, is_aside

__all__ = ["Edge", "Links", "links"]

MOST_NAMED = 6  # tensors of one edge
TIMES = " \N{MULTIPLICATION SIGN} "


class Edge(Record, frozen=False, eq=False):
    """From one box of a scope to another.

    Attributes:
        tensors: what is read along it; none if it is a control dependency.
    """

    tensors: dict[Tensor, None] = field(default_factory=dict)

    def label(self) -> str:
        """The shape, as `? × 784`, or how many tensors there are."""
        if len(self.tensors) > 1:
            return f"{len(self.tensors)} tensors"
        for tensor in self.tensors:
            shape = tensor.static_shape
            if shape is None:
                return "?"
            return TIMES.join("?" if extent is None else str(extent) for extent in shape)
        return ""

    def title(self) -> str:
        """Names, shapes and dtypes of the tensors."""
        lines = [f"{tensor.name}  {tensor.spec}" for tensor in self.tensors]
        more = [f"and {len(lines) - MOST_NAMED} more"] if len(lines) > MOST_NAMED else []
        return "\n".join([*lines[:MOST_NAMED], *more]) or "runs before"


class Links(Record, frozen=False, eq=False):
    """The edges inside a scope.

    Attributes:
        inside: by the boxes at both ends.
        enter: by the name of a box outside and the box inside that reads of it.
        leave: by the box inside and the name of the one outside.
    """

    inside: dict[tuple[Box, Box], Edge] = field(default_factory=dict)
    enter: dict[tuple[str, Box], Edge] = field(default_factory=dict)
    leave: dict[tuple[Box, str], Edge] = field(default_factory=dict)


def links(root: Box) -> dict[Box, Links]:
    """The edges inside each scope of a tree.

    What leads to boxes that stand aside, such as those of the gradients, is no edge that leaves.
    """
    found: dict[Box, Links] = {}
    chains = dict(_chains(root, (root,)))
    beside = {box for box in {box for chain in chains.values() for box in chain} if is_aside(box)}
    for op, chain in chains.items():
        found.update({box: Links() for box in chain if box.inner and box not in found})
        for tensor in op.inputs:
            if tensor.op in chains:
                _link(found, beside, chains[tensor.op], chain, tensor)
        for before in op.control_inputs:
            if before in chains:
                _link(found, beside, chains[before], chain, None)
    return found


def _chains(box: Box, chain: tuple[Box, ...]) -> Iterator[tuple[Operation, tuple[Box, ...]]]:
    """Each operation with the boxes that it lies in, the outermost first."""
    if box.op is not None:
        yield box.op, chain
    for inner in box.inner.values():
        yield from _chains(inner, (*chain, inner))


def _link(
    found: dict[Box, Links],
    beside: set[Box],
    source: tuple[Box, ...],
    target: tuple[Box, ...],
    tensor: Tensor | None,
) -> None:
    """Note an edge in the scope that both ends lie in, and in those that it leaves or enters."""
    depth = 0
    while depth < min(len(source), len(target)) and source[depth] is target[depth]:
        depth += 1
    if depth < min(len(source), len(target)):
        edges: dict[tuple[Box, Box], Edge] = found.setdefault(source[depth - 1], Links()).inside
        _add(edges.setdefault((source[depth], target[depth]), Edge()), tensor)
    if depth < min(len(source), len(target)) and _is_apart(source[depth], target[depth], beside):
        return
    for level in range(depth, len(source) - 1):
        leave = found.setdefault(source[level], Links()).leave
        name = target[depth].name if depth < len(target) else "out"
        _add(leave.setdefault((source[level + 1], name), Edge()), tensor)
    for level in range(depth, len(target) - 1):
        enter = found.setdefault(target[level], Links()).enter
        name = source[depth].name if depth < len(source) else "in"
        _add(enter.setdefault((name, target[level + 1]), Edge()), tensor)


def _is_apart(source: Box, target: Box, beside: set[Box]) -> bool:
    """Whether an edge between two boxes is not shown inside them."""
    return (target in beside and source not in beside) or source.name == "RunCounter"


def _add(edge: Edge, tensor: Tensor | None) -> None:
    if tensor is not None:
        edge.tensors[tensor] = None
