"""Decide on which device each operation runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, TypeAlias

from thalweg.base.errors import DeviceError
from thalweg.graph import Operation, Origin

Places: TypeAlias = Mapping[Operation, str]

MOST_NAMED = 4  # operations of a type on one device that the table of a placement names


class FindDevice(Protocol):
    """What knows the devices that there are."""

    def __call__(self, wish: str) -> str:
        """The full name of the device that a canonical one stands for; "" is the default one.

        Raises:
            DeviceError: if there is no such device.
        """
        ...


def place(ops: Sequence[Operation], find: FindDevice) -> dict[Operation, str]:
    """The device of each operation: the one that it asks for, or else the default one.

    An operation that takes a variable's handle asks for the variable's device: `Graph.add` has seen
    to it. A loop or a branch runs as a whole where it asks to, or where operations in its bodies
    do if it does not. What is made of constants alone, and asks for nothing, is made where it is
    used, if that is one device.

    Args:
        ops: of the user's graph, in graph order.
        find: knows the devices.

    Raises:
        DeviceError: if one asks for a device that is not there, or bodies ask for several.
    """
    places = {op: _device(op, find) for op in ops}
    if len({*places.values()}) > 1:
        _follow_users(places)
    return places


def _follow_users(places: dict[Operation, str]) -> None:
    """Move what is made of constants alone, and asks for nothing, to those who use it."""
    made: set[Operation] = set()
    users: dict[Operation, set[str]] = {}
    for op in places:
        is_free = op.record.origin is None and op.record.effects.pure and not op.control_inputs
        given = [t.op in made or t.op.record.origin is Origin.CONSTANT for t in op.inputs]
        if is_free and all(given):
            made.add(op)
    for op in reversed(places):
        if op in made and not op.device and len(users.get(op, ())) == 1:
            (places[op],) = users[op]
        for tensor in op.inputs:
            users.setdefault(tensor.op, set()).add(places[op])


def _device(op: Operation, find: FindDevice) -> str:
    is_shared = op.record.origin is Origin.RUN_COUNTER  # by all who draw random numbers
    if is_shared or not (op.device or op.record.bodies):
        return find("")
    found = {_found(one, find): one for one in _wishes(op)}
    if len(found) > 1:
        (first, a), (second, b), *_ = found.items()
        raise DeviceError(
            f"{op.name!r} ({op.type}) runs on one device, but {a.name!r} inside asks for {first} "
            f"and {b.name!r} for {second}\n  at {op.source}"
        )
    return next(iter(found), find(""))


def _wishes(op: Operation) -> Iterator[Operation]:
    """The operation if it asks for a device, or else those in its bodies that do."""
    if op.device:
        yield op
    else:
        for body in op.record.bodies:
            for inner in body.operations:
                yield from _wishes(inner)


def _found(op: Operation, find: FindDevice) -> str:
    try:
        return find(op.device)
    except DeviceError as error:
        first, *rest = str(error).split("\n")
        lines = [f"{op.name!r} ({op.type}): {first}", f"  at {op.source}", *rest]
        raise DeviceError("\n".join(lines)) from None


def has_place(op: Operation) -> bool:
    """Whether it matters where an operation is: not for a group, a constant or what is fed."""
    if op.record.origin is not None:
        return op.record.origin is Origin.RESOURCE
    return bool(op.outputs) or not op.record.effects.pure


def show_places(places: Places) -> str:
    """A table of what runs where: for each device the types of operations, and their names."""
    table: dict[tuple[str, str], list[str]] = {}
    for op, device in places.items():
        if has_place(op):
            table.setdefault((device, op.type), []).append(op.name)
    lines: list[str] = []
    for device in sorted({device for device, _ in table}):
        rows = [(kind, names) for (where, kind), names in table.items() if where == device]
        count = sum(len(names) for _, names in rows)
        lines.append(f"{device}: {count} operation{'' if count == 1 else 's'}")
        width = max(len(kind) for kind, _ in rows)
        lines += [f"  {kind:{width}}  {_listed(names)}" for kind, names in sorted(rows)]
    return "\n".join(lines)


def _listed(names: list[str]) -> str:
    rest = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")
