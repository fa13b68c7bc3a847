"""Put what a run can compute at any time beside what uses it.

An operation first stands on the lowest level that it may. One that depends on constants, random
numbers and variables alone would stand in the first segment, and what it makes would cross to the
one that needs it. For an optimiser, that is all of its slots:

    slot * 0.9                                   ->                 slot * 0.9
    gradient    -> all-reduce -> sum -> Assign       gradient -> all-reduce -> sum -> Assign
    level   0      1             2                          0      1             2
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from thalweg.graph import Operation, Origin
from thalweg.passes.levels import HOST, Levels, is_free, is_group

Users: TypeAlias = Mapping[Operation, Sequence[Operation]]


def sink(levels: Levels) -> None:
    """Put what needs no other operations beside its first users, if they are on the same device.

    Args:
        levels: of all operations; changed.
    """
    users = users_of(levels)
    for op in reversed(_movable(levels)):
        device = levels.device(op)
        limits = [limit(levels, op, user) for user in users[op]]
        beside = [levels.of[user] for user in users[op] if levels.device(user) == device]
        if beside and min(limits) in beside:
            levels.of[op] = min(limits)
    levels.settle()


def _movable(levels: Levels) -> list[Operation]:
    """The operations of segments that come after nothing but each other, in order."""
    found: dict[Operation, None] = {}
    for op, before in levels.before.items():
        effects = op.record.effects
        does_more = effects.asks or effects.must_run or op.record.bodies
        is_fed = any(tensor in levels.fed for tensor in op.inputs)
        if does_more or is_fed or is_given(op) or levels.device(op) == HOST:
            continue
        if all(earlier in found or _is_given_at_start(levels, earlier) for earlier in before):
            found[op] = None
    return list(found)


def _is_given_at_start(levels: Levels, op: Operation) -> bool:
    origins = (Origin.CONSTANT, Origin.RUN_COUNTER, Origin.RESOURCE)
    return op.record.origin in origins and not levels.before[op]


def users_of(levels: Levels) -> Users:
    """Those that come after each operation, also those behind what is only given."""
    users: dict[Operation, dict[Operation, None]] = {op: {} for op in levels.before}
    for op, before in reversed(levels.before.items()):
        after = users[op] if is_given(op) else {op: None}
        for earlier in before:
            users[earlier].update(after)
    return {op: tuple(after) for op, after in users.items()}


def is_given(op: Operation) -> bool:
    """Whether an operation computes nothing by itself."""
    return is_group(op) or is_free(op)


def limit(levels: Levels, op: Operation, user: Operation) -> int:
    """The last level on which an operation is early enough for one of its users."""
    level, device = levels.of[user], levels.device(user)
    if device == HOST:
        return level - 1
    static = [user.inputs[number].op for number in user.record.static]
    together = device == levels.device(op) and op not in static and op not in levels.tapes
    return level if together else level - 2
