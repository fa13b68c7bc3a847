"""The operations of a graph as a tree of boxes, one for each name scope.

    conv1/W, conv1/W/read, conv1/Conv2D, Softmax, Softmax/Max   ->   conv1[W, Conv2D], Softmax

What makes a variable's first value stands inside the variable's box. An operation with bodies, a
loop for example, is a box with a box for each body.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

from thalweg.base.record import Record, field
from thalweg.graph import Graph, Operation
from thalweg.graph.body import Body

__all__ = ["Box", "boxes_of", "is_aside"]

MOST_BOXES = 48  # in one scope; where there are more, neighbours share a box
GRADIENTS = "gradients"
VARIABLE = "VariableV2"
MINOR = frozenset({"Broadcast", "BroadcastLike", "Cast", "Const", "Identity", "Reshape", "Size"})


class Box(Record, frozen=False, eq=False):
    """A scope or an operation.

    Attributes:
        name: the last part of its path.
        op: the operation of just this path, if there is one.
        inner: the boxes in it, by name, in the order in which their first operations were made.
    """

    name: str
    path: str = ""
    op: Operation | None = None
    inner: dict[str, Box] = field(default_factory=dict)

    KINDS: ClassVar = {"Placeholder": "placeholder", VARIABLE: "variable", "Const": "constant"}

    def ops(self) -> Iterator[Operation]:
        """All operations in it."""
        if self.op is not None:
            yield self.op
        for box in self.inner.values():
            yield from box.ops()

    def count(self) -> int:
        """How many operations there are in it."""
        return sum(1 for _ in self.ops())

    def kind(self) -> str:
        """What it is drawn as."""
        if self.name.split("_")[0] == GRADIENTS:
            return "gradients"
        if self.op is None:
            return "scope"
        if any(isinstance(value, Body) for _, value in _bodies(self.op)):
            return "loop"
        if self.op.type in self.KINDS:
            return self.KINDS[self.op.type]
        minor = all(op is self.op or op.type in MINOR for op in self.ops())
        return "operation" if minor else "scope"


def boxes_of(graph: Graph) -> Box:
    """The box of a whole graph."""
    return _boxes(graph.operations)


def is_aside(box: Box) -> bool:
    """Whether it trains or initialises: it writes variables that are not its own, or only waits."""
    if box.kind() == "gradients" or (box.op is not None and box.op.type == "RunCounter"):
        return True
    own = set(box.ops())
    writes = [op.inputs[n].op for op in own for n in op.record.effects.writes]
    return any(variable not in own for variable in writes) or all(op.type == "NoOp" for op in own)


def _boxes(ops: Sequence[Operation], path: str = "", scope: str = "") -> Box:
    """The boxes of some operations, in one of this path; names lose the scope that all lie in."""
    root = Box("", path)
    homes = _homes(ops)
    for op in ops:
        box = root
        for part in homes.get(op, op.name).removeprefix(scope).split("/"):
            inner_path = f"{box.path}/{part}" if box.path else part
            box = box.inner.setdefault(part, Box(part, inner_path))
        box.op = op
        for name, body in _bodies(op):
            inner = _boxes(body.operations, f"{box.path}/{name}", f"{op.name.rpartition('/')[0]}/")
            inner.name = name
            box.inner[name] = inner
    _tidy(root)
    return root


def _bodies(op: Operation) -> Iterator[tuple[str, Body]]:
    for name in op.record.fields:
        value = getattr(op.record, name)
        if isinstance(value, Body):
            yield name, value


def _homes(ops: Sequence[Operation]) -> dict[Operation, str]:
    """Where operations stand that only make the first value of a variable: inside it."""
    readers: dict[Operation, set[Operation]] = {}
    for op in ops:
        for before in (*(tensor.op for tensor in op.inputs), *op.control_inputs):
            readers.setdefault(before, set()).add(op)
    found: dict[Operation, str] = {}
    for op in reversed(ops):
        homes = {_home(reader, found) for reader in readers.get(op, ())}
        if len(homes) == 1 and (home := homes.pop()) and op.type != VARIABLE:
            found[op] = op.name if op.name.startswith(f"{home}/") else f"{home}/{op.name}"
    return found


def _home(reader: Operation, found: dict[Operation, str]) -> str:
    """The variable whose first value an operation makes or assigns; "" if it does not."""
    if reader in found:
        return found[reader].removesuffix(f"/{reader.name}")
    if reader.type == "Assign" and reader.inputs[0].op.type == VARIABLE:
        variable = reader.inputs[0].op.name
        return variable if reader.name == f"{variable}/Assign" else ""
    return ""


def _tidy(box: Box) -> None:
    """Take boxes away that only hold another one, and let neighbours share one if need be."""
    for name, inner in list(box.inner.items()):
        while inner.op is None and len(inner.inner) == 1:
            (only,) = inner.inner.values()
            only.name = f"{inner.name}/{only.name}"
            inner = only
        box.inner[name] = inner
    if len(box.inner) > MOST_BOXES:
        box.inner = {shared.name: shared for shared in _shared(list(box.inner.values()), box.path)}
    for inner in box.inner.values():
        _tidy(inner)


def _shared(boxes: list[Box], path: str) -> Iterable[Box]:
    """Few boxes in place of many: each holds some that were made one after the other."""
    aside = {box for box in boxes if is_aside(box)}
    single = [box for box in boxes if box in aside] if len(aside) < MOST_BOXES else []
    rest = [box for box in boxes if box not in single]
    groups = min(MOST_BOXES // 2, -(-len(rest) // (MOST_BOXES // 2)))
    size = max(1, -(-len(rest) // max(1, groups)))
    for start in range(0, len(rest), size):
        some = rest[start : start + size]
        name = f"{some[0].name} … {some[-1].name}"
        yield Box(name, f"{path}/{name}" if path else name, None, {box.name: box for box in some})
    yield from single
