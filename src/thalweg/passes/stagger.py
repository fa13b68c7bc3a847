"""Let devices wait for each other as little as possible.

An operation first stands on the lowest level that it may. That is too low for two kinds of them,
where a run has several devices. What depends on nothing, such as zeros, would make a segment of its
own on the first level; it moves to where it is used. And what no other device needs would hold up
those that wait for its segment:

    CPU 0    split, tower 0   ->   split             tower 0
    CPU 1                 tower 1            tower 1
    level    0                2    0                 2

Where others wait for a segment, what they do not need of it moves to the next level, on which they
run, too. It moves once, so that it is not put off for ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from thalweg.graph import Operation, Origin
from thalweg.passes.levels import HOST, Levels, is_free, is_group, is_plain_read

Users: TypeAlias = Mapping[Operation, Sequence[Operation]]


def stagger(levels: Levels) -> None:
    """Move operations of a run on several devices to later levels.

    Args:
        levels: of all operations; changed.
    """
    users = _users(levels)
    _sink(levels, users)
    moved: set[Operation] = set()
    for level in range(0, max(levels.of.values()) + 1, 2):
        for members in _segments(levels, level):
            later = _not_waited_for(levels, users, level, members, moved)
            levels.of.update(dict.fromkeys(later, level + 2))
            moved |= later
    levels.settle()


def _users(levels: Levels) -> Users:
    """Those that come after each operation, also those behind what is only given."""
    users: dict[Operation, dict[Operation, None]] = {op: {} for op in levels.before}
    for op, before in reversed(levels.before.items()):
        after = users[op] if _is_given(op) else {op: None}
        for earlier in before:
            users[earlier].update(after)
    return {op: tuple(after) for op, after in users.items()}


def _is_given(op: Operation) -> bool:
    return is_group(op) or is_free(op)


def _limit(levels: Levels, op: Operation, user: Operation) -> int:
    """The last level on which an operation is early enough for one of its users."""
    level, device = levels.of[user], levels.device(user)
    if device == HOST:
        return level - 1
    static = [user.inputs[number].op for number in user.record.static]
    together = device == levels.device(op) and op not in static and op not in levels.tapes
    return level if together else level - 2


def _sink(levels: Levels, users: Users) -> None:
    """Put what depends on nothing beside its first users, if they are on the same device."""
    for op in reversed(_made_of_nothing(levels)):
        device = levels.device(op)
        limits = [_limit(levels, op, user) for user in users[op]]
        beside = [levels.of[user] for user in users[op] if levels.device(user) == device]
        if beside and min(limits) in beside:
            levels.of[op] = min(limits)


def _made_of_nothing(levels: Levels) -> list[Operation]:
    """The operations of segments that depend on constants and random numbers alone, in order."""
    found: dict[Operation, None] = {}
    for op, before in levels.before.items():
        effects = op.record.effects
        does_more = effects.reads or effects.asks or effects.must_run or op.record.bodies
        is_fed = any(tensor in levels.fed for tensor in op.inputs)
        if does_more or is_fed or _is_given(op) or levels.device(op) == HOST:
            continue
        if all(earlier in found or _is_constant(levels, earlier) for earlier in before):
            found[op] = None
    return list(found)


def _is_constant(levels: Levels, op: Operation) -> bool:
    origins = (Origin.CONSTANT, Origin.RUN_COUNTER)
    return op.record.origin in origins and not levels.before[op]


def _segments(levels: Levels, level: int) -> Iterator[set[Operation]]:
    """The operations of each device on a level."""
    found: dict[str, set[Operation]] = {}
    for op, own in levels.of.items():
        if own == level and not _is_given(op):
            found.setdefault(levels.device(op), set()).add(op)
    for device in sorted(found):
        yield found[device]


def _not_waited_for(
    levels: Levels, users: Users, level: int, members: set[Operation], moved: set[Operation]
) -> set[Operation]:
    """What other devices do not wait for, of a segment that some wait for."""
    leaving, is_waited_for = members & moved, False
    for op in members:
        outside = [user for user in users[op] if user not in members]
        waiting = [user for user in outside if _limit(levels, op, user) <= level]
        if waiting:
            leaving.add(op)
        devices = {levels.device(user) for user in waiting} - {HOST, levels.device(op)}
        is_waited_for = is_waited_for or bool(devices and not is_plain_read(op))
    if not is_waited_for:
        return set()
    needed = _behind(levels, leaving, members)
    return {op for op in members - needed if not is_plain_read(op)}


def _behind(levels: Levels, ops: set[Operation], members: set[Operation]) -> set[Operation]:
    """Some members of a segment, with those that they come after."""
    found: set[Operation] = set()
    waiting = list(ops)
    while waiting:
        op = waiting.pop()
        if op not in found:
            found.add(op)
            waiting += [e for e in levels.before[op] if e in members or _is_given(e)]
    return found & members
