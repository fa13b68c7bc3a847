"""Let devices wait for each other as little as possible.

An operation first stands on the lowest level that it may. Where a run has several devices, what no
other device needs would there hold up those that wait for its segment:

    CPU 0    split, tower 0   ->   split             tower 0
    CPU 1                 tower 1            tower 1
    level    0                2    0                 2

Where others wait for a segment, what they do not need of it moves to the next level, on which they
run, too. It moves once, so that it is not put off for ever.
"""

from __future__ import annotations

from collections.abc import Iterator

from thalweg.graph import Operation
from thalweg.passes.levels import HOST, Levels, is_plain_read
from thalweg.passes.sink import Users, is_given, limit, users_of


def stagger(levels: Levels) -> None:
    """Move operations of a run on several devices to later levels.

    Args:
        levels: of all operations; changed.
    """
    users = users_of(levels)
    moved: set[Operation] = set()
    for level in range(0, max(levels.of.values()) + 1, 2):
        for members in _segments(levels, level):
            later = _not_waited_for(levels, users, level, members, moved)
            levels.of.update(dict.fromkeys(later, level + 2))
            moved |= later
    levels.settle()


def _segments(levels: Levels, level: int) -> Iterator[set[Operation]]:
    """The operations of each device on a level."""
    found: dict[str, set[Operation]] = {}
    for op, own in levels.of.items():
        if own == level and not is_given(op):
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
        waiting = [user for user in outside if limit(levels, op, user) <= level]
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
            waiting += [e for e in levels.before[op] if e in members or is_given(e)]
    return found & members
